/* The 8254 timer: ports 40h-43h, and port 61h with channel 2's gate, the speaker and the refresh toggle. */
#ifndef VMM_MACHINE_PIT_H
#define VMM_MACHINE_PIT_H

#include "kernel/lib/types.h"
#include "vmm/machine/backlog.h"
#include "vmm/machine/pit_counter.h"

struct machine;

#define PIT_HZ 1193182

struct pit {
	struct pit_counter counter[3];
	struct backlog backlog; /* of IRQ 0 */
	u64 due;                /* tick at which IRQ 0 falls due next, UINT64_MAX: never */
	u8 port61;              /* bits 0-3 */
};

void pit_attach(struct machine *m);
void pit_reset(struct machine *m);
u64 pit_deadline(const struct machine *m);
void pit_tick(struct machine *m, u64 now);

#endif
