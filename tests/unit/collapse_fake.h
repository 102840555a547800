/* A guest of four blocks of 2 MiB for the tests of collapse.c: filled, looked at, checked. */
#ifndef TESTS_UNIT_COLLAPSE_FAKE_H
#define TESTS_UNIT_COLLAPSE_FAKE_H

#include "kernel/collapse.h"
#include "kernel/gmem_leaf.h"
#include "tests/unit/fake_guests.h"

#define NPT (&table_format_npt)
#define BLOCK (2 * MIB)
#define LOOKS 3 /* until a block is collapsed */

static struct table_format ept_plain; /* without accessed and dirty bits */
static const struct table_format *const formats[] = { &table_format_npt, &table_format_ept, &ept_plain };

static inline void start(u32 format, const char *group)
{
	ept_plain = table_format_ept;
	ept_plain.accessed = ept_plain.dirty = 0;
	memset(&collapse_counts, 0, sizeof(collapse_counts));
	fake_guests_start();
	fake_guest_create(0, 4 * BLOCK, group, formats[format]);
}

static struct gmem *const m = &fake_guests[0].m;

static inline u8 content(u64 gpa, u8 salt)
{
	return (u8)((gpa >> PAGE_SHIFT) * 31 + (gpa >> 20) + salt);
}

/* Every page has bytes of its own. */
static inline void fill(u32 g, u64 base, u8 salt)
{
	for (u64 gpa = base; gpa < base + BLOCK; gpa += PAGE_SIZE) {
		u64 page[PAGE_SIZE / 8];

		for (u32 i = 0; i < ARRAY_SIZE(page); i++)
			page[i] = gpa + salt;
		assert_int_equal(gmem_write(&fake_guests[g].m, gpa, page, PAGE_SIZE), 0);
		assert_true(fake_vcpu_write(g, 0, gpa + 7, content(gpa, salt)));
	}
}

static inline void check_filled(u32 g, u64 base, u8 salt)
{
	for (u64 gpa = base; gpa < base + BLOCK; gpa += PAGE_SIZE) {
		u8 byte;
		u64 word;

		assert_true(fake_vcpu_read(g, 1, gpa + 7, &byte));
		assert_int_equal(byte, content(gpa, salt));
		assert_int_equal(gmem_read_word(&fake_guests[g].m, gpa + 8, &word), 0);
		assert_int_equal(word, gpa + salt);
		assert_memory_equal(gmem_peek(&fake_guests[g].m, gpa + 8), &word, 8);
	}
}

/* One pass over the guest's memory. */
static inline void pass(struct collapse *c)
{
	while (!collapse_step(m, c, true))
		;
	fake_guests_check();
}

static inline void looks(u32 count)
{
	struct collapse c = { 0 };

	for (u32 i = 0; i < count; i++)
		pass(&c);
	assert_false(c.block.v);
}

static inline bool is_large(u64 gpa)
{
	u32 level;
	u64 entry = *table_find(m->format, m->root, gpa, &level);

	return level == 1 && entry & m->format->present;
}

static inline void end(void)
{
	u64 free;

	fake_guests_check();
	fake_guest_destroy(0);
	free = frame_count(FRAME_GUEST) + frame_count(FRAME_TABLE) + frame_count(FRAME_MERGED);
	assert_int_equal(fake_guests[1].m.root.v ? 0 : free, 0);
	assert_int_equal(gmem_totals.large, fake_guests[1].m.large_leaves);
}

#endif
