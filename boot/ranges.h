/* boot_info's list of memory ranges: always sorted, without overlaps, in whole pages. */
#ifndef BOOT_RANGES_H
#define BOOT_RANGES_H

#include "kernel/boot_info.h"

/* Makes [base, base + len) kind, whatever was there: paint the strongest kind last.  FREE and FIRMWARE shrink to
 * whole pages, the others grow to them; what reaches past 2^64 is cut.  When the list is full, the smallest FREE or
 * RESERVED ranges are forgotten: memory that is not in the list is nobody's. */
void ranges_paint(struct boot_info *info, u64 base, u64 len, u32 kind);

/* Sets the NUMA node of what lies in [base, base + len). */
void ranges_set_node(struct boot_info *info, u64 base, u64 len, u32 node);

/* True if the list has all of [base, base + len), of any kinds. */
bool ranges_contain(const struct boot_info *info, u64 base, u64 len);

/* Bytes of one kind. */
u64 ranges_total(const struct boot_info *info, u32 kind);

#endif
