/* The list of memory ranges under maps as firmware writes them, and as it should not. */
/* links: boot/ranges.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/ranges.h"

#define P PAGE_SIZE

static struct boot_info info;

static int clear(void **state)
{
	memset(&info, 0, sizeof(info));
	return 0;
}

static void check_order(void)
{
	assert_true(info.range_count <= BOOT_RANGES_MAX);
	for (u32 i = 0; i < info.range_count; i++) {
		const struct boot_range *r = &info.ranges[i];

		assert_true(r->len && r->base % P == 0 && r->len % P == 0 && r->base + r->len > r->base);
		assert_true(!i || r[-1].base + r[-1].len <= r->base);
	}
}

static void expect(u32 i, u64 base, u64 end, u32 kind)
{
	assert_true(i < info.range_count);
	assert_int_equal(info.ranges[i].base, base);
	assert_int_equal(info.ranges[i].base + info.ranges[i].len, end);
	assert_int_equal(info.ranges[i].kind, kind);
}

static void test_sorts_and_merges(void **state)
{
	ranges_paint(&info, 8 * P, 2 * P, BOOT_RANGE_FREE);
	ranges_paint(&info, 1 * P, 2 * P, BOOT_RANGE_FREE);
	ranges_paint(&info, 3 * P, 5 * P, BOOT_RANGE_FREE);
	ranges_paint(&info, 10 * P, 1 * P, BOOT_RANGE_MMIO);
	assert_int_equal(info.range_count, 2);
	expect(0, P, 10 * P, BOOT_RANGE_FREE);
	expect(1, 10 * P, 11 * P, BOOT_RANGE_MMIO);
}

static void test_later_paint_wins(void **state)
{
	ranges_paint(&info, 0, 100 * P, BOOT_RANGE_FREE);
	ranges_paint(&info, 10 * P, 10 * P, BOOT_RANGE_RESERVED);
	ranges_paint(&info, 15 * P, 10 * P, BOOT_RANGE_KERNEL);
	assert_int_equal(info.range_count, 4);
	expect(0, 0, 10 * P, BOOT_RANGE_FREE);
	expect(1, 10 * P, 15 * P, BOOT_RANGE_RESERVED);
	expect(2, 15 * P, 25 * P, BOOT_RANGE_KERNEL);
	expect(3, 25 * P, 100 * P, BOOT_RANGE_FREE);
	ranges_paint(&info, 5 * P, 50 * P, BOOT_RANGE_MMIO);
	assert_int_equal(info.range_count, 3);
	assert_int_equal(ranges_total(&info, BOOT_RANGE_FREE), 50 * P);
}

static void test_rounds_to_the_safe_side(void **state)
{
	ranges_paint(&info, 1, 3 * P, BOOT_RANGE_FREE);
	expect(0, P, 3 * P, BOOT_RANGE_FREE);
	ranges_paint(&info, 2 * P + 5, 1, BOOT_RANGE_RESERVED);
	expect(1, 2 * P, 3 * P, BOOT_RANGE_RESERVED);
	ranges_paint(&info, 50 * P + 1, P, BOOT_RANGE_FREE);
	ranges_paint(&info, 60 * P, 0, BOOT_RANGE_KERNEL);
	assert_int_equal(info.range_count, 2);
}

static void test_end_of_the_address_space(void **state)
{
	ranges_paint(&info, ~0ull - 5 * P, ~0ull, BOOT_RANGE_FREE);
	check_order();
	ranges_paint(&info, ~0ull, ~0ull, BOOT_RANGE_FREE);
	ranges_paint(&info, ~0ull - 1, 1, BOOT_RANGE_MMIO);
	check_order();
	ranges_paint(&info, 0, ~0ull, BOOT_RANGE_RESERVED);
	check_order();
	assert_int_equal(info.range_count, 1);
	assert_int_equal(ranges_total(&info, BOOT_RANGE_FREE), 0);
}

static void test_nodes(void **state)
{
	ranges_paint(&info, 0, 100 * P, BOOT_RANGE_FREE);
	ranges_set_node(&info, 50 * P, 500 * P, 1);
	assert_int_equal(info.range_count, 2);
	assert_int_equal(info.ranges[0].node, 0);
	assert_int_equal(info.ranges[1].node, 1);
	expect(1, 50 * P, 100 * P, BOOT_RANGE_FREE);
	ranges_set_node(&info, 0, 50 * P, 1);
	assert_int_equal(info.range_count, 1);
}

static void test_contains(void **state)
{
	ranges_paint(&info, P, P, BOOT_RANGE_FREE);
	ranges_paint(&info, 2 * P, P, BOOT_RANGE_RESERVED);
	ranges_paint(&info, 4 * P, P, BOOT_RANGE_RESERVED);
	assert_true(ranges_contain(&info, P + 5, P));
	assert_true(ranges_contain(&info, P, 2 * P));
	assert_false(ranges_contain(&info, P, 2 * P + 1));
	assert_false(ranges_contain(&info, 2 * P, 3 * P));
	assert_false(ranges_contain(&info, 0, 1));
	assert_false(ranges_contain(&info, P, ~0ull));
}

/* More entries than fit: the big free ranges and all that is ours stay, nothing reserved becomes free. */
static void test_too_many(void **state)
{
	ranges_paint(&info, 100000 * P, 5000 * P, BOOT_RANGE_FREE);
	for (u64 i = 0; i < 3000; i++)
		ranges_paint(&info, i * 4 * P, 2 * P, BOOT_RANGE_FREE);
	for (u64 i = 0; i < 3000; i++)
		ranges_paint(&info, i * 4 * P + P, P, BOOT_RANGE_RESERVED);
	ranges_paint(&info, 102000 * P, 10 * P, BOOT_RANGE_KERNEL);
	check_order();
	assert_int_equal(ranges_total(&info, BOOT_RANGE_KERNEL), 10 * P);
	assert_true(ranges_total(&info, BOOT_RANGE_FREE) >= 4990 * P);
	for (u32 i = 0; i < info.range_count; i++)
		if (info.ranges[i].kind == BOOT_RANGE_FREE && info.ranges[i].base < 100000 * P)
			assert_true(info.ranges[i].base % (4 * P) == 0 && info.ranges[i].len == P);
}

/* Against the obvious model, one byte a page. */
static void test_random(void **state)
{
	static u8 model[256];

	srand(3);
	for (int round = 0; round < 500; round++) {
		clear(NULL);
		memset(model, 255, sizeof(model));
		for (int step = 0; step < 60; step++) {
			u64 base = (u64)rand() % 250, len = (u64)rand() % (256 - base);
			u32 kind = (u32)rand() % 5;

			ranges_paint(&info, base * P, len * P, kind);
			memset(model + base, (int)kind, len);
		}
		check_order();
		for (u64 page = 0; page < 256; page++) {
			u32 kind = 255;

			for (u32 i = 0; i < info.range_count; i++)
				if (page * P - info.ranges[i].base < info.ranges[i].len)
					kind = info.ranges[i].kind;
			assert_int_equal(kind, model[page]);
		}
		for (u32 i = 1; i < info.range_count; i++) /* merged as far as possible */
			assert_false(info.ranges[i - 1].kind == info.ranges[i].kind &&
				     info.ranges[i - 1].base + info.ranges[i - 1].len == info.ranges[i].base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sorts_and_merges, clear),
		cmocka_unit_test_setup(test_later_paint_wins, clear),
		cmocka_unit_test_setup(test_rounds_to_the_safe_side, clear),
		cmocka_unit_test_setup(test_end_of_the_address_space, clear),
		cmocka_unit_test_setup(test_nodes, clear),
		cmocka_unit_test_setup(test_contains, clear),
		cmocka_unit_test_setup(test_too_many, clear),
		cmocka_unit_test_setup(test_random, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
