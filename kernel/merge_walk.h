/* Walking all guests' leaves in bounded steps while guests run, for ksm verify and ksm matrix.
 *
 * What is known of each frame is kept in cells of 8 bytes, for a window of frames at a time: as large a window as a
 * free block of memory allows, so that a full host only takes longer.  The set of guests stands still meanwhile: only
 * the monitor starts and destroys guests, and it is the monitor that asks, in one call that is made in steps. */
#ifndef KERNEL_MERGE_WALK_H
#define KERNEL_MERGE_WALK_H

#include "kernel/gmem.h"

#define MERGE_WALK_LEAVES 4096 /* that a step looks at */

struct merge_walk {
	u64 *cells;       /* NULL: no walk goes on */
	u32 order;        /* of their block */
	hpa_t first;      /* the window's first frame */
	u64 count;        /* of its frames */
	u32 guest;        /* the guest that is walked */
	u32 index;        /* guests before it */
	u64 gpa;          /* where the walk goes on; 0: the next guest is to be found */
	struct gmem *gmem; /* its memory; NULL: as above */
};

/* Memory for the cells, the first window; ERR_NOMEM.  merge_walk_end gives it back, also where there is none. */
int merge_walk_begin(struct merge_walk *w) must_check;
void merge_walk_end(struct merge_walk *w);

/* The next window, all cells 0; false: that was the last. */
bool merge_walk_window(struct merge_walk *w) must_check;

/* The cell of a frame, NULL outside of the window. */
u64 *merge_walk_cell(struct merge_walk *w, hpa_t frame);

/* The memory of the guest that comes next, NULL after the last (and from the first again then). */
struct gmem *merge_walk_guest(struct merge_walk *w);

/* Calls leaf for leaves of the guest that are present or compressed, a large one as its 512 small ones, a bounded
 * number, with its memory locked (merge_walk_locked: by the caller); true at its end. */
bool merge_walk_locked(struct merge_walk *w, void (*leaf)(struct merge_walk *w, u64 gpa, u64 entry)) must_check;
bool merge_walk_leaves(struct merge_walk *w, void (*leaf)(struct merge_walk *w, u64 gpa, u64 entry)) must_check;

#endif
