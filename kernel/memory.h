/* The machine's memory at boot: from the firmware's map to frames and the kernel's own tables. */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include "kernel/boot_info.h"

/* Gives the free ranges to the frame allocator, claims what is in use, and switches to the kernel's map.
 * ERR_NOMEM when the free memory does not hold the frame table. */
int memory_take_over(const struct boot_info *info) must_check;

#endif
