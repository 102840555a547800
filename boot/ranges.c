/* The list of memory ranges, kept by cutting at borders: after two cuts a new range replaces whole old ones.
 * Pure; a firmware's map may hold anything (overlaps, wrap-arounds, thousands of entries). */
#include "boot/ranges.h"

#include "kernel/lib/string.h"

static void remove_at(struct boot_info *info, u32 i)
{
	info->range_count--;
	memmove(&info->ranges[i], &info->ranges[i + 1], (info->range_count - i) * sizeof(info->ranges[0]));
}

static void insert_at(struct boot_info *info, u32 i, struct boot_range range)
{
	memmove(&info->ranges[i + 1], &info->ranges[i], (info->range_count - i) * sizeof(info->ranges[0]));
	info->ranges[i] = range;
	info->range_count++;
}

/* Room for two more, by forgetting what matters least. */
static bool make_room(struct boot_info *info)
{
	while (info->range_count > BOOT_RANGES_MAX - 2) {
		u32 least = info->range_count;

		for (u32 i = 0; i < info->range_count; i++) {
			const struct boot_range *r = &info->ranges[i];

			if ((r->kind <= BOOT_RANGE_FIRMWARE || r->kind == BOOT_RANGE_RESERVED) &&
			    (least == info->range_count || r->len < info->ranges[least].len))
				least = i;
		}
		if (least == info->range_count)
			return false;
		remove_at(info, least);
	}
	return true;
}

/* Splits the range that has address in its middle; returns the index of the first one from address on. */
static u32 cut(struct boot_info *info, u64 address)
{
	for (u32 i = 0; i < info->range_count; i++) {
		struct boot_range *r = &info->ranges[i], tail = *r;

		if (r->base >= address)
			return i;
		if (address - r->base >= r->len)
			continue;
		r->len = address - r->base;
		tail.base = address;
		tail.len -= r->len;
		insert_at(info, i + 1, tail);
		return i + 1;
	}
	return info->range_count;
}

static void merge_around(struct boot_info *info, u32 from, u32 to)
{
	for (u32 i = MIN(to, info->range_count - 1); i > 0 && i >= from; i--) {
		struct boot_range *a = &info->ranges[i - 1], *b = &info->ranges[i];

		if (a->base + a->len == b->base && a->kind == b->kind && a->node == b->node) {
			a->len += b->len;
			remove_at(info, i);
		}
	}
}

/* Whole pages of [base, base + len) below 2^64; false if nothing is left. */
static bool clip(u64 *base, u64 *end, u64 len, bool inward)
{
	const u64 last = PAGE_MASK; /* 2^64 less a page: so that base + len never wraps */

	*end = len > last - MIN(*base, last) ? last : *base + len;
	if (!len)
		return false;
	if (inward) {
		*base = *base > last ? last : ALIGN_UP(*base, PAGE_SIZE);
		*end = ALIGN_DOWN(*end, PAGE_SIZE);
	} else {
		*base = ALIGN_DOWN(*base, PAGE_SIZE);
		*end = *end > last - PAGE_SIZE ? last : ALIGN_UP(*end, PAGE_SIZE);
	}
	return *base < *end;
}

void ranges_paint(struct boot_info *info, u64 base, u64 len, u32 kind)
{
	u64 end;
	u32 first, after;

	if (!clip(&base, &end, len, kind <= BOOT_RANGE_FIRMWARE) || !make_room(info))
		return;
	first = cut(info, base);
	after = cut(info, end);
	while (after > first)
		remove_at(info, --after);
	insert_at(info, first, (struct boot_range){ .base = base, .len = end - base, .kind = kind });
	merge_around(info, first, first + 1);
}

void ranges_set_node(struct boot_info *info, u64 base, u64 len, u32 node)
{
	u64 end;
	u32 first, after;

	if (!clip(&base, &end, len, false) || !make_room(info))
		return;
	first = cut(info, base);
	after = cut(info, end);
	for (u32 i = first; i < after; i++)
		info->ranges[i].node = node;
	if (after > first)
		merge_around(info, first, after);
}

bool ranges_contain(const struct boot_info *info, u64 base, u64 len)
{
	u64 end = base + len;

	if (end < base)
		return false;
	for (u32 i = 0; i < info->range_count && base < end; i++) {
		const struct boot_range *r = &info->ranges[i];

		if (base >= r->base && base - r->base < r->len)
			base = r->base + r->len;
	}
	return base >= end;
}

u64 ranges_total(const struct boot_info *info, u32 kind)
{
	u64 total = 0;

	for (u32 i = 0; i < info->range_count; i++)
		if (info->ranges[i].kind == kind)
			total += info->ranges[i].len;
	return total;
}
