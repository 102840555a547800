/* Leaving the firmware. */
#ifndef BOOT_EXIT_H
#define BOOT_EXIT_H

#include "kernel/boot_info.h"

/* Leaves boot services and completes info->ranges; an error means that the firmware would not let go. */
int exit_firmware(struct boot_info *info) must_check;

/* Continues in kernel_main on a stack of the image's own: the firmware's stack is free memory now. */
_Noreturn void exit_to_kernel(struct boot_info *info);

#endif
