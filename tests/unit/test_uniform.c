/* Uniform share groups: a write does the same work whatever the merger found, frames come by lot, and the group's mode
 * is one. */
/* links: kernel/merge.c kernel/merge_scan.c kernel/merge_lookup.c kernel/merge_replace.c kernel/merge_index.c
 * kernel/merge_frame.c kernel/merge_stock.c kernel/gmem_uniform.c kernel/gmem.c kernel/gmem_map.c
 * kernel/gmem_region.c kernel/table.c kernel/frame.c kernel/lock.c kernel/ledger.c kernel/lib/string.c
 * kernel/lib/digest.c arch/x86_64/table_format.c tests/unit/fake_guests.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c kernel/gmem_large.c
 * tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/gmem_compress.h"
#include "kernel/gmem_uniform.h"
#include "tests/unit/fake_guests.h"

const u64 fake_frames = 8192;
const u32 fake_cpu_count = 1;

#define NPT (&table_format_npt)
#define STOCK 31    /* 1/256 of the host's frames, ... */
#define QUARTER 7   /* ... and by what it varies */

enum { ZERO, UNIQUE, SHARED, ALONE, KINDS }; /* pages, by what the merger finds; ALONE: its last user */

static u64 gpa_of(u32 kind)
{
	return (u64)kind * PAGE_SIZE;
}

static void write_page(u32 g, u64 gpa, u8 what)
{
	for (u64 i = 0; i < PAGE_SIZE; i += 64)
		assert_true(fake_vcpu_write(g, 0, gpa + i, what));
}

static u8 read_byte(u32 g, u64 gpa)
{
	u8 value = 0;

	assert_true(fake_vcpu_read(g, 0, gpa, &value));
	return value;
}

static void settle(void)
{
	for (u32 i = 0; i < 3; i++) {
		fake_merge_pass();
		merge_stock_level();
	}
	fake_guests_check();
}

static void two_guests(const struct table_format *format)
{
	fake_guests_start();
	fake_guest_create(0, MIB, "uniform", format);
	fake_guest_create(1, MIB, "uniform", format);
	for (u32 kind = 0; kind < KINDS; kind++) {
		write_page(0, gpa_of(kind), (u8)kind);
		if (kind != UNIQUE)
			write_page(1, gpa_of(kind), (u8)kind);
	}
	settle();
	write_page(1, gpa_of(ALONE), 99);
	fake_guests_check();
}

static void end(void)
{
	fake_guest_destroy(0);
	fake_guest_destroy(1);
	assert_int_equal(frame_count(FRAME_MERGED) + frame_count(FRAME_GUEST) + frame_count(FRAME_TABLE), 0);
}

/* What a write did that a guest could see or time. */
struct work {
	u64 flushes, changes; /* shootdowns; leaves that began or ended */
	s64 stock;            /* frames that the allocator gave or got */
	bool moved;           /* to another frame */
};

static struct work work_of_write(u32 kind, u32 writer)
{
	u64 flushes = fake_flushes, free = frame_count(FRAME_FREE), changes = fake_guests[0].m.changes;
	u64 frame = fake_frame(0, gpa_of(kind));

	if (writer)
		assert_int_equal(gmem_write(&fake_guests[0].m, gpa_of(kind) + 5, "w", 1), 0);
	else
		assert_true(fake_vcpu_write(0, 0, gpa_of(kind) + 5, 'w'));
	assert_int_equal(read_byte(0, gpa_of(kind) + 5), 'w');
	assert_int_equal(read_byte(0, gpa_of(kind) + 64), kind);
	return (struct work){ fake_flushes - flushes, fake_guests[0].m.changes - changes,
			      (s64)(free - frame_count(FRAME_FREE)), fake_frame(0, gpa_of(kind)) != frame };
}

static void check_alike(const struct table_format *format, u32 writer)
{
	two_guests(format);
	assert_int_equal(fake_guests[0].m.given_pages, 1);
	assert_int_equal(fake_guests[0].m.merged_pages, 2);
	assert_int_equal(fake_guests[0].m.private_pages, 1);
	for (u32 kind = 0; kind < KINDS; kind++)
		assert_int_equal(fake_leaf(0, gpa_of(kind)) & format->write, 0);
	for (u32 kind = 0; kind < KINDS; kind++) {
		struct work work = work_of_write(kind, writer);

		assert_int_equal(work.flushes, 1);
		assert_int_equal(work.changes, 2); /* one begins, one ends: nothing was taken over */
		assert_int_equal(work.stock, 0);
		assert_true(work.moved);
	}
	fake_guests_check();
	end();
}

static void test_writes_are_alike(void **state)
{
	struct table_format plain_ept = table_format_ept;

	plain_ept.accessed = plain_ept.dirty = 0;
	for (u32 writer = 0; writer < 2; writer++) {
		check_alike(NPT, writer);
		check_alike(&table_format_ept, writer);
		check_alike(&plain_ept, writer);
	}
}

/* And the same is refused: a page of one's own needs a frame more for a moment. */
static void test_refused_alike(void **state)
{
	for (u32 kind = 0; kind < KINDS; kind++) {
		two_guests(NPT);
		fake_guests[0].account.full = fake_guests[0].account.used;
		assert_int_equal(gmem_fault(&fake_guests[0].m, gpa_of(kind), true), ERR_NOMEM);
		fake_guests[0].account.full += UNIFORM_EXTRA;
		assert_int_equal(gmem_fault(&fake_guests[0].m, gpa_of(kind), true), 0);
		fake_guests_check();
		end();
	}
}

/* The merged frame is neither guest's page from before: who prepared one did not choose it. */
static void test_merged_frames_are_fresh(void **state)
{
	u64 first[2], seen[64];
	u32 different = 0;

	for (u32 round = 0; round < 64; round++) {
		if (!round) {
			fake_guests_start();
			fake_guest_create(0, MIB, "uniform", NPT);
			fake_guest_create(1, MIB, "uniform", NPT);
		}
		write_page(0, 0x3000, (u8)round + 1);
		write_page(1, 0x3000, (u8)round + 1);
		first[0] = fake_frame(0, 0x3000);
		first[1] = fake_frame(1, 0x3000);
		settle();
		seen[round] = fake_frame(0, 0x3000);
		assert_true(seen[round] == fake_frame(1, 0x3000));
		assert_true(seen[round] != first[0] && seen[round] != first[1]);
	}
	for (u32 i = 0; i < 64; i++) {
		bool before = false;

		for (u32 j = 0; j < i; j++)
			before |= seen[j] == seen[i];
		different += !before;
	}
	assert_true(different > STOCK / 2); /* by lot among the stock's */
	end();
}

static void late_write(struct fake_guest *g)
{
	static u32 writes;

	for (u32 i = 0; i < FAKE_TLB && writes < 1; i++)
		if (g->vcpu[1].tlb[i].page == 0x3000 + 1 && g->vcpu[1].tlb[i].write) {
			writes++;
			assert_true(fake_vcpu_write((u32)(g - fake_guests), 1, 0x3000 + 77, 0x99));
		}
}

/* A page that is written until the flush of its protection is not known, and may be written on. */
static void test_written_until_the_flush(void **state)
{
	fake_guests_start();
	fake_guest_create(0, MIB, "uniform", NPT);
	write_page(0, 0x3000, 4);
	fake_merge_pass();
	assert_true(fake_vcpu_read(0, 1, 0x3000, &(u8){ 0 }));
	fake_before_flush = late_write;
	fake_merge_pass();
	fake_before_flush = NULL;
	fake_guests_check();
	assert_int_equal(read_byte(0, 0x3000 + 77), 0x99);
	assert_true(fake_leaf(0, 0x3000) & NPT->write);
	settle();
	assert_false(fake_leaf(0, 0x3000) & NPT->write);
	fake_guest_destroy(0);
}

static void test_unmerge_frees_what_is_known(void **state)
{
	two_guests(NPT);
	for (u32 g = 0; g < 2; g++) {
		fake_guests[g].m.member->cursor = 0;
		while (!merge_unmerge(fake_guests[g].m.member))
			;
	}
	for (u32 kind = 0; kind < KINDS; kind++) {
		assert_true(fake_leaf(0, gpa_of(kind)) & NPT->write);
		assert_int_equal(read_byte(0, gpa_of(kind)), kind);
	}
	end();
}

/* What is compressed would tell that it is nobody else's. */
static void test_nothing_is_compressed(void **state)
{
	two_guests(NPT);
	assert_true(gmem_compress(&fake_guests[0].m, (struct gmem_compress_how){ .at_rest = true }));
	assert_int_equal(fake_guests[0].m.private_pages, 1);
	end();
}

static void test_a_group_has_one_mode(void **state)
{
	fake_guests_start();
	fake_guest_create(0, MIB, "uniform", NPT);
	fake_guest_create(1, MIB, "", NPT);
	assert_int_equal(merge_join(&fake_guests[1].m, "uniform", false), ERR_EXIST);
	assert_null(fake_guests[1].m.member);
	assert_int_equal(merge_join(&fake_guests[1].m, "plain", false), 0);
	assert_false(fake_guests[1].m.uniform);
	fake_guest_destroy(0);
	fake_guest_create(0, MIB, "", NPT);
	assert_int_equal(merge_join(&fake_guests[0].m, "plain", true), ERR_EXIST);
	assert_int_equal(merge_join(&fake_guests[0].m, "uniform", false), 0); /* it was nobody's any more */
	fake_guest_destroy(0);
	fake_guest_destroy(1);
}

/* Its size is kept, and all comes back. */
static void test_the_stock(void **state)
{
	hpa_t drawn[STOCK];
	u64 free;

	fake_guests_start();
	free = frame_count(FRAME_FREE);
	assert_int_equal(merge_stock_draw().v, 0);
	assert_int_equal(merge_stock_open(), 0);
	assert_int_equal(merge_stock_open(), 0);
	assert_int_equal(frame_count(FRAME_FREE), free - STOCK - 1);
	for (u32 i = 0; i < STOCK; i++)
		assert_true((drawn[i] = merge_stock_draw()).v);
	assert_int_equal(frame_count(FRAME_FREE), free - STOCK - 1 - (STOCK - QUARTER)); /* it never gets small */
	merge_stock_level();
	assert_int_equal(frame_count(FRAME_FREE), free - STOCK - 1 - STOCK);
	for (u32 i = 0; i < STOCK; i++)
		merge_stock_return(drawn[i]);
	assert_int_equal(frame_count(FRAME_FREE), free - STOCK - 1 - QUARTER);
	merge_stock_level();
	assert_int_equal(frame_count(FRAME_FREE), free - STOCK - 1);
	merge_stock_close();
	assert_int_equal(frame_count(FRAME_FREE), free - STOCK - 1);
	merge_stock_close();
	assert_int_equal(frame_count(FRAME_FREE), free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_writes_are_alike), FAKE_TEST(test_refused_alike), FAKE_TEST(test_merged_frames_are_fresh),
		FAKE_TEST(test_written_until_the_flush), FAKE_TEST(test_unmerge_frees_what_is_known),
		FAKE_TEST(test_a_group_has_one_mode), FAKE_TEST(test_the_stock), FAKE_TEST(test_nothing_is_compressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
