/* In place of kernel/lib/digest.c: a digest that tells pages apart by their beginning only, so that pages with equal
 * digests and different bytes are common and the merger's comparison is put to the test. */
#include "kernel/lib/digest.h"

#define WEAK_BYTES 64

u64 digest_page(const void *page, u64 seed)
{
	const u8 *bytes = page;
	u64 sum = seed;

	for (u32 i = 0; i < WEAK_BYTES; i++)
		sum = (sum ^ bytes[i]) * 0x9e3779b97f4a7c15;
	return sum ^ sum >> 32;
}
