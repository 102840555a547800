/* Collapsing: 512 small leaves of a guest's own frames become one large leaf (gmem_large.c), and large ones small ones
 * again when memory is short.  Density comes first: a first touch gives 4 KiB, and a block is collapsed only where
 * merging has nothing to win from it:
 *   busy   at least half of its pages were written since the scanner last looked (or its guest does not merge).  The
 *          large leaf is writable; the scanner splits it again when it was quiet for a whole pass, and now and then.
 *   known  all of its pages are hashed, had no equal, and are clean.  The large leaf is read only and the pages stay
 *          candidates; a write splits it, and only the page that was written has to be looked at again.
 *
 * collapse.c makes the steps, collapse_thread.c says when. */
#ifndef KERNEL_COLLAPSE_H
#define KERNEL_COLLAPSE_H

#include "kernel/gmem.h"

/* Where the work on one guest stands; zeroed: at the beginning. */
struct collapse {
	u64 gpa;     /* the block that is copied, or where the search goes on */
	hpa_t block; /* its new frames; .v == 0: no block is copied now */
	u32 copied;  /* of its pages, so far */
	bool known;  /* it is collapsed as a known one */
};

/* Figures that only grow; the thread's, read by others. */
extern struct collapse_counts {
	u64 copied, in_place; /* blocks collapsed: with a copy, or because their frames lay side by side */
	u64 abandoned;        /* copies that were in vain */
	u64 looked;           /* leaves looked at */
	u64 cycles;           /* of the TSC, in all */
} collapse_counts;

/* A bounded step through m's memory; true at its end (gpa is 0 again).  may_copy: there is memory for a copy. */
bool collapse_step(struct gmem *m, struct collapse *c, bool may_copy) must_check;

/* m's memory is not gone on with. */
void collapse_abandon(struct collapse *c);

/* Splits m's large leaves from *gpa on, a bounded number; true at the end (*gpa is 0 again). */
bool collapse_undo_step(struct gmem *m, u64 *gpa) must_check;

/* ---- collapse_thread.c ---- */

/* Once at boot: the thread, if large leaves are wanted (enum large_pages); ERR_NOMEM. */
int collapse_start(u32 wish) must_check;
const char *collapse_state(void); /* "on", or "off" and why */
void collapse_look(void); /* the level of memory pressure changed */

#endif
