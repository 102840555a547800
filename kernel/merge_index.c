/* The table's memory: blocks of 2 MiB, or one smaller block. */
#include "kernel/merge_index.h"

#include "kernel/frame.h"
#include "kernel/heap.h"

#define BLOCK_SLOTS (2 * MIB / sizeof(u64))

static u64 **blocks;
static u64 slot_count; /* a power of two, 1 << (64 - shift) */
static u32 shift;

static u64 block_order(u64 slots)
{
	u64 order = 0;

	while ((PAGE_SIZE << order) / sizeof(u64) < slots)
		order++;
	return order;
}

int merge_index_init(u64 frames)
{
	u64 slots = PAGE_SIZE / sizeof(u64), count;

	while (slots < frames)
		slots *= 2;
	count = MAX(slots / BLOCK_SLOTS, 1);
	blocks = heap_alloc(count * sizeof(*blocks));
	if (!blocks)
		return ERR_NOMEM;
	for (u64 i = 0; i < count; i++) {
		u32 order = (u32)block_order(MIN(slots, BLOCK_SLOTS));

		blocks[i] = hpa_pointer(frame_alloc_zero(order, FRAME_KERNEL));
		if (!blocks[i])
			return ERR_NOMEM;
	}
	slot_count = slots;
	shift = 64 - (u32)__builtin_ctzll(slots);
	return 0;
}

u64 merge_index_bytes(void)
{
	return slot_count * sizeof(u64);
}

/* The uppermost bits of the digest choose; what a slot keeps of it are lower ones. */
u64 *merge_index_slot(u64 digest, u32 n)
{
	u64 at = ((digest >> shift) + n) & (slot_count - 1);

	return &blocks[at / BLOCK_SLOTS][at % BLOCK_SLOTS];
}
