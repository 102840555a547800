/* Leaves of guests whose share group is uniform: a write tells its guest nothing about what the merger found.
 *
 * The merger write-protects each page that it knows, whether it has an equal or not.  The write is a fault, and
 * always the same work: a frame is taken from the ledger and drawn by lot (merge_stock.h), all bytes are copied, one
 * flush, the old frame's reference is dropped.  Nothing is taken over, and zeroes are copied like anything else.
 * Under the gmem's lock. */
#ifndef KERNEL_GMEM_UNIFORM_H
#define KERNEL_GMEM_UNIFORM_H

#include "kernel/gmem_leaf.h"
#include "kernel/merge_stock.h"

#define UNIFORM_EXTRA 1 /* frames that such a guest has beyond its RAM, while it copies a page of its own */

/* Does the merger know this page, which is present, of a uniform group? */
static inline bool gmem_uniform_known(const struct gmem *m, u64 entry)
{
	return m->uniform && entry & LEAF_HASHED;
}

/* gmem_leaf_put after such a copy. */
void gmem_uniform_put(struct gmem *m, u64 entry);

#endif
