/* Merging: what becomes one frame, who may share it, what a write undoes, and what a stale translation may not. */
/* links: kernel/merge.c kernel/merge_scan.c kernel/merge_lookup.c kernel/merge_replace.c kernel/merge_index.c
 * kernel/merge_frame.c kernel/gmem.c kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c kernel/gmem_map.c
 * kernel/gmem_large.c kernel/gmem_region.c kernel/table.c kernel/frame.c kernel/lock.c kernel/ledger.c
 * kernel/lib/string.c kernel/lib/digest.c arch/x86_64/table_format.c tests/unit/fake_guests.c
 * tests/unit/fake_arch.c tests/unit/fake_trap.c kernel/merge_stock.c kernel/gmem_uniform.c tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/gmem_leaf.h"
#include "tests/unit/fake_guests.h"

const u64 fake_frames = 8192;
const u32 fake_cpu_count = 1;

#define NPT (&table_format_npt)

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
	for (u32 i = 0; i < 3; i++)
		fake_merge_pass();
	fake_guests_check();
}

/* A new machine with two guests of one group. */
static void two_guests(void)
{
	fake_guests_start();
	fake_guest_create(0, MIB, "a", NPT);
	fake_guest_create(1, MIB, "a", NPT);
}

static void test_equal_pages_become_one(void **state)
{
	u64 free;

	two_guests();
	for (u64 i = 0; i < 8; i++) {
		write_page(0, i * PAGE_SIZE, (u8)(i + 1));
		write_page(1, (16 + i) * PAGE_SIZE, (u8)(i + 1));
	}
	free = frame_count(FRAME_FREE);
	fake_merge_pass();
	assert_int_equal(merge_counts.hashed, 0); /* all were just written */
	fake_merge_pass();
	fake_guests_check();
	assert_int_equal(frame_count(FRAME_MERGED), 8);
	assert_int_equal(frame_count(FRAME_FREE), free + 8);
	assert_int_equal(merge_counts.hashed, 16);
	for (u64 i = 0; i < 8; i++) {
		assert_true(fake_frame(0, i * PAGE_SIZE) == fake_frame(1, (16 + i) * PAGE_SIZE));
		assert_int_equal(read_byte(1, (16 + i) * PAGE_SIZE + 128), i + 1);
	}
	fake_guest_destroy(0);
	fake_guests_check();
	assert_int_equal(frame_count(FRAME_MERGED), 8); /* their last users keep them */
	fake_guest_destroy(1);
	assert_int_equal(frame_count(FRAME_MERGED) + frame_count(FRAME_GUEST), 0);
}

static void test_write_unshares(void **state)
{
	u64 frame;

	two_guests();
	write_page(0, 0, 7);
	write_page(1, 0, 7);
	write_page(1, 0x5000, 7); /* within a guest too */
	settle();
	frame = fake_frame(0, 0);
	assert_true(frame == fake_frame(1, 0) && frame == fake_frame(1, 0x5000));
	assert_int_equal(frame_refs((hpa_t){ frame }), 3);
	assert_true(fake_vcpu_write(1, 1, 0x5001, 8));
	assert_int_equal(read_byte(1, 0x5001), 8);
	assert_int_equal(read_byte(0, 1), 0);
	assert_int_equal(gmem_write(&fake_guests[0].m, 5, "x", 1), 0); /* the kernel writes like a vCPU */
	assert_int_equal(read_byte(0, 5), 'x');
	assert_int_equal(read_byte(1, 5), 0);
	fake_guests_check();
	assert_int_equal(frame_kind_of((hpa_t){ frame }), FRAME_MERGED);
	assert_true(fake_vcpu_write(1, 0, 9, 9)); /* the last user takes the frame over, without a copy */
	assert_true(fake_frame(1, 0) == frame);
	assert_int_equal(frame_kind_of((hpa_t){ frame }), FRAME_GUEST);
	fake_guests_check();
	settle(); /* and all is hashed anew, none is equal */
	assert_int_equal(frame_count(FRAME_MERGED), 0);
	assert_int_equal(merge_counts.differed, 0);
	fake_guest_destroy(0);
	fake_guest_destroy(1);
}

static void test_groups_never_share(void **state)
{
	static const char *const groups[] = { "a", "b", "a", "" };

	fake_guests_start();
	for (u32 g = 0; g < 4; g++) {
		fake_guest_create(g, MIB, groups[g], NPT);
		for (u64 i = 0; i < 20; i++)
			write_page(g, i * PAGE_SIZE, (u8)(i / 2 + 1));
	}
	settle();
	for (u64 i = 0; i < 20; i++)
		for (u64 j = 0; j < 20; j++) {
			assert_true(fake_frame(0, i * PAGE_SIZE) != fake_frame(1, j * PAGE_SIZE));
			assert_true((fake_frame(0, i * PAGE_SIZE) == fake_frame(2, j * PAGE_SIZE)) == (i / 2 == j / 2));
			assert_true(fake_frame(3, i * PAGE_SIZE) != fake_frame(2, j * PAGE_SIZE));
		}
	assert_int_equal(fake_guests[3].m.merged_pages, 0);
	/* a group whose guests have all gone is another one when its name comes again */
	fake_guest_destroy(1);
	fake_guest_create(1, MIB, "b", NPT);
	write_page(1, 0, 1);
	write_page(1, 0x1000, 1);
	settle();
	assert_true(fake_frame(1, 0) == fake_frame(1, 0x1000));
	assert_true(fake_frame(1, 0) != fake_frame(0, 0));
	for (u32 g = 0; g < 4; g++)
		fake_guest_destroy(g);
}

/* A file's frames are mapped by one group as long as it has members, be it only a part of them that was asked for. */
static void test_files_are_one_groups(void **state)
{
	static const char *const groups[] = { "a", "b", "a", "" };
	hpa_t file;

	fake_guests_start();
	file = frame_alloc_zero(2, FRAME_FILE);
	frame_split(file);
	for (u64 i = 0; i < 4; i++)
		*frame_note((hpa_t){ file.v + i * PAGE_SIZE }) = 0;
	for (u32 g = 0; g < 4; g++)
		fake_guest_create(g, MIB, groups[g], NPT);
	assert_false(merge_own_frames(&fake_guests[3].m, file, 4));
	assert_true(merge_own_frames(&fake_guests[1].m, (hpa_t){ file.v + PAGE_SIZE }, 1));
	assert_false(merge_own_frames(&fake_guests[0].m, file, 2));
	assert_true(merge_own_frames(&fake_guests[0].m, file, 1));
	assert_true(merge_own_frames(&fake_guests[2].m, file, 1));
	assert_false(merge_own_frames(&fake_guests[1].m, file, 2));
	fake_guest_destroy(1);
	assert_true(merge_own_frames(&fake_guests[0].m, file, 4));
	fake_guest_destroy(0);
	fake_guest_create(1, MIB, "b", NPT);
	assert_false(merge_own_frames(&fake_guests[1].m, file, 4)); /* one is left */
	fake_guest_destroy(2);
	assert_true(merge_own_frames(&fake_guests[1].m, file, 4));
	fake_guest_destroy(1);
	fake_guest_destroy(3);
	for (u64 i = 0; i < 4; i++)
		frame_put((hpa_t){ file.v + i * PAGE_SIZE });
}

static void test_zero_pages_are_given_back(void **state)
{
	u64 free;

	fake_guests_start();
	fake_guest_create(0, MIB, "a", NPT);
	for (u64 i = 0; i < 10; i++)
		write_page(0, i * PAGE_SIZE, i == 3 ? 1 : 0);
	free = frame_count(FRAME_FREE);
	settle();
	assert_int_equal(fake_guests[0].m.given_pages, 9);
	assert_int_equal(gmem_totals.given, 9);
	assert_int_equal(frame_count(FRAME_FREE), free + 9);
	assert_int_equal(merge_counts.zeroed, 9);
	write_page(0, 0, 5);
	assert_int_equal(fake_guests[0].m.given_pages, 8);
	assert_int_equal(read_byte(0, 0x1000), 0);
	assert_int_equal(gmem_discard(&fake_guests[0].m, 0x1000, 0x1000), 0x1000);
	assert_int_equal(fake_guests[0].m.given_pages, 7);
	settle();
	fake_guest_destroy(0);
	assert_int_equal(gmem_totals.given, 0);
}

/* What was not written is not hashed again; what is written all the time never. */
static void test_cost_follows_change(void **state)
{
	struct merge_member *member;

	fake_guests_start();
	fake_guest_create(0, 2 * MIB, "a", NPT);
	for (u64 i = 0; i < 300; i++)
		for (u64 b = 0; b < 2; b++)
			assert_true(fake_vcpu_write(0, 0, i * PAGE_SIZE + b, (u8)(i >> 8 * b | 1)));
	settle();
	member = fake_guests[0].m.member;
	assert_int_equal(member->pages_unshared + fake_guests[0].m.merged_pages, 300);
	assert_int_equal(member->pages_volatile, 0);
	merge_counts.hashed = 0;
	for (u32 pass = 0; pass < 5; pass++) {
		write_page(0, 7 * PAGE_SIZE, (u8)pass); /* one page is busy */
		fake_merge_pass();
		assert_int_equal(member->pages_volatile, 1);
	}
	assert_int_equal(merge_counts.hashed, 0);
	fake_merge_pass();
	assert_int_equal(merge_counts.hashed, 1);
	assert_int_equal(member->pages_volatile, 0);
	assert_true(merge_counts.skipped > 5 * 298);
	fake_guest_destroy(0);
}

/* A page that changed after it was hashed is not merged by what it was. */
static void test_written_after_the_hash(void **state)
{
	for (u32 by_kernel = 0; by_kernel < 2; by_kernel++) {
		two_guests();
		write_page(0, 0, 3);
		settle();
		write_page(1, 0, 3);
		if (by_kernel)
			assert_int_equal(gmem_write(&fake_guests[0].m, 100, "\1", 1), 0);
		else
			assert_true(fake_vcpu_write(0, 1, 100, 1));
		fake_merge_pass();
		fake_merge_pass();
		fake_guests_check();
		assert_true(fake_frame(0, 0) != fake_frame(1, 0));
		assert_int_equal(read_byte(0, 100), 1);
		assert_int_equal(read_byte(1, 100), 0);
		fake_guest_destroy(0);
		fake_guest_destroy(1);
	}
}

/* vCPUs write through what they have translated until the very flush. */
static u32 writes_left;
static u64 late_gpa;

static void write_late(struct fake_guest *g)
{
	u32 number = (u32)(g - fake_guests);

	for (u32 i = 0; i < FAKE_TLB && writes_left; i++)
		if (g->vcpu[1].tlb[i].page == late_gpa + 1 && g->vcpu[1].tlb[i].write) {
			writes_left--;
			assert_true(fake_vcpu_write(number, 1, late_gpa + 77, 0x99));
		}
}

static void test_write_before_the_flush(void **state)
{
	for (u32 writer = 0; writer < 2; writer++) {
		two_guests();
		write_page(0, 0x3000, 4);
		write_page(1, 0x3000, 4);
		fake_merge_pass();
		/* read only so far, but translated for writing */
		assert_true(fake_vcpu_read(writer, 1, 0x3000, &(u8){ 0 }));
		late_gpa = 0x3000;
		writes_left = 1;
		fake_before_flush = write_late;
		fake_merge_pass();
		fake_before_flush = NULL;
		assert_int_equal(writes_left, 0);
		fake_guests_check();
		assert_int_equal(read_byte(writer, 0x3000 + 77), 0x99);
		assert_int_equal(read_byte(!writer, 0x3000 + 77), 0);
		fake_guest_destroy(0);
		fake_guest_destroy(1);
	}
}

static void test_no_memory_to_unshare(void **state)
{
	two_guests();
	write_page(0, 0, 7);
	write_page(1, 0, 7);
	settle();
	fake_leave(0);
	assert_false(fake_vcpu_write(0, 0, 0, 8));
	assert_int_equal(gmem_write(&fake_guests[1].m, 0, "x", 1), ERR_NOMEM);
	fake_guests_check();
	assert_int_equal(read_byte(0, 0), 7);
	fake_merge_pass(); /* the scanner itself needs none */
	fake_guests_check();
	fake_give_back();
	assert_true(fake_vcpu_write(0, 0, 0, 8));
	fake_guests_check();
	fake_guest_destroy(0);
	fake_guest_destroy(1);
}

/* Guests go in the middle of a pass; others come under their numbers, with other content at the same places. */
static void test_guests_come_and_go(void **state)
{
	struct merge_member *member;
	u64 free;

	fake_guests_start();
	fake_guest_create(0, 4 * MIB, "a", NPT);
	assert_int_equal(fake_looks, 1); /* the scanner does not wait out what it waits on a host that is idle */
	free = frame_count(FRAME_FREE);
	for (u32 round = 0; round < 20; round++) {
		fake_guest_create(1, 4 * MIB, "a", NPT);
		fake_guest_create(2, 4 * MIB, round & 1 ? "a" : "b", NPT);
		for (u64 i = 0; i < 200; i++) {
			write_page(0, i * PAGE_SIZE, (u8)(i + 1));
			write_page(1, i * PAGE_SIZE, (u8)(i + round));
			write_page(2, i * PAGE_SIZE, (u8)(i * round));
		}
		fake_merge_pass();
		for (u32 steps = 0; steps < round % 5; steps++)
			for (u32 number = 0; (member = merge_next(number)); number = member->number) {
				(void)merge_scan(member);
				assert_false(merge_leave(member->gmem)); /* it is used */
				merge_release(member);
			}
		fake_guest_destroy(1);
		fake_guests_check();
		fake_merge_pass();
		fake_guests_check();
		for (u64 i = 0; i < 200; i++)
			assert_int_equal(read_byte(0, i * PAGE_SIZE), (u8)(i + 1));
		fake_guest_destroy(2);
	}
	assert_true(merge_counts.merged > 1000);
	fake_guest_destroy(0);
	assert_true(frame_count(FRAME_FREE) >= free);
	assert_int_equal(frame_count(FRAME_MERGED) + frame_count(FRAME_GUEST) + frame_count(FRAME_TABLE), 0);
}

static void test_unmerge(void **state)
{
	int done;

	fake_guests_start();
	for (u32 g = 0; g < 2; g++) {
		fake_guest_create(g, MIB, "a", NPT);
		for (u64 i = 0; i < 100; i++)
			write_page(g, i * PAGE_SIZE, (u8)(i % 10));
	}
	settle();
	assert_int_equal(frame_count(FRAME_GUEST), 0);
	for (u32 g = 0; g < 2; g++) {
		fake_guests[g].m.member->cursor = 0;
		while (!(done = merge_unmerge(fake_guests[g].m.member)))
			fake_guests_check();
		assert_int_equal(done, 1);
	}
	assert_int_equal(frame_count(FRAME_GUEST), 200);
	assert_int_equal(frame_count(FRAME_MERGED), 0);
	assert_int_equal(gmem_totals.given, 0);
	fake_guests_check();
	fake_guest_destroy(0);
	fake_guest_destroy(1);
}

/* EPT where the processor sets no dirty bits. */
static void test_without_dirty_bits(void **state)
{
	struct table_format ept = table_format_ept;

	ept.accessed = ept.dirty = 0;
	fake_guests_start();
	fake_guest_create(0, MIB, "a", &ept);
	fake_guest_create(1, MIB, "a", &ept);
	for (u64 i = 0; i < 10; i++) {
		write_page(0, i * PAGE_SIZE, (u8)i);
		write_page(1, i * PAGE_SIZE, (u8)i);
	}
	fake_merge_pass();
	assert_int_equal(merge_counts.hashed, 0);
	write_page(1, 0x4000, 44);
	assert_true(fake_frame(1, 0x4000)); /* by a fault, and in its own frame */
	fake_merge_pass();
	fake_guests_check();
	assert_int_equal(frame_count(FRAME_MERGED), 8);
	assert_int_equal(gmem_totals.given, 2);
	assert_int_equal(fake_guests[1].m.member->pages_volatile, 1);
	assert_int_equal(read_byte(0, 0x4000), 4);
	assert_int_equal(read_byte(1, 0x4000), 44);
	write_page(0, 0x5000, 55);
	assert_int_equal(read_byte(1, 0x5000), 5);
	settle();
	fake_guest_destroy(0);
	fake_guest_destroy(1);
}

/* At most 16 bytes for each page of a guest that is scanned: such a page is a frame of the host's.  Each slot is where
 * it is found again, and all of them are used. */
static void test_bookkeeping(void **state)
{
	static const u64 frames[] = { 300, 512, 513, 1024, 1025, 8191, 262145 };

	fake_guests_start();
	for (u32 i = 0; i < ARRAY_SIZE(frames); i++) {
		assert_int_equal(merge_index_init(frames[i]), 0);
		assert_in_range(merge_index_bytes(), 12 * frames[i] - PAGE_SIZE / 2, 12 * frames[i] + PAGE_SIZE / 2);
		assert_ptr_equal(merge_index_slot(~0ull, 1), merge_index_slot(0, 0));
		assert_ptr_equal(merge_index_slot(~0ull, 2), merge_index_slot(0, 1));
		for (u64 at = 0; at < merge_index_bytes() / 8; at++) {
			u64 *slot = merge_index_slot(~0ull, (u32)at + 1);

			assert_int_equal(*slot, 0);
			*slot = at + 1;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_equal_pages_become_one), FAKE_TEST(test_write_unshares),
		FAKE_TEST(test_groups_never_share), FAKE_TEST(test_files_are_one_groups),
		FAKE_TEST(test_zero_pages_are_given_back),
		FAKE_TEST(test_cost_follows_change), FAKE_TEST(test_written_after_the_hash),
		FAKE_TEST(test_write_before_the_flush), FAKE_TEST(test_no_memory_to_unshare),
		FAKE_TEST(test_guests_come_and_go), FAKE_TEST(test_unmerge), FAKE_TEST(test_without_dirty_bits),
		FAKE_TEST(test_bookkeeping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
