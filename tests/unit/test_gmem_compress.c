/* Compressed pages: which become it, what a guest and others see of them, and what they cost and give back. */
/* links: kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c kernel/gmem.c kernel/merge_frame.c
 * kernel/working_set.c kernel/gmem_map.c kernel/gmem_large.c kernel/gmem_region.c kernel/table.c kernel/frame.c
 * kernel/lock.c kernel/ledger.c kernel/ledger_admit.c arch/x86_64/table_format.c tests/unit/fake_gmem.c
 * tests/unit/fake_arch.c tests/unit/fake_trap.c kernel/merge_stock.c kernel/gmem_uniform.c tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/gmem_compress.h"
#include "kernel/gmem_leaf.h"
#include "kernel/working_set.h"
#include "tests/unit/fake_gmem.h"

#define PAGES 64u

const u64 fake_frames = 512;
const u32 fake_cpu_count = 1;

static struct gmem *const m = &fake_gmem;

static u8 byte_of(u32 page, u32 offset)
{
	return (u8)(page * 3 + offset / 64 + 1);
}

/* A guest with a megabyte, of which it has written PAGES pages. */
static void begin(void)
{
	fake_gmem_start(MIB);
	assert_int_equal(fake_gmem_map(0, MIB, MAP_RAM, 0), 0);
	for (u32 page = 0; page < PAGES; page++)
		for (u32 i = 0; i < PAGE_SIZE; i += 64)
			fake_guest_write(page * PAGE_SIZE + i, byte_of(page, i));
}

static void look(struct gmem_compress_how how)
{
	while (!gmem_compress(m, how))
		;
}

/* Two looks, between which nothing is accessed. */
static void compress_all(void)
{
	look((struct gmem_compress_how){ 0 });
	look((struct gmem_compress_how){ 0 });
}

static u64 leaf_of(u32 page)
{
	u32 level;

	return *table_find(m->format, m->root, page * PAGE_SIZE, &level);
}

static void check_page(u32 page)
{
	for (u32 i = 0; i < PAGE_SIZE; i += 64)
		assert_int_equal(fake_guest_read(page * PAGE_SIZE + i), byte_of(page, i));
}

static void test_cold(void **state)
{
	u64 used, flushes;

	begin();
	used = m->account->used;
	look((struct gmem_compress_how){ 0 });
	assert_int_equal(m->store.objects, 0); /* all were accessed */
	fake_guest_read(5 * PAGE_SIZE);
	flushes = fake_flushes;
	look((struct gmem_compress_how){ .look = true });
	assert_int_equal(m->store.objects, 0);
	fake_guest_write(7 * PAGE_SIZE, byte_of(7, 0));
	look((struct gmem_compress_how){ 0 });
	assert_int_equal(m->store.objects, PAGES - 1); /* 5 was accessed before the last look, 7 after it */
	assert_false(leaf_of(7) & LEAF_COMPRESSED);
	assert_in_range(fake_flushes - flushes, 1, 1 + PAGES / 16 + 1);
	assert_int_equal(m->account->used, used - (PAGES - 1) + m->store.frames);
	assert_int_equal(frame_count(FRAME_COMPRESSED), m->store.frames);
	assert_true(m->store.frames <= PAGES / 8);
	for (u32 page = 0; page < PAGES; page++)
		check_page(page);
	assert_int_equal(m->account->used, used);
	assert_int_equal(m->store.objects + m->store.frames, 0);
	assert_int_equal(m->decompressions, PAGES - 1);
	fake_gmem_end();
}

/* What stands still is compressed at once; what the merger does not know is left to it first. */
static void test_how(void **state)
{
	struct merge_member *member = (struct merge_member *)1; /* only whether there is one counts */
	u32 level;

	begin();
	m->member = member;
	look((struct gmem_compress_how){ .at_rest = true, .known_only = true });
	assert_int_equal(m->store.objects, 0);
	*table_find(m->format, m->root, 3 * PAGE_SIZE, &level) &= ~m->format->dirty;
	*table_find(m->format, m->root, 3 * PAGE_SIZE, &level) |= LEAF_HASHED;
	fake_forget_translations();
	look((struct gmem_compress_how){ .at_rest = true, .known_only = true });
	assert_int_equal(m->store.objects, 1);
	check_page(3);
	look((struct gmem_compress_how){ .at_rest = true });
	assert_int_equal(m->store.objects, PAGES);
	m->member = NULL;
	fake_gmem_end();
}

/* Random bytes do not shrink: they are tried once, and again when they were written. */
static void test_dense(void **state)
{
	u64 refused = gmem_compress_counts.refused;

	begin();
	srand(1);
	for (u32 i = 0; i < PAGE_SIZE; i++)
		fake_guest_write(9 * PAGE_SIZE + i, (u8)rand());
	compress_all();
	compress_all();
	assert_int_equal(m->store.objects, PAGES - 1);
	assert_int_equal(gmem_compress_counts.refused, refused + 1);
	fake_guest_read(9 * PAGE_SIZE);
	compress_all();
	assert_int_equal(gmem_compress_counts.refused, refused + 1);
	fake_forget_translations();
	fake_guest_write(9 * PAGE_SIZE, 1);
	assert_int_equal(gmem_write(m, 9 * PAGE_SIZE, "x", 1), 0); /* the fake vCPU sets no dirty bit, the kernel does */
	compress_all();
	assert_int_equal(gmem_compress_counts.refused, refused + 2);
	fake_gmem_end();
}

/* Without memory a vCPU waits, and so does a write; nobody who reads does. */
static void test_no_memory(void **state)
{
	u8 bytes[2 * 64 + 1];
	u64 word;

	begin();
	compress_all();
	fake_leave(0);
	assert_int_equal(gmem_fault(m, 2 * PAGE_SIZE, false), ERR_NOMEM);
	assert_int_equal(gmem_write(m, 2 * PAGE_SIZE, "x", 1), ERR_NOMEM);
	assert_int_equal(gmem_read(m, 3 * PAGE_SIZE - 128, bytes, sizeof(bytes)), 0);
	assert_int_equal(bytes[0], byte_of(2, PAGE_SIZE - 128));
	assert_int_equal(bytes[64], byte_of(2, PAGE_SIZE - 64));
	assert_int_equal(bytes[128], byte_of(3, 0));
	assert_int_equal(gmem_read_word(m, 2 * PAGE_SIZE + 3, &word), 0);
	assert_int_equal((u8)word, byte_of(2, 0));
	assert_null(gmem_peek(m, 2 * PAGE_SIZE));
	assert_int_equal(m->store.objects, PAGES);
	fake_give_back();
	assert_int_equal(gmem_read(m, 2 * PAGE_SIZE, bytes, 1), 0);
	assert_non_null(gmem_peek(m, 2 * PAGE_SIZE)); /* where there is memory a page that is read is had back */
	check_page(2);
	fake_gmem_end();
}

static void test_taken_away(void **state)
{
	u64 used;

	begin();
	compress_all();
	used = m->account->used - m->store.frames;
	assert_int_equal(gmem_discard(m, 0, PAGES / 2 * PAGE_SIZE), PAGES / 2 * PAGE_SIZE);
	assert_int_equal(m->store.objects, PAGES / 2);
	assert_int_equal(fake_guest_read(PAGE_SIZE), 0);
	check_page(PAGES - 1);
	assert_int_equal(fake_gmem_map(0, (PAGES - 1) * PAGE_SIZE, MAP_HOLE, 0), 0);
	assert_int_equal(m->store.objects + m->store.frames, 0);
	assert_int_equal(m->account->used, used + 1);
	fake_gmem_end();
}

/* Looking for cold pages does not make a guest look idle. */
static void test_working_set(void **state)
{
	struct working_set w = { .random = 1 };

	begin();
	working_set_sample(m, &w);
	for (u32 page = 0; page < PAGES; page++)
		fake_guest_read(page * PAGE_SIZE);
	look((struct gmem_compress_how){ .look = true });
	working_set_sample(m, &w);
	assert_true(w.known);
	assert_int_equal(w.used, 1000);
	fake_gmem_end();
}

static void forget(struct gmem *g)
{
	g->generation++;
}

/* Takes all that it is given; its pages are not asked for again. */
static void take_all(struct gmem *g, u64 *next)
{
	while (*next < g->limit && !gmem_fault(g, *next, true))
		*next += PAGE_SIZE;
	assert_true(*next < g->limit);
}

/* The guest with the highest claim has its full size at any time, however it was compressed, in whatever order it wants
 * its pages back, and whatever another one takes meanwhile. */
static void test_guarantee(void **state)
{
	static struct ledger_account accounts[2];
	static struct gmem first, other;
	const struct ledger_terms terms[2] = { { .full = PAGES + 4 + 1, .shares = 2 }, { .full = 280, .shares = 1 } };
	struct admission a;
	u64 next = 0;

	begin(); /* the zero frame */
	fake_gmem_end();
	ledger_start(PAGE_SIZE, OVERCOMMIT_FULL);
	fake_leave(300);
	assert_int_equal(gmem_init(&first, &table_format_npt, MIB, &accounts[0], 0, forget), 0);
	assert_int_equal(gmem_init(&other, &table_format_npt, 2 * MIB, &accounts[1], 0, forget), 0);
	assert_int_equal(gmem_map(&first, 0, MIB, MAP_RAM, 0), MIB);
	assert_int_equal(gmem_map(&other, 0, 2 * MIB, MAP_RAM, 0), 2 * MIB);
	for (u32 i = 0; i < 2; i++)
		assert_int_equal(ledger_admit(&accounts[i], i + 1, &terms[i], 0, &a), 0);
	srand(1);
	for (u32 i = 0; i < 20 * PAGES; i++) {
		u64 gpa = (i < PAGES ? i : (u64)rand() % PAGES) * PAGE_SIZE;
		u32 bytes = (u32)rand() % 3000;

		take_all(&other, &next);
		assert_int_equal(gmem_fault(&first, gpa, true), 0);
		for (u32 n = 0; n < bytes; n++)
			((u8 *)gmem_peek(&first, gpa))[n] = (u8)rand();
		assert_true(accounts[0].used <= accounts[0].full);
		while (i % (2 * PAGES) == 0 && !gmem_compress(&first, (struct gmem_compress_how){ .at_rest = true }))
			;
	}
	assert_true(first.compressions > 5 * PAGES && accounts[1].used > 200);
	for (u32 i = 0; i < 2; i++) {
		while (!gmem_fini_step(i ? &other : &first))
			;
		ledger_remove(&accounts[i]);
	}
	fake_give_back();
}

/* Nothing that an entry which is not present holds is the address of memory. */
static void test_entry(void **state)
{
	for (u64 at = PAGE_SIZE; at < BIT(50); at = at * 3 + ZSTORE_CHUNK * 5) {
		hpa_t object = { ALIGN_DOWN(at, ZSTORE_CHUNK) };
		u64 entry = gmem_leaf_compressed(object);

		assert_int_equal(gmem_leaf_object(entry).v, object.v);
		assert_true((entry & TABLE_ADDRESS) >= BIT(51));
		assert_false(entry & (table_format_npt.present | table_format_ept.present | LEAF_HASHED | LEAF_ZERO));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_cold), FAKE_TEST(test_how), FAKE_TEST(test_dense),
					    FAKE_TEST(test_no_memory), FAKE_TEST(test_taken_away),
					    FAKE_TEST(test_working_set), FAKE_TEST(test_guarantee),
					    FAKE_TEST(test_entry) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
