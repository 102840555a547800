/* Where a PC's memory lies: one table, from which RAM is mapped and guests are told (e820, Multiboot). */
#ifndef VMM_MACHINE_RAM_H
#define VMM_MACHINE_RAM_H

#include "kernel/lib/types.h"

struct machine;

#define RAM_LOW_END 0xa0000ull     /* conventional memory; video memory would follow */
#define RAM_ROMS 0xc0000ull        /* option ROMs: there are none */
#define RAM_FIRMWARE 0xe0000ull    /* what a BIOS would occupy: ACPI tables, found by scanning for the RSDP */
#define RAM_HIGH 0x100000ull
#define RAM_ABOVE_4G 0x100000000ull
#define RAM_MEMORY_MIN (2 * MIB)

#define ECAM_SIZE MIB /* PCI bus 0 */

/* ACPI 6.4 §15, "Address Range Types"; the same numbers in Multiboot's map */
enum ram_type { RAM_USABLE = 1, RAM_RESERVED = 2 };

struct ram_range {
	u64 base, len;
	u32 type; /* enum ram_type */
};

#define RAM_RANGES 5

/* The map of a guest with memory bytes, sorted; returns how many of ranges[RAM_RANGES] are filled. */
u32 ram_ranges(u64 memory, struct ram_range *ranges);

/* Maps the RAM of a guest that starts afresh; 0 or an error. */
int ram_map(const struct machine *m) must_check;

/* The end of usable RAM below 4 GiB. */
u64 ram_low_end(u64 memory);

/* True if [base, base + len) is inside one range of usable RAM. */
bool ram_contains(u64 memory, u64 base, u64 len);

#endif
