/* Small things that only the firmware can tell. */
#ifndef BOOT_GATHER_H
#define BOOT_GATHER_H

#include "kernel/boot_info.h"

void gather_framebuffer(struct boot_info *info);
void gather_entropy(struct boot_info *info);

/* Seconds since 1970, from the firmware's clock; 0 when it does not know. */
u64 gather_wall_clock(void);

/* The runtime services, when the operator did not switch them off. */
void gather_runtime(struct boot_info *info);

#endif
