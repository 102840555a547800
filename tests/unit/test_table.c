/* The page-table walker in the host's and NPT's format: what is made is found, a split keeps every
 * translation, every single store leaves each translation old or new, and nothing leaks. */
/* links: kernel/table.c kernel/frame.c kernel/lock.c arch/x86_64/table_format.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/table.h"
#include "tests/unit/fake_arch.h"

#define FRAMES 4096

static const struct table_format *const formats[] = { &table_format_host, &table_format_npt };
static const struct table_format *f;
static hpa_t root;
static u64 tables;

const u64 fake_frames = FRAMES;
const u32 fake_cpu_count = 1;

static void begin(u32 format)
{
	f = formats[format];
	root = frame_alloc_zero(0, FRAME_TABLE);
	tables = 1;
}

static void end(void)
{
	table_free(f, root, 0);
	assert_int_equal(frame_count(FRAME_TABLE), 0);
	assert_int_equal(frame_count(FRAME_FREE), FRAMES - 1);
}

/* What the processor would make of an address, written anew from the manual (APM 2 §5.3): the host-physical
 * address with the rights in the low bits, 0 when nothing is there. */
static u64 translate(u64 address)
{
	u64 table = root.v, rights = 3, entry = 0, offset;
	int level = 3;

	for (; level >= 0; level--) {
		entry = ((u64 *)table)[address >> (12 + 9 * level) & 511];
		if (!(entry & 1))
			return 0;
		rights &= (entry >> 1 & 3);
		if (level == 0 || entry & 0x80)
			break;
		table = entry & 0x000ffffffffff000;
	}
	offset = address & ((0x1000ull << 9 * level) - 0x1000);
	return (entry & 0x000ffffffffff000) | offset | rights << 1 | entry >> 63 | (entry & 0x18 ? 8 : 0);
}

static void map(u64 address, u64 to, u32 level, u32 perms)
{
	u64 *entry = table_make(f, root, address, level, &tables);

	assert_non_null(entry);
	*entry = table_leaf(f, (hpa_t){ to }, level, perms);
}

static void test_leaf_bits(void **state)
{
	u64 at = 0x123456000;

	assert_int_equal(table_leaf(&table_format_host, (hpa_t){ at }, 0, PERM_READ), at | 1 | BIT(63));
	assert_int_equal(table_leaf(&table_format_host, (hpa_t){ at }, 0, PERM_READ | PERM_WRITE | PERM_USER),
			 at | 7 | BIT(63));
	assert_int_equal(table_leaf(&table_format_host, (hpa_t){ at }, 0, PERM_READ | PERM_EXEC), at | 1);
	assert_int_equal(table_leaf(&table_format_host, (hpa_t){ 2 * MIB }, 1, PERM_READ | PERM_UNCACHED),
			 2 * MIB | 0x99 | BIT(63));
	assert_int_equal(table_leaf(&table_format_npt, (hpa_t){ at }, 0, PERM_READ | PERM_WRITE | PERM_EXEC),
			 at | 7);
	assert_int_equal(table_leaf(&table_format_npt, (hpa_t){ at }, 0, PERM_READ | PERM_EXEC), at | 5);
	assert_int_equal(table_leaf(&table_format_npt, (hpa_t){ GIB }, 2, PERM_READ | PERM_EXEC), GIB | 0x85);
}

static void test_map_and_find(void **state)
{
	static const u64 addresses[] = { 0, 0x1000, 0x1ff000, 0x200000, 0x3fffffff000, 0x7fffffffffff & PAGE_MASK,
					 512 * GIB, 0xffff00000000, 0xfffffffff000 };

	for (u32 format = 0; format < ARRAY_SIZE(formats); format++) {
		u32 level;

		begin(format);
		for (u32 i = 0; i < ARRAY_SIZE(addresses); i++)
			map(addresses[i], 0x10000000 + i * PAGE_SIZE, 0, PERM_READ | PERM_WRITE);
		for (u32 i = 0; i < ARRAY_SIZE(addresses); i++) {
			u64 *entry = table_find(f, root, addresses[i] + 0x123, &level);

			assert_int_equal(level, 0);
			assert_int_equal(*entry & TABLE_ADDRESS, 0x10000000 + i * PAGE_SIZE);
			assert_int_equal(translate(addresses[i]) & PAGE_MASK & ~BIT(63), 0x10000000 + i * PAGE_SIZE);
		}
		assert_int_equal(translate(0x2000), 0);
		table_find(f, root, 0x123456789000, &level);
		assert_int_equal(level, 3); /* nothing below the root there */
		assert_int_equal(frame_count(FRAME_TABLE), tables);
		end();
	}
}

static void test_large_leaf_is_in_the_way(void **state)
{
	u64 *entry;
	u32 level;

	begin(1);
	map(4 * MIB, 2 * MIB, 1, PERM_READ | PERM_WRITE);
	assert_null(table_make(f, root, 4 * MIB + 0x5000, 0, &tables));
	entry = table_find(f, root, 4 * MIB + 0x5000, &level);
	assert_int_equal(level, 1);
	assert_int_equal(translate(4 * MIB + 0x5000) & TABLE_ADDRESS, 2 * MIB + 0x5000);
	assert_int_equal(table_split(f, entry, 1, &tables), 0);
	assert_non_null(table_make(f, root, 4 * MIB + 0x5000, 0, &tables));
	end();
}

static void test_out_of_memory(void **state)
{
	u64 *entry;

	begin(0);
	for (u64 left = 0; left < 3; left++) {
		u64 at = (left + 1) * 512 * GIB;

		fake_leave(left);
		assert_null(table_make(f, root, at, 0, &tables));
		assert_int_equal(translate(at), 0);
		assert_int_equal(frame_count(FRAME_TABLE), tables);
		fake_give_back();
	}
	entry = table_make(f, root, 2 * MIB, 1, &tables);
	*entry = table_leaf(f, (hpa_t){ 6 * MIB }, 1, PERM_READ);
	fake_leave(0);
	assert_int_equal(table_split(f, entry, 1, &tables), ERR_NOMEM);
	assert_int_equal(*entry, table_leaf(f, (hpa_t){ 6 * MIB }, 1, PERM_READ));
	fake_give_back();
	end();
}

/* ---- every store ---- */

#define PROBES 64

static u64 probes[PROBES], old[PROBES], new[PROBES];
static u32 probe_count, stores;

static void probe(u64 address, u64 expected)
{
	probes[probe_count] = address;
	old[probe_count] = translate(address);
	new[probe_count++] = expected;
}

static void look(u64 *word, u64 before)
{
	stores++;
	for (u32 i = 0; i < probe_count; i++) {
		u64 now = translate(probes[i]);

		if (now != old[i] && now != new[i])
			fail_msg("%lx is %lx in between, neither %lx nor %lx", (unsigned long)probes[i],
				 (unsigned long)now, (unsigned long)old[i], (unsigned long)new[i]);
	}
}

static void watch_split(u32 level, u32 perms)
{
	u64 base = 512 * GIB + 4 * table_span(level), span = table_span(level);
	u64 *entry;

	map(base, 8 * table_span(2), level, perms);
	entry = table_make(f, root, base, level, &tables);
	probe_count = stores = 0;
	for (u32 i = 0; i < 60; i++) {
		u64 address = base + (span / 60 * i & PAGE_MASK);

		probe(address, translate(address));
	}
	probe(base + span - 1, translate(base + span - 1));
	probe(base + span, 0);
	fake_watch(look);
	assert_int_equal(table_split(f, entry, level, &tables), 0);
	fake_watch_end();
	assert_true(stores >= 512);
	look(NULL, 0);
}

static void test_split_is_old_or_new(void **state)
{
	static const u32 perms[] = { PERM_READ, PERM_READ | PERM_WRITE | PERM_EXEC, PERM_READ | PERM_UNCACHED };

	for (u32 format = 0; format < ARRAY_SIZE(formats); format++)
		for (u32 level = 1; level <= 2; level++)
			for (u32 i = 0; i < ARRAY_SIZE(perms); i++) {
				begin(format);
				watch_split(level, perms[i]);
				end();
			}
}

/* A table that is hung in must be empty before it can be reached. */
static void test_make_is_old_or_new(void **state)
{
	begin(1);
	map(GIB, 5 * MIB, 0, PERM_READ);
	probe_count = stores = 0;
	probe(GIB, translate(GIB));
	for (u32 i = 1; i < 40; i++)
		probe(GIB + 2 * MIB + i * 0x31000, 0);
	probe(3 * 512 * GIB, 0);
	fake_watch(look);
	assert_non_null(table_make(f, root, GIB + 2 * MIB + 0x31000, 0, &tables));
	assert_non_null(table_make(f, root, 3 * 512 * GIB, 0, &tables));
	fake_watch_end();
	assert_true(stores > 4);
	end();
}

static void test_free_spares_shared_slots(void **state)
{
	hpa_t other;
	u64 count = 0;

	begin(0);
	map(GIB, 5 * MIB, 0, PERM_READ);
	other = frame_alloc_zero(0, FRAME_TABLE);
	memcpy(hpa_pointer(other), hpa_pointer(root), 128 * 8);
	*table_make(f, other, 200 * 512 * GIB, 0, &count) = table_leaf(f, (hpa_t){ GIB }, 0, PERM_READ);
	assert_int_equal(count, 3);
	table_free(f, other, 128);
	assert_int_equal(frame_count(FRAME_TABLE), tables);
	assert_int_equal(translate(GIB) & TABLE_ADDRESS, 5 * MIB);
	table_free(f, (hpa_t){ 0 }, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_leaf_bits), FAKE_TEST(test_map_and_find),
		FAKE_TEST(test_large_leaf_is_in_the_way), FAKE_TEST(test_out_of_memory),
		FAKE_TEST(test_split_is_old_or_new), FAKE_TEST(test_make_is_old_or_new),
		FAKE_TEST(test_free_spares_shared_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
