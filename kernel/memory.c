/* Frames and the kernel's map, from the ranges that boot/ left. */
#include "kernel/memory.h"

#include "kernel/frame.h"
#include "kernel/gmem.h"
#include "kernel/space.h"

static bool is_memory(const struct boot_range *r)
{
	return r->kind == BOOT_RANGE_FREE || r->kind == BOOT_RANGE_FIRMWARE || r->kind == BOOT_RANGE_KERNEL ||
	       r->kind == BOOT_RANGE_FILE;
}

static u64 top_of_memory(const struct boot_info *info)
{
	u64 top = 0;

	for (u32 i = 0; i < info->range_count; i++)
		if (is_memory(&info->ranges[i]))
			top = MAX(top, info->ranges[i].base + info->ranges[i].len);
	return top;
}

/* A free range, the highest, that holds len bytes at its end; the range is shortened by them. */
static u64 carve(struct boot_range *ranges, u32 count, u64 len)
{
	for (u32 i = count; i-- > 0;) {
		struct boot_range *r = &ranges[i];

		if (r->kind != BOOT_RANGE_FREE || r->len < len)
			continue;
		r->len -= len;
		return r->base + r->len;
	}
	return 0;
}

static struct boot_range ranges[BOOT_RANGES_MAX];

/* The firmware's page tables are in use, and in memory that its boot services left, until space_init. */
int memory_take_over(const struct boot_info *info)
{
	u64 count = top_of_memory(info) >> PAGE_SHIFT, len = ALIGN_UP(count * sizeof(struct frame), PAGE_SIZE), table;

	for (u32 i = 0; i < info->range_count; i++)
		ranges[i] = info->ranges[i];
	table = carve(ranges, info->range_count, len);
	if (!table)
		return ERR_NOMEM;
	frame_init((struct frame *)table, 0, count);
	frame_claim(table, len, FRAME_KERNEL);
	for (u32 i = 0; i < info->range_count; i++) {
		const struct boot_range *r = &ranges[i];

		if (r->kind == BOOT_RANGE_FREE)
			frame_add(r->base, r->len, r->node);
		else if (r->kind == BOOT_RANGE_KERNEL)
			frame_claim(r->base, r->len, FRAME_KERNEL);
		else if (r->kind == BOOT_RANGE_FILE)
			frame_claim(r->base, r->len, FRAME_FILE);
	}
	space_init(info);
	if (!space_kernel_root().v)
		return ERR_NOMEM;
	for (u32 i = 0; i < info->range_count; i++)
		if (ranges[i].kind == BOOT_RANGE_FIRMWARE)
			frame_add(ranges[i].base, ranges[i].len, ranges[i].node);
	return gmem_start();
}
