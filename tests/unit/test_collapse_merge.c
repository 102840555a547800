/* Large leaves of guests that merge: quiet ones, known ones, busy ones. */
/* links: kernel/collapse.c kernel/merge.c kernel/merge_scan.c kernel/merge_lookup.c kernel/merge_replace.c
 * kernel/merge_index.c kernel/merge_frame.c kernel/gmem.c kernel/gmem_map.c kernel/gmem_large.c kernel/gmem_region.c
 * kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c kernel/table.c kernel/frame.c kernel/lock.c kernel/ledger.c
 * kernel/lib/digest.c arch/x86_64/table_format.c kernel/lib/string.c tests/unit/fake_guests.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c kernel/merge_stock.c kernel/gmem_uniform.c tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/collapse_fake.h"

const u64 fake_frames = 8192;
const u32 fake_cpu_count = 1;

/* Quiet for a pass: it is split and hashed; known all through: large again, read only, and where it is. */
static void test_quiet_block_becomes_a_known_one(void **state)
{
	for (u32 format = 0; format < ARRAY_SIZE(formats); format++) {
		u64 hashed, faults;
		u32 pages = 0;

		start(format, "a");
		fill(0, 0, 1);
		looks(LOOKS);
		assert_int_equal(m->large_leaves, 1); /* all of it was written */
		fake_merge_pass();            /* makes it clean */
		assert_int_equal(m->large_leaves, 1);
		fake_guests_check();
		assert_true(fake_vcpu_write(0, 0, 0x5007, content(0x5000, 1)));
		fake_merge_pass();            /* it was written again */
		assert_int_equal(m->large_leaves, 1);
		fake_merge_pass();            /* quiet */
		assert_int_equal(m->large_leaves, 0);
		hashed = merge_counts.hashed;
		assert_int_equal(hashed, LARGE_PAGES);
		looks(LOOKS);
		assert_int_equal(m->large_leaves, 1);
		assert_true(gmem_leaf_clean(m, fake_leaf(0, 0)));
		assert_int_equal(fake_leaf(0, 0) & m->format->write, 0);
		fake_merge_pass();
		assert_int_equal(merge_counts.hashed, hashed);
		check_filled(0, 0, 1);
		/* the write of one page leaves the others known */
		faults = fake_flushes;
		assert_true(fake_vcpu_write(0, 0, 0x5007, 0x77));
		assert_int_equal(fake_flushes - faults, 1);
		assert_int_equal(m->large_leaves, 0);
		for (u64 gpa = 0; gpa < BLOCK; gpa += PAGE_SIZE)
			pages += gmem_leaf_clean(m, fake_leaf(0, gpa)) ? 1 : 0;
		assert_int_equal(pages, LARGE_PAGES - 1);
		fake_merge_pass();
		fake_merge_pass();
		assert_int_equal(merge_counts.hashed, hashed + 1);
		end();
	}
}

/* A page of a known block gets an equal in another guest: it is found there, and merged. */
static void test_pages_of_a_known_block_merge(void **state)
{
	for (u32 format = 0; format < ARRAY_SIZE(formats); format++) {
		start(format, "a");
		fill(0, 0, 1);
		for (u32 i = 0; i < 2; i++)
			fake_merge_pass();
		looks(LOOKS);
		assert_int_equal(m->large_leaves, 1);
		fake_guest_create(1, BLOCK, "a", formats[format]);
		fill(1, 0, 1);
		for (u32 i = 0; i < 3; i++) {
			fake_merge_pass();
			fake_guests_check();
		}
		assert_int_equal(m->large_leaves, 0);
		assert_int_equal(m->merged_pages, LARGE_PAGES);
		assert_int_equal(frame_count(FRAME_MERGED), LARGE_PAGES);
		check_filled(0, 0, 1);
		check_filled(1, 0, 1);
		fake_guest_destroy(1);
		end();
	}
}

/* A block of which one page is written all the time is split when it has its turn, or when merging begins again: the
 * others are merged.  One that is busy all through becomes large again. */
static void test_written_block_is_split_in_turn(void **state)
{
	for (u32 again = 0; again < 2; again++) {
		u64 passes = merge_counts.passes;

		start(0, "a");
		fill(0, 0, 1);
		looks(LOOKS);
		fake_merge_pass();
		for (u32 i = 0; i < 2; i++) {
			assert_int_equal(m->large_leaves, 1);
			assert_true(fake_vcpu_write(0, 0, 0x5007, content(0x5000, 1)));
			if (again && i)
				merge_scan_afresh();
			else if (i)
				merge_counts.passes = 15; /* the turn of every sixteenth block, from the first on */
			fake_merge_pass();
		}
		assert_int_equal(m->large_leaves, 0);
		for (u64 gpa = 0; gpa < BLOCK; gpa += PAGE_SIZE)
			assert_true(fake_leaf(0, gpa) & NPT->present);
		merge_counts.passes = passes + 2;
		merge_counts.hashed = 0;
		assert_true(fake_vcpu_write(0, 0, 0x5007, content(0x5000, 1)));
		fake_merge_pass();
		assert_int_equal(merge_counts.hashed, LARGE_PAGES - 1);
		fill(0, 0, 2);
		looks(LOOKS);
		assert_int_equal(m->large_leaves, 1);
		merge_counts.passes = passes;
		end();
	}
}

/* Some pages are written all the time, others are known: merging keeps them. */
static void test_mixed_block_stays_small(void **state)
{
	struct collapse c = { 0 };

	start(0, "a");
	fill(0, 0, 1);
	fake_merge_pass();
	for (u32 i = 0; i < 2 * LOOKS; i++) {
		for (u64 gpa = 0; gpa < 100 * PAGE_SIZE; gpa += PAGE_SIZE)
			assert_true(fake_vcpu_write(0, 0, gpa, (u8)i));
		fake_merge_pass();
		pass(&c);
		assert_int_equal(m->large_leaves, 0);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_quiet_block_becomes_a_known_one), FAKE_TEST(test_pages_of_a_known_block_merge),
		FAKE_TEST(test_written_block_is_split_in_turn), FAKE_TEST(test_mixed_block_stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
