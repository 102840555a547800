/* Leaves of stage 2, for gmem*.c and those who walk them: what the bits mean that the hardware leaves to us.
 *
 * A leaf that is present maps a frame; one that is not holds no frame's address and is typed:
 *   0          untouched: begins as its region says
 *   LEAF_ZERO  was given back: begins as zeroes, whatever the region says
 * All under the gmem's lock; the hardware sets accessed and dirty at any time, so a leaf that is present and
 * writable is changed by atomic operations only. */
#ifndef KERNEL_GMEM_LEAF_H
#define KERNEL_GMEM_LEAF_H

#include "kernel/gmem.h"

#define LEAF_ZERO BIT(54) /* not present */

extern hpa_t gmem_zero_frame; /* c: everybody's, counts no references */

/* Is frame, which a leaf maps, the guest's own? */
bool gmem_leaf_private(hpa_t frame);

/* Drops what a leaf mapped; the flush was done. */
void gmem_leaf_put(struct gmem *m, u64 entry);

/* The entry of a page, with the tables above it; NULL without memory. */
u64 *gmem_leaf_entry(struct gmem *m, u64 page, enum ledger_use use);

/* n leaves more (or less) map frames of the guest's own, without an allocation or before frame_put. */
static inline void gmem_private(struct gmem *m, s64 n)
{
	m->private_pages += (u64)n;
	if (n > 0)
		ledger_charge(m->account, (u64)n);
	else
		ledger_put(m->account, (u64)-n);
}

#endif
