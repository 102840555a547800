/* The regions of a guest's memory: a short sorted list without overlaps.  Under the gmem's lock. */
#ifndef KERNEL_GMEM_REGION_H
#define KERNEL_GMEM_REGION_H

#include "kernel/gmem.h"

/* The region that has gpa, NULL in a hole. */
const struct gmem_region *gmem_region_find(const struct gmem *m, u64 gpa);

/* Is all of [gpa, gpa+len) RAM?  Takes the lock itself. */
bool gmem_region_writable(struct gmem *m, u64 gpa, u64 len);

/* Cuts [base, base+len) out of what is there and puts the new region in; errors as gmem_map, and then
 * nothing has changed. */
int gmem_region_set(struct gmem *m, u64 base, u64 len, enum map_kind kind, u64 source) must_check;

#endif
