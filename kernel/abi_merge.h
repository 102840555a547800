/* What crosses between ring 0 and ring 3 of merging (kernel/abi.h). */
#ifndef KERNEL_ABI_MERGE_H
#define KERNEL_ABI_MERGE_H

#include "kernel/lib/types.h"

enum merge_state { MERGE_STOPPED, MERGE_RUNNING, MERGE_UNMERGING };

enum merge_control {
	MERGE_CONTROL_STOP,     /* what is merged stays so */
	MERGE_CONTROL_RUN,
	MERGE_CONTROL_UNMERGE,  /* and stop */
	MERGE_CONTROL_CPU,      /* per cent of one processor that it may take from others: 1 to 100 */
	MERGE_CONTROL_INTERVAL, /* ms between two passes' beginnings: 1 to 3600000 */
};

/* Counts of pages of 4 KiB; what KSM has too means the same. */
struct merge_info {
	u32 state;          /* enum merge_state */
	u32 cpu_percent, interval_ms;
	u32 guests;         /* that merge */
	u64 pages_shared;   /* merged frames */
	u64 pages_sharing;  /* further uses of them: pages saved */
	u64 pages_unshared; /* unique, known by their content, and not written since */
	u64 pages_volatile; /* written between two passes */
	u64 pages_scanned;  /* looked at, in all */
	u64 pages_skipped;  /* of them, passed over: not written since they were known */
	u64 zero_pages;     /* found to be zeroes and given back (ksm_zero_pages) */
	u64 full_scans;
	s64 general_profit; /* bytes: what sharing and zero pages save, less the bookkeeping */
	u64 born_merged;    /* uses of files' pages: shared from the start, by no scan */
	u64 pages_hashed, pages_compared; /* how often, in all */
	u64 pages_differed; /* compared and not equal */
	u64 pages_merged;   /* merged or given back, in all */
	u64 slots_evicted;  /* candidates that were forgotten for want of room */
	u64 cpu_ns, cycles; /* the scanner's time, and the same in cycles of the TSC */
	u64 bookkeeping;    /* bytes */
	u64 unmerge_cost;   /* bytes that it would take to unmerge all */
};

/* What ksm verify found. */
struct merge_verify {
	u64 guests, leaves; /* that were looked at */
	u64 frames;         /* merged ones: references, content */
	u64 undecided;      /* windows of memory in which files' pages changed all the time */
	u32 guest;          /* of the first violation; 0: it is no guest's */
	u32 unused;
	u64 gpa;
	char what[96];      /* it; "": there is none */
};
_Static_assert(sizeof(struct merge_verify) == 144, "ABI");

#define MERGE_ROWS 64 /* guests */

struct merge_row {
	u32 guest, unused;
	u64 self;  /* pages that it shares with itself: uses beyond the first of a frame */
	u64 zero;  /* untouched pages that were read */
	u64 given; /* pages of zeroes that the merger gave back */
	u64 file;  /* files' pages */
	u64 with[MERGE_ROWS]; /* frames that it has in common with the guest of that row */
};

struct merge_matrix {
	u64 count;   /* of rows */
	u64 further; /* guests with memory that have no row for want of room */
	struct merge_row rows[MERGE_ROWS];
};
_Static_assert(sizeof(struct merge_matrix) == 16 + 64 * (40 + 512), "ABI");

#endif
