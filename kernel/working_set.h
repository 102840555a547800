/* A guest's working set: which part of its memory it uses, told by a sample of its pages.
 *
 * Each time that it is asked, the pages that were chosen the last time are looked at (did the processor set their
 * accessed bits?), and others are chosen and made unaccessed.  What is sampled are frames of its own, not those
 * of large leaves, whose one bit speaks for 512 pages (collapse_thread.c splits them while memory is short).  Only the
 * keeper's thread calls here (pressure.c), while memory is short. */
#ifndef KERNEL_WORKING_SET_H
#define KERNEL_WORKING_SET_H

#include "kernel/gmem.h"

#define WORKING_SET_SAMPLES 64

struct working_set {
	u32 pages[WORKING_SET_SAMPLES]; /* o: their numbers */
	u32 count;                      /* o: of them */
	u32 used;                       /* a: permille of its own frames, if known */
	bool known;                     /* a */
	u64 random;                     /* o */
};

/* It is not wanted any more; zeroed is the same. */
void working_set_forget(struct working_set *w);

/* Looks at the last sample and takes the next.  The estimate follows a growing set at once and a shrinking one by a
 * quarter each time, since a guest that is taken for idle loses memory. */
void working_set_sample(struct gmem *m, struct working_set *w);

#endif
