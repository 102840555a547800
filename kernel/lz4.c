/* LZ4's own source as part of this file, so that what is not used of it is left out.  Its hash table, which is cleared
 * for each page, is 4 KiB instead of 16: half a percent of the size is what that costs. */
#include "kernel/lz4.h"

#include "kernel/lib/string.h"

#define LZ4_FREESTANDING 1
#define LZ4_MEMORY_USAGE 12
#define LZ4_memcpy __builtin_memcpy
#define LZ4_memset __builtin_memset
#define LZ4_memmove __builtin_memmove
#define LZ4LIB_VISIBILITY static

#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wshadow"
#include "build/lz4/lz4.c"

_Static_assert(sizeof(LZ4_stream_t) <= LZ4_WORK_SIZE, "room for its state");

u32 lz4_pack(const void *page, void *to, u32 room, void *work)
{
	int len = LZ4_compress_fast_extState(work, page, to, PAGE_SIZE, (int)room, 1);

	return len > 0 ? (u32)len : 0;
}

bool lz4_unpack(const void *from, u32 len, void *page)
{
	return LZ4_decompress_safe(from, page, (int)len, PAGE_SIZE) == (int)PAGE_SIZE;
}
