/* The processor as boot protocols want it at a kernel's first instruction: flat segments, interrupts off. */
#ifndef VMM_MACHINE_ENTRY_H
#define VMM_MACHINE_ENTRY_H

#include "vmm/machine/load.h"

/* Code 10h, data 18h (what Linux asks for; Multiboot does not care).  gpr: all registers at entry. */
int entry_prot32(struct load *l, u64 eip, const u64 gpr[GPR_COUNT]) must_check;

/* The same in long mode, the first 4 GiB identity mapped. */
int entry_long(struct load *l, u64 rip, const u64 gpr[GPR_COUNT]) must_check;

#endif
