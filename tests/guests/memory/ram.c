/* All RAM that the loader named, apart from this image, the modules and the loader's own first MiB. */
#include "tests/guests/memory/memory.h"

#define MIB (1u << 20)

/* The parts of [base, end) that are ours to overwrite; up to three of them. */
static u32 cut(struct range in, struct range *out)
{
	struct range taken[2] = { { 0, (u64)image_end }, modules_at };
	struct range rest = in;
	u32 n = 0;

	if (rest.base < taken[0].end)
		rest.base = taken[0].end;
	if (modules_at.end && modules_at.end > rest.base && modules_at.base < rest.end) {
		if (modules_at.base > rest.base)
			out[n++] = (struct range){ rest.base, modules_at.base & ~4095ull };
		rest.base = (modules_at.end + 4095) & ~4095ull;
	}
	if (rest.base < rest.end)
		out[n++] = rest;
	return n;
}

static u64 pattern(u64 address)
{
	return (address ^ 0x5a5a5a5a5a5a5a5a) * 0x9e3779b97f4a7c15;
}

static u64 count_wrong(struct range r, u64 (*want)(u64 address))
{
	u64 wrong = 0;

	for (u64 at = r.base; at + 8 <= r.end; at += 8)
		wrong += *(volatile u64 *)at != want(at);
	return wrong;
}

static u64 zero(u64 address)
{
	return 0;
}

static u64 inverse(u64 address)
{
	return ~pattern(address);
}

static void fill(struct range r, u64 (*with)(u64 address))
{
	for (u64 at = r.base; at + 8 <= r.end; at += 8)
		*(volatile u64 *)at = with(at);
}

void test_ram(void)
{
	u64 bytes = 0, not_zero = 0, wrong = 0;
	struct range parts[RANGES_MAX * 2];
	u32 n = 0;

	for (u32 i = 0; i < ram_count; i++)
		n += cut(ram[i], parts + n);
	for (u32 i = 0; i < n; i++) {
		not_zero += count_wrong(parts[i], zero);
		bytes += parts[i].end - parts[i].base;
	}
	print("RAM %u MiB in %u parts\n", bytes / MIB, (u64)n);
	check(bytes > 8 * MIB, "ram: there is some");
	check_equal(not_zero, 0, "ram: untouched memory is zero");
	for (u32 i = 0; i < n; i++)
		fill(parts[i], pattern);
	for (u32 i = 0; i < n; i++)
		wrong += count_wrong(parts[i], pattern);
	check_equal(wrong, 0, "ram: pattern");
	for (u32 i = n; i-- > 0;)
		fill(parts[i], inverse);
	for (u32 i = 0; i < n; i++)
		wrong += count_wrong(parts[i], inverse);
	check_equal(wrong, 0, "ram: inverse pattern");
}

/* Unaligned accesses over a page's and a 2 MiB block's end, in memory that was never touched together. */
void test_crossing(void)
{
	u64 ends[] = { ((u64)image_end + 2 * MIB) & ~4095ull, ((u64)image_end + 4 * MIB) & ~(2ull * MIB - 1) };

	for (u32 i = 0; i < ARRAY_SIZE(ends); i++) {
		volatile u64 *at = (volatile u64 *)(ends[i] - 3);

		*at = 0x1122334455667788;
		check_equal(*at, 0x1122334455667788, "crossing: 8 bytes over a boundary");
		check_equal(*(volatile u8 *)(ends[i] - 1), 0x66, "crossing: before it");
		check_equal(*(volatile u8 *)ends[i], 0x55, "crossing: after it");
		__atomic_fetch_add((u64 *)(ends[i] - 8), 1, __ATOMIC_SEQ_CST);
	}
}
