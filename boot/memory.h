/* The firmware's memory map, as ranges. */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include "kernel/boot_info.h"

/* Room for the map, with slack for what changes until the firmware is left. */
int memory_init(void) must_check;

/* Reads the firmware's map and makes info->ranges from it; key is what ExitBootServices asks for. */
int memory_read(struct boot_info *info, u64 *key) must_check;

#endif
