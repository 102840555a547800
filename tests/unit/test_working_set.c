/* The working set: what a vCPU touched between two samples, however it had translated before. */
/* links: kernel/working_set.c kernel/gmem.c kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c
 * kernel/merge_frame.c kernel/gmem_map.c kernel/gmem_large.c kernel/gmem_region.c kernel/table.c kernel/frame.c
 * kernel/lock.c kernel/ledger.c arch/x86_64/table_format.c tests/unit/fake_gmem.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c kernel/merge_stock.c kernel/gmem_uniform.c tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/working_set.h"
#include "tests/unit/fake_gmem.h"

#define PAGES 512u

const u64 fake_frames = 2048;
const u32 fake_cpu_count = 1;

static struct gmem *const m = &fake_gmem;

/* The first so many pages of each sixteen. */
static void touch(u32 of_sixteen)
{
	for (u32 i = 0; i < PAGES; i++)
		if (i % 16 < of_sixteen)
			(void)fake_guest_read(i * PAGE_SIZE);
}

static struct working_set begin(void)
{
	struct working_set w = { .random = 1 };

	fake_gmem_start(4 * MIB);
	assert_int_equal(fake_gmem_map(0, 4 * MIB, MAP_RAM, 0), 0);
	for (u32 i = 0; i < PAGES; i++)
		fake_guest_write(i * PAGE_SIZE, 1);
	working_set_sample(m, &w);
	assert_false(w.known); /* nothing had been chosen */
	assert_int_equal(w.count, WORKING_SET_SAMPLES);
	return w;
}

static void test_what_is_touched_counts(void **state)
{
	struct working_set w = begin();

	touch(16);
	working_set_sample(m, &w);
	assert_true(w.known);
	assert_int_equal(w.used, 1000);
	for (u32 i = 0; i < 40; i++) {
		touch(4);
		working_set_sample(m, &w);
	}
	assert_in_range(w.used, 100, 400);
	fake_gmem_end();
}

static void test_grows_at_once_shrinks_slowly(void **state)
{
	struct working_set w = begin();

	touch(16);
	working_set_sample(m, &w);
	working_set_sample(m, &w);
	assert_int_equal(w.used, 750);
	working_set_sample(m, &w);
	assert_int_equal(w.used, 562);
	for (u32 i = 0; i < 40; i++)
		working_set_sample(m, &w);
	assert_int_equal(w.used, 0);
	touch(16);
	working_set_sample(m, &w);
	assert_int_equal(w.used, 1000);
	fake_gmem_end();
}

/* Pages that are given back, or are nobody's own, say nothing. */
static void test_only_its_own_frames(void **state)
{
	struct working_set w = begin();

	touch(16);
	for (s64 done = 0; done < (s64)(4 * MIB);)
		done += gmem_discard(m, (u64)done, 4 * MIB - (u64)done);
	working_set_sample(m, &w);
	assert_false(w.known);
	assert_int_equal(w.count, 0);
	touch(16); /* the zero frame */
	working_set_sample(m, &w);
	assert_int_equal(w.count, 0);
	working_set_forget(&w);
	fake_gmem_end();
}

static void test_without_memory_or_accessed_bits(void **state)
{
	struct table_format format = table_format_npt;
	struct working_set w = { .random = 1 };

	fake_gmem_start(4 * MIB);
	working_set_sample(m, &w);
	assert_false(w.known);
	assert_int_equal(fake_gmem_map(0, 4 * MIB, MAP_RAM, 0), 0);
	touch(16);
	format.accessed = 0;
	m->format = &format;
	working_set_sample(m, &w);
	assert_int_equal(w.count, 0);
	m->format = &table_format_npt;
	fake_gmem_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_what_is_touched_counts), FAKE_TEST(test_grows_at_once_shrinks_slowly),
		FAKE_TEST(test_only_its_own_frames), FAKE_TEST(test_without_memory_or_accessed_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
