/* The regions of a guest's memory: a short sorted list without overlaps.  Under the gmem's lock. */
#ifndef KERNEL_GMEM_REGION_H
#define KERNEL_GMEM_REGION_H

#include "kernel/gmem.h"

/* The region that has gpa, NULL in a hole. */
const struct gmem_region *gmem_region_find(const struct gmem *m, u64 gpa);

/* Is all of [gpa, gpa+len) RAM?  Takes the lock itself. */
bool gmem_region_writable(struct gmem *m, u64 gpa, u64 len);

/* May [base, base+len) become the new region?  Errors as gmem_map. */
int gmem_region_check(const struct gmem *m, u64 base, u64 len, enum map_kind kind, u64 source) must_check;

/* Cuts [base, base+len), the beginning of a range that was checked, out of what is there and puts the new
 * region in.  ERR_NOMEM, with nothing changed, only when several ranges are being changed in steps at once. */
int gmem_region_set(struct gmem *m, u64 base, u64 len, enum map_kind kind, u64 source) must_check;

#endif
