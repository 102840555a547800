/* a * b / c with a 128 bit product.  The compiler's own 128 bit division would call libgcc, which is not
 * linked. */
#ifndef KERNEL_LIB_MULDIV_H
#define KERNEL_LIB_MULDIV_H

#include "kernel/lib/types.h"

/* Rounded down; UINT64_MAX when it does not fit (c = 0 included). */
static inline u64 muldiv(u64 a, u64 b, u64 c)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	u64 low = (u64)product, high = (u64)(product >> 64);

	if (high >= c)
		return UINT64_MAX;
	__asm__("divq %2" : "+a"(low), "+d"(high) : "r"(c) : "cc");
	return low;
}

#endif
