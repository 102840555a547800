/* Guests that want more memory than there is, with the keeper, the compressor, the ledger and guest memory as they are,
 * in simulated time.
 *
 * A tick is a millisecond: each guest accesses some pages, each of the two threads makes a step if it is due.  Checked
 * all the while: pages keep what was written to them; the guest with the highest claim does not wait, none waits for
 * long while there is room for it; everybody's claim can be met.  One CPU; nothing merges, there are no balloons. */
#ifndef TESTS_UNIT_SIM_H
#define TESTS_UNIT_SIM_H

#include "kernel/guest.h"

#define SIM_GUESTS 8
#define SIM_PAGES 4096u   /* of the largest guest: half of the host's frames */
#define SIM_SECOND 1000u  /* ticks */

enum program { PROGRAM_SWEEP, PROGRAM_RANDOM, PROGRAM_HOT };

extern struct guest sim_guests[SIM_GUESTS];
extern struct sim {
	enum program program;
	u32 pages;      /* that it has and uses */
	u32 pace;       /* accesses in a tick, ... */
	u32 period;     /* ... in each so-manieth one; 0: in each */
	u32 dense;      /* percent of a page's words that are random */
	u32 next;       /* of a sweep */
	u64 stamps[SIM_PAGES]; /* what each page begins with; 0: never written */
	u64 accesses;
	u64 held_since; /* ticks, 0: it is not held for memory */
	u64 room_since; /* ticks: since then, while it was held, there was room for it */
	u64 longest;    /* ticks: it was held, for memory */
} sims[SIM_GUESTS];

u32 sim_pick(u32 below); /* random */

/* A host without guests. */
void sim_begin(u64 seed);
void sim_end(void); /* destroys all; is everything back? */

/* sim: program to dense.  False: it was not admitted. */
bool sim_create(u32 i, const struct sim *sim, struct guest_params params);
void sim_stop(u32 i); /* its run ends, and its memory is kept */
void sim_destroy(u32 i);
struct guest *sim_first(void); /* of those that have memory, the one with the highest claim; NULL */

void sim_run(u32 n); /* ticks */

#endif
