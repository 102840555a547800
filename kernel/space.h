/* Address spaces of the host: the kernel's identity map, and a process's memory above it.
 * The map's first half of the root (slots below SPACE_USER_SLOT) is one for all; page 0 is absent, nothing is
 * both writable and executable. */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include "kernel/boot_info.h"
#include "kernel/lib/types.h"
#include "kernel/table.h"

#define SPACE_USER_SLOT 128
#define SPACE_USER_BASE 0x400000000000ull /* slot 128 */
#define SPACE_USER_END 0x408000000000ull

/* Builds the kernel's map and switches to it. */
void space_init(const struct boot_info *info);

/* The kernel's root, for other CPUs and for idling. */
hpa_t space_kernel_root(void);

/* This CPU uses root from now on; nothing happens when it does already. */
void space_switch(hpa_t root);

/* A root with the kernel's half and an empty user half; .v == 0 without memory. */
hpa_t space_create(void);

/* Frees the tables, once no CPU uses them any more (one that has just blocked a thread of the process still
 * does); the frames are the owner's. */
void space_put(hpa_t root);

/* Maps one frame for ring 3; 0 or ERR_NOMEM.  Counts added table frames in *tables. */
int space_map(hpa_t root, u64 address, hpa_t at, u32 perms, u64 *tables) must_check;

/* Makes [base, base+len) executable or not in the kernel's map (the start-up page, the firmware's services). */
int space_set_exec(u64 base, u64 len, bool exec) must_check;

#endif
