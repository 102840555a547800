/* Guest memory against a model of plain bytes, with vCPUs whose translations go stale as hardware's do. */
/* links: kernel/gmem.c kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c kernel/merge_frame.c kernel/gmem_map.c
 * kernel/gmem_large.c kernel/gmem_region.c kernel/table.c kernel/frame.c kernel/lock.c kernel/ledger.c
 * arch/x86_64/table_format.c tests/unit/fake_gmem.c tests/unit/fake_arch.c tests/unit/fake_trap.c
 * kernel/merge_stock.c kernel/gmem_uniform.c tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/fake_gmem.h"

const u64 fake_frames = 4096;
const u32 fake_cpu_count = 1;

static struct gmem *const m = &fake_gmem;

static void map(u64 gpa, u64 len, enum map_kind kind, u64 source)
{
	assert_int_equal(fake_gmem_map(gpa, len, kind, source), 0);
}

static u8 byte_at(u64 gpa)
{
	u8 byte = 0;

	assert_int_equal(gmem_read(m, gpa, &byte, 1), 0);
	return byte;
}

static void test_untouched_reads_as_zeroes(void **state)
{
	fake_gmem_start(MIB);
	map(0, MIB, MAP_RAM, 0);
	assert_int_equal(byte_at(0), 0);
	assert_int_equal(byte_at(MIB - 1), 0);
	assert_int_equal(m->private_pages + m->shared_pages, 0); /* a copy by the kernel touches nothing */
	assert_int_equal(gmem_fault(m, 0x5000, false), 0);
	assert_int_equal(m->shared_pages, 1);
	assert_int_equal(m->private_pages, 0);
	assert_int_equal(fake_guest_read(0x5123), 0);
	fake_gmem_end();
}

static void test_write_takes_a_frame(void **state)
{
	fake_gmem_start(MIB);
	map(0, MIB, MAP_RAM, 0);
	assert_int_equal(fake_guest_read(0x5123), 0);
	fake_guest_write(0x5123, 7);
	assert_int_equal(byte_at(0x5123), 7);
	assert_int_equal(byte_at(0x5122), 0);
	assert_int_equal(m->private_pages, 1);
	assert_int_equal(m->shared_pages, 0);
	fake_guest_write(0x6000, 8); /* first touch is a write */
	assert_int_equal(m->private_pages, 2);
	assert_int_equal(frame_count(FRAME_GUEST), 2);
	fake_gmem_end();
}

static void test_file_pages_are_copied_on_write(void **state)
{
	u64 file = fake_file(4);

	fake_gmem_start(MIB);
	map(0x10000, 0x4000, MAP_FILE, file);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_guest_read(0x10000 + i * PAGE_SIZE + 17), fake_file_byte(i * PAGE_SIZE + 17));
	assert_int_equal(frame_refs((hpa_t){ file + PAGE_SIZE }), 2);
	assert_int_equal(m->shared_pages, 4);
	fake_guest_write(0x11000, 0xee);
	assert_int_equal(frame_refs((hpa_t){ file + PAGE_SIZE }), 1);
	assert_int_equal(*(u8 *)(file + PAGE_SIZE), fake_file_byte(PAGE_SIZE));
	assert_int_equal(byte_at(0x11000), 0xee);
	assert_int_equal(byte_at(0x11001), fake_file_byte(PAGE_SIZE + 1));
	assert_int_equal(gmem_write(m, 0x13ffe, "ab", 2), 0); /* by the kernel, first touch of none */
	assert_int_equal(byte_at(0x13ffd), fake_file_byte(4 * PAGE_SIZE - 3));
	assert_int_equal(byte_at(0x13ffe), 'a');
	fake_gmem_end();
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(frame_refs((hpa_t){ file + i * PAGE_SIZE }), 1);
}

static u64 flushed_file;

static void still_referenced(void)
{
	assert_int_equal(frame_refs((hpa_t){ flushed_file }), 2);
}

/* A vCPU may read the old page until the flush, so it is put only afterwards. */
static void test_old_page_is_put_after_the_flush(void **state)
{
	flushed_file = fake_file(1);
	fake_gmem_start(MIB);
	fake_flushed = still_referenced;
	map(0, PAGE_SIZE, MAP_FILE, flushed_file);
	for (u32 round = 0; round < 2; round++) {
		(void)fake_guest_read(0);
		if (round)
			map(0, PAGE_SIZE, MAP_FILE, flushed_file);
		else
			fake_guest_write(0, 1);
		assert_int_equal(frame_refs((hpa_t){ flushed_file }), 1);
		assert_int_equal(fake_flushes, 1 + 2 * round);
		fake_flushed = NULL;
		map(0, PAGE_SIZE, MAP_FILE, flushed_file);
		fake_flushed = still_referenced;
	}
	fake_gmem_end();
}

static void test_rom_and_holes(void **state)
{
	u8 bytes[4] = { 1, 2, 3, 4 };
	u64 word, file = fake_file(2);

	fake_gmem_start(MIB);
	map(0, 0x4000, MAP_RAM, 0);
	map(0x4000, 0x2000, MAP_ROM, file);
	assert_int_equal(fake_guest_read(0x4001), fake_file_byte(1));
	assert_int_equal(gmem_fault(m, 0x4001, true), ERR_FAULT);
	assert_int_equal(gmem_write(m, 0x4001, bytes, 4), ERR_FAULT);
	assert_int_equal(gmem_write(m, 0x3ffe, bytes, 4), ERR_FAULT); /* and nothing of it is written */
	assert_int_equal(byte_at(0x3ffe), 0);
	assert_int_equal(gmem_read(m, 0x5ffe, bytes, 4), ERR_FAULT);
	assert_int_equal(gmem_fault(m, 0x6000, false), ERR_FAULT);
	assert_int_equal(gmem_read_word(m, 0x6000, &word), ERR_FAULT);
	assert_int_equal(gmem_read_word(m, 0x5ff8, &word), 0);
	assert_int_equal(word & 0xff, fake_file_byte(0x1ff8));
	assert_null(gmem_peek(m, 0x6000));
	fake_gmem_end();
}

static void test_hostile_ranges(void **state)
{
	static const u64 addresses[] = { GMEM_TOP - 1, GMEM_TOP, BIT(48), UINT64_MAX - 1, UINT64_MAX, BIT(63) };
	u8 bytes[16];
	u64 word;

	fake_gmem_start(4 * MIB);
	assert_int_equal(gmem_map(m, 0x1001, 0x1000, MAP_RAM, 0), ERR_INVAL);
	assert_int_equal(gmem_map(m, 0x1000, 0x1001, MAP_RAM, 0), ERR_INVAL);
	assert_int_equal(gmem_map(m, 0x1000, 0, MAP_RAM, 0), ERR_INVAL);
	assert_int_equal(gmem_map(m, GMEM_TOP, 0x1000, MAP_RAM, 0), ERR_INVAL);
	assert_int_equal(gmem_map(m, 0x1000, GMEM_TOP, MAP_RAM, 0), ERR_INVAL);
	assert_int_equal(gmem_map(m, 0x1000, UINT64_MAX & PAGE_MASK, MAP_HOLE, 0), ERR_INVAL);
	assert_int_equal(gmem_map(m, GMEM_TOP - 0x1000, 0x2000, MAP_RAM, 0), ERR_INVAL);
	assert_int_equal(gmem_map(m, 0, 4 * MIB + PAGE_SIZE, MAP_RAM, 0), ERR_TOOBIG);
	map(GMEM_TOP - MIB, MIB, MAP_RAM, 0);
	assert_int_equal(byte_at(GMEM_TOP - 1), 0);
	for (u32 i = 0; i < ARRAY_SIZE(addresses); i++) {
		assert_int_equal(gmem_read(m, addresses[i], bytes, 16), ERR_FAULT);
		assert_int_equal(gmem_write(m, addresses[i], bytes, 16), ERR_FAULT);
		if (i) {
			assert_int_equal(gmem_fault(m, addresses[i], true), ERR_FAULT);
			assert_int_equal(gmem_read_word(m, addresses[i], &word), ERR_FAULT);
		}
	}
	assert_int_equal(gmem_write(m, 0, bytes, UINT64_MAX), ERR_FAULT);
	fake_gmem_end();
}

static void test_limit_counts_all_ram(void **state)
{
	fake_gmem_start(MIB);
	map(0, MIB, MAP_RAM, 0);
	assert_int_equal(gmem_map(m, MIB, PAGE_SIZE, MAP_RAM, 0), ERR_TOOBIG);
	map(0, PAGE_SIZE, MAP_HOLE, 0);
	map(MIB, PAGE_SIZE, MAP_RAM, 0);
	map(0x8000, PAGE_SIZE, MAP_ROM, 0); /* replaces */
	assert_int_equal(gmem_map(m, 0, PAGE_SIZE, MAP_RAM, 0), ERR_TOOBIG);
	fake_gmem_end();
}

static void test_regions_run_out_and_merge(void **state)
{
	fake_gmem_start(4 * MIB);
	for (u32 i = 0; i < GMEM_REGIONS; i++)
		map(i * 2 * PAGE_SIZE, PAGE_SIZE, MAP_RAM, 0);
	assert_int_equal(gmem_map(m, MIB, PAGE_SIZE, MAP_RAM, 0), ERR_NOMEM);
	for (u32 i = 0; i + 1 < GMEM_REGIONS; i++)
		map((i * 2 + 1) * PAGE_SIZE, PAGE_SIZE, MAP_RAM, 0); /* fills the gaps */
	assert_int_equal(m->region_count, 1);
	map(MIB, PAGE_SIZE, MAP_RAM, 0);
	fake_gmem_end();
}

/* The ring-3 side may remap everything again and again at new places: its tables stay bounded. */
static void test_tables_are_bounded(void **state)
{
	u64 most = 0;
	int error = 0;

	fake_gmem_start(MIB);
	for (u64 i = 0; i < 2000 && !error; i++) {
		u64 gpa = i * 64 * MIB;

		map(gpa, PAGE_SIZE, MAP_RAM, 0);
		error = gmem_write(m, gpa, "x", 1);
		map(gpa, PAGE_SIZE, MAP_HOLE, 0);
		most = MAX(most, frame_count(FRAME_TABLE));
	}
	assert_int_equal(error, ERR_NOMEM);
	assert_in_range(most, 64, 256);
	fake_gmem_end();
}

static void test_remap_in_bounded_steps(void **state)
{
	u64 done = 0;
	u32 steps = 0;

	fake_gmem_start(16 * MIB);
	map(0, 16 * MIB, MAP_RAM, 0);
	for (u64 gpa = 0; gpa < 8 * MIB; gpa += PAGE_SIZE)
		fake_guest_write(gpa, 1);
	while (done < 16 * MIB) {
		u64 flushes = fake_flushes;
		s64 part = gmem_map(m, done, 16 * MIB - done, MAP_HOLE, 0);

		assert_true(part > 0);
		assert_true(fake_flushes - flushes <= 8);
		done += (u64)part;
		steps++;
		assert_int_equal(gmem_fault(m, done - PAGE_SIZE, false), ERR_FAULT);
		if (done < 8 * MIB)
			assert_int_equal(byte_at(done), 1);
	}
	assert_in_range(steps, 4, 8);
	assert_int_equal(m->private_pages, 0);
	fake_gmem_end();
}

static void test_taken_apart_in_steps(void **state)
{
	u64 free, steps = 0;

	fake_gmem_start(16 * MIB);
	free = frame_count(FRAME_FREE) + 1; /* the root */
	map(0, 8 * MIB, MAP_RAM, 0);
	map(GIB, 4 * MIB, MAP_RAM, 0);
	for (u64 gpa = 0; gpa < 8 * MIB; gpa += PAGE_SIZE)
		fake_guest_write(gpa, 1);
	for (u64 gpa = GIB; gpa < GIB + 4 * MIB; gpa += 3 * PAGE_SIZE)
		(void)fake_guest_read(gpa);
	fake_forget_translations(); /* no vCPU runs any more */
	for (;; steps++) {
		u64 before = frame_count(FRAME_GUEST);

		if (gmem_fini_step(m))
			break;
		assert_true(before - frame_count(FRAME_GUEST) <= 512);
	}
	assert_in_range(steps, 6, 12);
	assert_int_equal(frame_count(FRAME_FREE), free);
	assert_true(gmem_fini_step(m)); /* once more does nothing */
}

/* ---- every path that allocates, with memory running out at every point ---- */

static void fill(u64 gpa)
{
	fake_guest_write(gpa, 0x33);
	assert_int_equal(byte_at(gpa), 0x33);
}

static void test_nothing_is_lost_without_memory(void **state)
{
	static const char text[] = "0123456789abcdef";
	u64 base;

	fake_gmem_start(MIB);
	fake_gmem_end();
	base = frame_count(FRAME_FREE);
	for (u32 what = 0; what < 4; what++)
		for (u64 left = 0; left < 8; left++) {
			u64 file = fake_file(2), used;
			int error;

			fake_gmem_start(4 * MIB);
			map(0, MIB, MAP_RAM, 0);
			map(GIB, 2 * PAGE_SIZE, MAP_FILE, file);
			fill(0x9000);
			if (what == 2)
				assert_int_equal(fake_guest_read(GIB), fake_file_byte(0));
			used = m->private_pages + m->tables;
			fake_leave(left);
			if (what == 0)
				error = gmem_fault(m, 0x8000, true);
			else if (what < 3)
				error = gmem_fault(m, GIB, true);
			else
				error = gmem_write(m, GIB + PAGE_SIZE - 8, text, 16);
			assert_true(!error || error == ERR_NOMEM);
			assert_int_equal(left - frame_count(FRAME_FREE), m->private_pages + m->tables - used);
			if (error && what < 3)
				assert_int_equal(byte_at(what ? GIB + 1 : 0x8000), what ? fake_file_byte(1) : 0);
			if (left == 7)
				assert_int_equal(error, 0);
			fake_give_back();
			fake_gmem_end();
			fake_file_put(file, 2);
			assert_int_equal(frame_count(FRAME_FREE), base);
		}
}

/* ---- each store of each path leaves a page old or new ---- */

static u64 watched_gpa;
static u8 old_byte, new_byte;
static bool was_present;

static void look(u64 *word, u64 before)
{
	u32 level;
	u64 entry = *table_find(m->format, m->root, watched_gpa, &level);
	const u8 *page = (const u8 *)(entry & TABLE_ADDRESS);

	if (!(entry & 1)) {
		assert_false(was_present);
		return;
	}
	assert_int_equal(level, 0);
	if (entry & 2) /* writable: its own, complete */
		assert_int_equal(page[watched_gpa % PAGE_SIZE], new_byte);
	else
		assert_int_equal(page[watched_gpa % PAGE_SIZE], old_byte);
}

static void test_leaf_is_old_or_new(void **state)
{
	for (u32 present = 0; present < 2; present++) {
		u64 file = fake_file(1);

		fake_gmem_start(4 * MIB);
		map(GIB, PAGE_SIZE, MAP_FILE, file);
		watched_gpa = GIB + 1234;
		was_present = present;
		if (present)
			(void)fake_guest_read(watched_gpa);
		old_byte = new_byte = fake_file_byte(1234);
		fake_watch(look);
		assert_int_equal(gmem_fault(m, watched_gpa, true), 0);
		fake_watch_end();
		was_present = true;
		look(NULL, 0);
		fake_gmem_end();
	}
}

/* What was given back is zeroes, even where a file was, and its frames are free at once. */
static void test_discard(void **state)
{
	u64 file = fake_file(4), free;

	fake_gmem_start(8 * MIB);
	map(0, 4 * MIB, MAP_RAM, 0);
	map(4 * MIB, 0x4000, MAP_FILE, file);
	map(5 * MIB, 0x1000, MAP_ROM, 0);
	free = frame_count(FRAME_FREE);
	for (u64 gpa = 0; gpa < 20 * PAGE_SIZE; gpa += PAGE_SIZE)
		fake_guest_write(gpa, 9);
	assert_int_equal(fake_guest_read(4 * MIB + 3), fake_file_byte(3));
	for (s64 done = 0; done < (s64)(2 * MIB);) {
		s64 part = gmem_discard(m, (u64)done, 2 * MIB - (u64)done);

		assert_true(part > 0);
		done += part;
	}
	assert_int_equal(frame_count(FRAME_FREE) + m->tables - 1, free);
	assert_int_equal(m->private_pages, 0);
	assert_int_equal(fake_guest_read(0x5000), 0);
	assert_int_equal(gmem_discard(m, 4 * MIB, 0x4000), 0x4000);
	assert_int_equal(frame_refs((hpa_t){ file }), 1);
	for (u64 page = 0; page < 4; page++)
		assert_int_equal(byte_at(4 * MIB + page * PAGE_SIZE + 3), 0);
	assert_int_equal(fake_guest_read(4 * MIB + 3), 0);
	fake_guest_write(4 * MIB + 0x1000, 5);
	assert_int_equal(byte_at(4 * MIB + 0x1001), 0);
	map(4 * MIB, 0x4000, MAP_FILE, file); /* mapped anew it is the file again */
	assert_int_equal(byte_at(4 * MIB + 0x2003), fake_file_byte(2 * PAGE_SIZE + 3));
	fake_gmem_end();
}

static void test_discard_refuses(void **state)
{
	u64 file = fake_file(1);

	fake_gmem_start(8 * MIB);
	map(0, MIB, MAP_RAM, 0);
	map(2 * MIB, 0x1000, MAP_ROM, 0);
	map(4 * MIB, 0x1000, MAP_FILE, file);
	assert_int_equal(gmem_discard(m, 2 * MIB, 0x1000), ERR_FAULT);
	assert_int_equal(gmem_discard(m, 3 * MIB, 0x1000), ERR_FAULT);
	assert_int_equal(gmem_discard(m, 0x800, 0x1000), ERR_INVAL);
	assert_int_equal(gmem_discard(m, 0, 0), ERR_INVAL);
	assert_int_equal(gmem_discard(m, GMEM_TOP - PAGE_SIZE, 2 * PAGE_SIZE), ERR_INVAL);
	fake_leave(0);
	assert_int_equal(gmem_discard(m, 4 * MIB, 0x1000), ERR_NOMEM); /* it takes a table to remember */
	assert_int_equal(byte_at(4 * MIB + 7), fake_file_byte(7));
	fake_give_back();
	fake_gmem_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_untouched_reads_as_zeroes), FAKE_TEST(test_write_takes_a_frame),
		FAKE_TEST(test_file_pages_are_copied_on_write), FAKE_TEST(test_old_page_is_put_after_the_flush),
		FAKE_TEST(test_rom_and_holes),
		FAKE_TEST(test_hostile_ranges), FAKE_TEST(test_limit_counts_all_ram),
		FAKE_TEST(test_regions_run_out_and_merge), FAKE_TEST(test_tables_are_bounded),
		FAKE_TEST(test_remap_in_bounded_steps), FAKE_TEST(test_taken_apart_in_steps),
		FAKE_TEST(test_nothing_is_lost_without_memory), FAKE_TEST(test_leaf_is_old_or_new),
		FAKE_TEST(test_discard), FAKE_TEST(test_discard_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
