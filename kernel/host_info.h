/* The host's figures, for the monitor. */
#ifndef KERNEL_HOST_INFO_H
#define KERNEL_HOST_INFO_H

#include "kernel/abi.h"
#include "kernel/boot_info.h"

/* Moments of the boot, host TSC; marked as it goes. */
enum boot_moment { BOOT_START, BOOT_LEFT_FIRMWARE, BOOT_CPUS_UP, BOOT_MONITOR, BOOT_MOMENTS };
void host_info_mark(enum boot_moment moment);

void host_info_init(const struct boot_info *info, const char *features);
void host_info_fill(struct host_info *info);
void host_info_cpu(u32 index, struct cpu_info *info);

extern const char *const quire_version;

#endif
