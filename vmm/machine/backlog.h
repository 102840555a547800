/* Periodic ticks that fell due while the host was busy: PIT channel 0 and the HPET's periodic timers.
 *
 * Policy: each interrupt goes out by itself, never closer to the one before than half a period (and 20 us,
 * which also bounds what a guest can make the host do by programming a tiny period).  Up to BACKLOG_MAX
 * ticks are owed; what exceeds that is dropped and counted, as the guest would see hundreds of late ticks
 * in a burst. */
#ifndef VMM_MACHINE_BACKLOG_H
#define VMM_MACHINE_BACKLOG_H

#include "kernel/lib/types.h"

#define BACKLOG_MAX 8
#define BACKLOG_SPACING_MIN 20000 /* ns */

struct backlog {
	u64 last;      /* machine time of the last delivery */
	u64 coalesced; /* ticks dropped */
	u64 owed;      /* ticks to be delivered, at most BACKLOG_MAX */
};

void backlog_clear(struct backlog *b);
void backlog_add(struct backlog *b, u64 ticks);

/* True if a tick is to be delivered at now; it is then no longer owed. */
bool backlog_take(struct backlog *b, u64 now, u64 period_ns);

/* When to look again, if the next tick falls due at next: always later than the last delivery. */
u64 backlog_deadline(const struct backlog *b, u64 next, u64 period_ns);

#endif
