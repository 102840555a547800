/* xxhash.h brings the C library's limits with it (NAME_MAX, for one), so nobody else may include it. */
#include "kernel/lib/digest.h"

#define XXH_INLINE_ALL
#define XXH_VECTOR 0              /* scalar */
#define XXH_FORCE_MEMORY_ACCESS 1 /* by a packed union: with -ffreestanding memcpy would be called for each word */
#include <xxhash.h>

u64 digest_page(const void *page, u64 seed)
{
	return XXH64(page, PAGE_SIZE, seed);
}
