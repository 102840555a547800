/* A guest's RAM for host tests of devices that reach into it: sys_guest_read, _write and _discard on an array, and the
 * calls of the balloon. */
#ifndef TESTS_UNIT_FAKE_RAM_H
#define TESTS_UNIT_FAKE_RAM_H

#include "kernel/abi.h"

#define FAKE_RAM (4 * MIB)

struct fake_ram {
	u8 bytes[FAKE_RAM];
	u8 discarded[FAKE_RAM / PAGE_SIZE]; /* how often each page was */
	u64 discarded_bytes;
	u32 discards, reads;                /* calls */
	u32 refused_writes;                 /* the next ones answer ERR_NOMEM */
	u64 target;                         /* what sys_memory_target answers */
	struct memory_stats stats;          /* what was told last */
};

extern struct fake_ram fake_ram;

void fake_ram_clear(void);

#endif
