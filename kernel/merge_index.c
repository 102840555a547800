/* The table's memory: blocks of one size. */
#include "kernel/merge_index.h"

#include "kernel/frame.h"
#include "kernel/heap.h"

#define SLOTS_FOR_TWO 3   /* frames: a search in a table that is two thirds full, at most, is short */
#define BLOCKS 4096       /* at most, while blocks can grow: small ones are found in memory of any kind */
#define ORDER_MAX FRAME_ORDER_2M

static u64 **blocks;
static u64 slot_count;
static u32 block_shift; /* 1 << block_shift slots in each */

int merge_index_init(u64 frames)
{
	u64 slots = frames * SLOTS_FOR_TWO / 2, size = PAGE_SIZE / sizeof(u64), count;
	u32 order = 0;

	while (order < ORDER_MAX && slots > (size << order) * BLOCKS)
		order++;
	size <<= order;
	count = MAX((slots + size / 2) / size, 1);
	blocks = heap_alloc(count * sizeof(*blocks));
	if (!blocks)
		return ERR_NOMEM;
	for (u64 i = 0; i < count; i++) {
		blocks[i] = hpa_pointer(frame_alloc_zero(order, FRAME_KERNEL));
		if (!blocks[i])
			return ERR_NOMEM;
	}
	slot_count = count * size;
	block_shift = (u32)__builtin_ctzll(size);
	return 0;
}

u64 merge_index_bytes(void)
{
	return slot_count * sizeof(u64);
}

/* The uppermost bits of the digest choose; what a slot keeps of it are lower ones. */
u64 *merge_index_slot(u64 digest, u32 n)
{
	u64 at = (u64)((unsigned __int128)digest * slot_count >> 64) + n;

	if (at >= slot_count)
		at -= slot_count;
	return &blocks[at >> block_shift][at & (BIT(block_shift) - 1)];
}
