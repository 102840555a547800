/* The parts of a scanner's step and what they hand on: pages that seem to have an equal. */
#ifndef KERNEL_MERGE_BATCH_H
#define KERNEL_MERGE_BATCH_H

#include "kernel/merge.h"

#define MERGE_BATCH 32 /* pages that a step may merge */

struct merge_found {
	u64 gpa, digest;
	u64 slot;     /* the candidate that seems equal; 0: target is known */
	hpa_t target; /* a merged frame with a reference, or the zero frame; 0: not (yet) */
	hpa_t frame;  /* the page's own, when it was hashed */
	u64 old;      /* a leaf that was replaced: in promote its equal's (uniform groups), in commit its own */
};

struct merge_batch {
	struct merge_found found[MERGE_BATCH];
	u32 count;
};

/* The entry of a page that is present, NULL; m locked. */
u64 *merge_page(struct gmem *m, u64 gpa);

/* What a present page's leaf says, or the large leaf that it is a part of, at some moment; 0.  m locked, or a member
 * in merge_lock: its tables stay. */
u64 merge_leaf(struct gmem *m, u64 gpa);

/* ---- merge_lookup.c; in merge_lock ---- */

/* Does something have f's digest?  Then f says what; if not, the page becomes a candidate. */
bool merge_look_up(struct merge_member *member, struct merge_found *f) must_check;

/* Enters a slot's value; in place of before, if that is still there. */
void merge_enter(u64 digest, u64 value, u64 before);

/* ---- merge_replace.c; with no lock held ---- */

/* Merges member's batch as far as it is equal. */
void merge_replace(struct merge_member *member, struct merge_batch *b);

#endif
