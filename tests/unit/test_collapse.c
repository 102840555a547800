/* Large leaves: collapsed, split, written, with vCPUs whose translations go stale. */
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

static void test_collapses_and_splits(void **state)
{
	for (u32 format = 0; format < ARRAY_SIZE(formats); format++) {
		u64 used;

		start(format, "");
		fill(0, BLOCK, 1);
		used = fake_guests[0].account.used;
		looks(LOOKS - 1);
		assert_int_equal(m->large_leaves, 0);
		looks(1);
		assert_int_equal(m->large_leaves, 1);
		assert_true(is_large(BLOCK) && is_large(2 * BLOCK - 1));
		assert_int_equal(collapse_counts.copied, 1);
		assert_int_equal(m->private_pages, LARGE_PAGES);
		assert_int_equal(fake_guests[0].account.used, used);
		check_filled(0, BLOCK, 1);
		fill(0, BLOCK, 2); /* in the large leaf */
		assert_int_equal(m->large_leaves, 1);
		check_filled(0, BLOCK, 2);
		gmem_leaf_split(m, BLOCK + 5 * PAGE_SIZE);
		assert_int_equal(m->large_leaves, 0);
		fake_guests_check();
		check_filled(0, BLOCK, 2);
		looks(LOOKS); /* and again, where it is */
		assert_int_equal(m->large_leaves, 1);
		assert_int_equal(collapse_counts.copied, 1);
		assert_int_equal(collapse_counts.in_place, 1);
		check_filled(0, BLOCK, 2);
		end();
	}
}

/* What was written, and what was touched at all, is still known afterwards; so is that a page was not written. */
static void test_dirty_and_accessed_bits(void **state)
{
	const struct table_format *f = NPT;

	for (u32 dirty = 0; dirty < 2; dirty++)
		for (u32 in_place = 0; in_place < 2; in_place++) {
			struct collapse c = { 0 };
			u32 level;

			start(0, "");
			fill(0, 0, 1);
			if (in_place) {
				looks(LOOKS);
				gmem_leaf_split(m, 0);
			}
			for (u64 gpa = 0; gpa < BLOCK; gpa += PAGE_SIZE)
				*table_find(f, m->root, gpa, &level) &= ~(f->dirty | f->accessed);
			m->shootdown(m);
			if (dirty)
				assert_true(fake_vcpu_write(0, 0, 0x7000, 9));
			for (u32 i = 0; i < LOOKS; i++)
				pass(&c);
			assert_true(is_large(0));
			assert_int_equal(!!(fake_leaf(0, 0) & f->dirty), dirty);
			if (!dirty)
				assert_true(fake_vcpu_write(0, 0, 0x9000, 9));
			assert_true(fake_leaf(0, 0) & f->dirty);
			gmem_leaf_split(m, 0);
			assert_true(fake_leaf(0, 0x3000) & f->dirty); /* of all pages, when it was of one */
			end();
		}
}

static void test_splits_for_a_part(void **state)
{
	u64 file;
	u8 byte;

	start(0, "");
	for (u64 base = 0; base < 4 * BLOCK; base += BLOCK)
		fill(0, base, 1);
	looks(LOOKS);
	assert_int_equal(m->large_leaves, 4);
	assert_int_equal(gmem_discard(m, 3 * PAGE_SIZE, PAGE_SIZE), PAGE_SIZE);
	assert_false(is_large(0));
	assert_true(fake_vcpu_read(0, 0, 3 * PAGE_SIZE + 7, &byte));
	assert_int_equal(byte, 0);
	assert_true(fake_vcpu_read(0, 0, 4 * PAGE_SIZE + 7, &byte));
	assert_int_equal(byte, content(4 * PAGE_SIZE, 1));
	assert_int_equal(m->private_pages, 4 * LARGE_PAGES - 1);
	assert_int_equal(gmem_map(m, BLOCK + 0x8000, PAGE_SIZE, MAP_HOLE, 0), PAGE_SIZE);
	assert_false(is_large(BLOCK));
	assert_int_equal(gmem_fault(m, BLOCK + 0x8000, false), ERR_FAULT);
	fake_guests_check();
	/* a file's pages in its middle, and they are given back: its tables must say so */
	file = frame_alloc_zero(0, FRAME_FILE).v;
	assert_int_equal(gmem_map(m, 2 * BLOCK, PAGE_SIZE, MAP_FILE, file), PAGE_SIZE);
	assert_int_equal(gmem_discard(m, 2 * BLOCK, PAGE_SIZE), PAGE_SIZE);
	check_filled(0, 3 * BLOCK, 1);
	assert_int_equal(m->large_leaves, 1);
	end();
	frame_put((hpa_t){ file });
}

/* All of a large leaf goes, in bounded steps. */
static void test_discards_it_all(void **state)
{
	u64 gpa = 0;

	start(0, "");
	fill(0, 0, 1);
	fill(0, BLOCK, 1);
	looks(LOOKS);
	assert_int_equal(m->large_leaves, 2);
	while (gpa < 2 * BLOCK) {
		u64 before = m->private_pages;
		s64 part = gmem_discard(m, gpa, 2 * BLOCK - gpa);

		assert_true(part > 0 && before - m->private_pages <= 512);
		gpa += (u64)part;
	}
	assert_int_equal(m->private_pages + m->large_leaves, 0);
	end();
}

/* ---- while the guest goes on ---- */

static u32 writes;      /* pages that a vCPU writes before each flush */
static u64 write_at;    /* where it goes on */
static struct collapse work;

static void write_some(struct fake_guest *g)
{
	for (u32 i = 0; i < writes; i++) {
		u64 gpa = BLOCK + (write_at++ * 7 % LARGE_PAGES) * PAGE_SIZE + 7;
		struct fake_vcpu_tlb *v = &g->vcpu[0];
		struct fake_translation *t = &v->tlb[(gpa >> PAGE_SHIFT) % FAKE_TLB];
		u8 byte = content(gpa, 3);

		/* only what it can do without a fault, whose handler would wait for the lock */
		if (t->page == (gpa & PAGE_MASK) + 1 && t->write && t->dirty)
			*(u8 *)(t->frame + gpa % PAGE_SIZE) = byte;
	}
}

/* Through translations that were there before the flush: what they wrote is in the copy. */
static void test_writes_before_the_flush_are_copied(void **state)
{
	for (u32 format = 0; format < ARRAY_SIZE(formats); format++) {
		start(format, "");
		fill(0, BLOCK, 3);
		for (u64 gpa = BLOCK; gpa < 2 * BLOCK; gpa += PAGE_SIZE)
			assert_true(fake_vcpu_write(0, 0, gpa + 7, 0)); /* FAKE_TLB of them stay dirty there */
		write_at = 0;
		writes = LARGE_PAGES;
		fake_before_flush = write_some;
		work = (struct collapse){ 0 };
		for (u32 i = 0; i < LOOKS; i++)
			pass(&work);
		fake_before_flush = NULL;
		assert_int_equal(m->large_leaves, 1);
		for (u64 gpa = BLOCK; gpa < 2 * BLOCK; gpa += PAGE_SIZE) {
			u8 byte;

			assert_true(fake_vcpu_read(0, 1, gpa + 7, &byte));
			/* those that the vCPU could reach without a fault */
			assert_true(byte == content(gpa, 3) || (!byte && gpa < 2 * BLOCK - FAKE_TLB * PAGE_SIZE));
		}
		end();
	}
}

/* Between two pieces of a copy; few pages are copied again, many abandon it. */
static void test_writes_between_the_pieces(void **state)
{
	for (u32 format = 0; format < ARRAY_SIZE(formats); format++)
		for (u32 many = 0; many < 2; many++) {
			struct collapse c = { 0 };
			u32 pages = many ? 100 : 5, steps = 0;

			start(format, "");
			fill(0, BLOCK, 1);
			looks(LOOKS - 1);
			while (!c.block.v)
				assert_false(collapse_step(m, &c, true));
			while (c.copied < LARGE_PAGES && ++steps)
				assert_false(collapse_step(m, &c, true));
			assert_int_equal(steps, 16);
			for (u64 i = 0; i < pages; i++)
				assert_true(fake_vcpu_write(0, 0, BLOCK + i * 3 * PAGE_SIZE + 7, 0xaa));
			assert_false(collapse_step(m, &c, true));
			assert_false(c.block.v);
			fake_guests_check();
			assert_int_equal(m->large_leaves, !many);
			assert_int_equal(collapse_counts.abandoned, many);
			for (u64 i = 0; i < LARGE_PAGES; i++) {
				u8 byte, was = content(BLOCK + i * PAGE_SIZE, 1);

				assert_true(fake_vcpu_read(0, 1, BLOCK + i * PAGE_SIZE + 7, &byte));
				assert_int_equal(byte, i % 3 == 0 && i / 3 < pages ? 0xaa : was);
			}
			fill(0, BLOCK, 2);
			looks(LOOKS);
			assert_int_equal(m->large_leaves, 1);
			check_filled(0, BLOCK, 2);
			end();
		}
}

/* Whatever comes in between: pages given back, another region, the kernel's writes, the scanner. */
static void test_changes_between_the_pieces(void **state)
{
	for (u32 what = 0; what < 5; what++)
		for (u32 when = 0; when <= 16; when += 4) {
			struct collapse c = { 0 };
			u8 byte = 0x55;

			start(what & 1 ? 2 : 0, what == 4 ? "a" : "");
			fill(0, BLOCK, 1);
			looks(LOOKS - 1);
			while (!c.block.v)
				assert_false(collapse_step(m, &c, true));
			for (u32 i = 0; i < when; i++)
				assert_false(collapse_step(m, &c, true));
			if (what == 0)
				assert_int_equal(gmem_discard(m, BLOCK + 9 * PAGE_SIZE, PAGE_SIZE), PAGE_SIZE);
			else if (what == 1)
				assert_int_equal(gmem_map(m, BLOCK, PAGE_SIZE, MAP_HOLE, 0), PAGE_SIZE);
			else if (what == 2)
				assert_int_equal(gmem_write(m, BLOCK + 9 * PAGE_SIZE + 7, &byte, 1), 0);
			else if (what == 4)
				fake_merge_pass();
			if (what == 3)
				collapse_abandon(&c);
			/* the vCPU can write by a translation again: it must not outlive the piece that stops */
			assert_true(fake_vcpu_write(0, 0, BLOCK + PAGE_SIZE + 7, content(BLOCK + PAGE_SIZE, 1)));
			pass(&c);
			assert_int_equal(m->large_leaves, what >= 2);
			if (what == 2)
				assert_true(fake_vcpu_read(0, 0, BLOCK + 9 * PAGE_SIZE + 7, &byte) && byte == 0x55);
			if (what == 0)
				assert_true(fake_vcpu_read(0, 0, BLOCK + 9 * PAGE_SIZE + 7, &byte) && !byte);
			if (what > 2)
				check_filled(0, BLOCK, 1);
			end();
		}
}

/* ---- without memory ---- */

static void test_no_block_nothing_happens(void **state)
{
	u64 free;

	start(0, "");
	fill(0, 0, 1);
	fake_leave(511);
	looks(LOOKS + 1);
	assert_int_equal(m->large_leaves, 0);
	assert_int_equal(frame_count(FRAME_FREE), 511);
	fake_give_back();
	looks(1);
	assert_int_equal(m->large_leaves, 1);
	check_filled(0, 0, 1);
	free = frame_count(FRAME_FREE);
	fake_leave(0); /* a split takes none */
	gmem_leaf_split(m, 0);
	check_filled(0, 0, 1);
	assert_int_equal(gmem_discard(m, 0, PAGE_SIZE), PAGE_SIZE);
	fake_give_back();
	assert_int_equal(frame_count(FRAME_FREE), free + 1);
	end();
}

static void test_not_what_is_not_whole(void **state)
{
	u64 gpa = 0;

	start(0, "");
	fill(0, 0, 1);
	fill(0, BLOCK, 1);
	fill(0, 2 * BLOCK, 1);
	assert_int_equal(gmem_discard(m, 0x5000, PAGE_SIZE), PAGE_SIZE);            /* not present */
	assert_int_equal(gmem_discard(m, BLOCK + 0x5000, PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(gmem_fault(m, BLOCK + 0x5000, false), 0);                  /* the zero frame */
	assert_int_equal(gmem_map(m, 2 * BLOCK + 0x5000, PAGE_SIZE, MAP_ROM, 0), PAGE_SIZE);
	looks(LOOKS + 1);
	assert_int_equal(m->large_leaves, 0);
	assert_true(fake_vcpu_write(0, 0, 0x5007, 1));
	looks(LOOKS);
	assert_int_equal(m->large_leaves, 1);
	while (!collapse_undo_step(m, &gpa))
		;
	assert_int_equal(m->large_leaves + gpa, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_collapses_and_splits), FAKE_TEST(test_dirty_and_accessed_bits),
		FAKE_TEST(test_splits_for_a_part), FAKE_TEST(test_discards_it_all),
		FAKE_TEST(test_writes_before_the_flush_are_copied), FAKE_TEST(test_writes_between_the_pieces),
		FAKE_TEST(test_changes_between_the_pieces), FAKE_TEST(test_no_block_nothing_happens),
		FAKE_TEST(test_not_what_is_not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
