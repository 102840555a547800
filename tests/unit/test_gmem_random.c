/* Guest memory under long random use by vCPUs, the kernel and remapping, against an array of bytes. */
/* links: kernel/gmem.c kernel/gmem_map.c kernel/gmem_region.c kernel/table.c kernel/frame.c kernel/lock.c
 * arch/x86_64/table_format.c tests/unit/fake_gmem.c tests/unit/fake_arch.c tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/fake_gmem.h"

const u64 fake_frames = 1024;
const u32 fake_cpu_count = 1;

#define PAGES 64
#define FILE_PAGES 16

/* Two places, 32 pages each: around a border of two page tables, and at the top of what there can be. */
static u64 gpa_of(u32 page)
{
	return page < 32 ? 2 * MIB - 16 * PAGE_SIZE + page * PAGE_SIZE : GMEM_TOP - (64 - page) * PAGE_SIZE;
}

static struct page {
	enum map_kind kind;
	u8 bytes[PAGE_SIZE];
} model[PAGES];

static u64 file;
static u32 refused, written, faulted, discarded;

static u32 pick(u32 below)
{
	return (u32)random() % below;
}

/* ---- the model ---- */

static bool whole(u32 page, u64 offset, u64 len, bool write)
{
	for (u64 at = 0; at < offset + len; at += PAGE_SIZE, page++)
		if ((at && page == 32) || page >= PAGES || model[page].kind == MAP_HOLE ||
		    (write && model[page].kind == MAP_ROM))
			return false;
	return true;
}

static void model_map(u32 page, u32 count, enum map_kind kind, u64 source)
{
	for (u32 i = 0; i < count; i++) {
		struct page *p = &model[page + i];

		p->kind = kind;
		for (u64 b = 0; b < PAGE_SIZE; b++)
			p->bytes[b] = source ? fake_file_byte(source - file + i * PAGE_SIZE + b) : 0;
	}
}

static u8 *model_byte(u32 page, u64 offset)
{
	return &model[page + offset / PAGE_SIZE].bytes[offset % PAGE_SIZE];
}

/* ---- the operations ---- */

static void do_map(void)
{
	u32 page = pick(PAGES), end = page < 32 ? 32 : PAGES, count = 1 + pick(MIN(end - page, 8));
	enum map_kind kind = pick(4);
	bool from_file = kind == MAP_FILE || (kind == MAP_ROM && pick(2));
	u64 source = from_file ? file + pick(FILE_PAGES - 8) * PAGE_SIZE : 0;
	int error = fake_gmem_map(gpa_of(page), count * PAGE_SIZE, kind, source);

	if (!error)
		model_map(page, count, kind, source);
	else
		refused++;
	assert_true(!error || error == ERR_NOMEM || error == ERR_TOOBIG);
}

static void do_discard(void)
{
	u32 page = pick(PAGES), end = page < 32 ? 32 : PAGES, count = 1 + pick(MIN(end - page, 8));
	bool ram = true;

	for (u32 i = 0; i < count; i++)
		ram = ram && model[page + i].kind != MAP_HOLE && model[page + i].kind != MAP_ROM;
	for (u64 done = 0; done < count * PAGE_SIZE;) {
		s64 part = gmem_discard(&fake_gmem, gpa_of(page) + done, count * PAGE_SIZE - done);

		if (part < 0) {
			assert_true((part == ERR_FAULT && !ram) || part == ERR_NOMEM);
			return;
		}
		for (s64 i = 0; i < part; i += PAGE_SIZE)
			memset(model[page + (done + (u64)i) / PAGE_SIZE].bytes, 0, PAGE_SIZE);
		done += (u64)part;
	}
	assert_true(ram);
	discarded++;
}

static void do_guest_access(void)
{
	u32 page = pick(PAGES);
	u64 offset = pick(PAGE_SIZE), gpa = gpa_of(page) + offset;
	bool write = pick(2);

	if (!whole(page, offset, 1, write)) {
		assert_int_equal(gmem_fault(&fake_gmem, gpa, write), ERR_FAULT);
		return;
	}
	if (gmem_fault(&fake_gmem, gpa, write) == ERR_NOMEM) {
		faulted++;
		return;
	}
	if (write)
		fake_guest_write(gpa, *model_byte(page, offset) = (u8)random());
	else
		assert_int_equal(fake_guest_read(gpa), *model_byte(page, offset));
}

static void do_write(void)
{
	static u8 bytes[3 * PAGE_SIZE];
	u32 page = pick(PAGES);
	u64 offset = pick(PAGE_SIZE), len = pick(2) ? 1 + pick(40) : 1 + pick(sizeof(bytes));
	int error;

	for (u64 i = 0; i < len; i++)
		bytes[i] = (u8)random();
	error = gmem_write(&fake_gmem, gpa_of(page) + offset, bytes, len);
	if (!whole(page, offset, len, true)) {
		assert_int_equal(error, ERR_FAULT);
	} else if (error == ERR_NOMEM) { /* a beginning of it was written */
		u8 byte;
		u64 i = 0;

		for (; i < len; i++) {
			assert_int_equal(gmem_read(&fake_gmem, gpa_of(page) + offset + i, &byte, 1), 0);
			if (byte != bytes[i] && byte != *model_byte(page, offset + i))
				fail_msg("byte %lu is neither old nor new", (unsigned long)i);
			*model_byte(page, offset + i) = byte;
		}
		written++;
	} else {
		assert_int_equal(error, 0);
		for (u64 i = 0; i < len; i++)
			*model_byte(page, offset + i) = bytes[i];
	}
}

static void do_read(void)
{
	static u8 bytes[3 * PAGE_SIZE];
	u32 page = pick(PAGES);
	u64 offset = pick(PAGE_SIZE), len = pick(2) ? 1 + pick(40) : 1 + pick(sizeof(bytes));
	int error = gmem_read(&fake_gmem, gpa_of(page) + offset, bytes, len);

	assert_int_equal(error, whole(page, offset, len, false) ? 0 : ERR_FAULT);
	for (u64 i = 0; !error && i < len; i++)
		if (bytes[i] != *model_byte(page, offset + i))
			fail_msg("page %u: byte %lu is %x", page, (unsigned long)(offset + i), bytes[i]);
}

static void check_counts(void)
{
	u64 own = 0, shared = 0;

	for (u32 page = 0; page < PAGES; page++) {
		u32 level;
		u64 entry = *table_find(fake_gmem.format, fake_gmem.root, gpa_of(page), &level);

		if (!(entry & 1))
			continue;
		if (frame_kind_of((hpa_t){ entry & TABLE_ADDRESS }) == FRAME_GUEST)
			own++;
		else
			shared++;
	}
	assert_int_equal(own, fake_gmem.private_pages);
	assert_int_equal(shared, fake_gmem.shared_pages);
	assert_int_equal(own, frame_count(FRAME_GUEST));
	assert_int_equal(fake_gmem.tables, frame_count(FRAME_TABLE));
	fake_check_translations();
}

static void test_random(void **state)
{
	static void (*const operations[])(void) = { do_map, do_discard, do_guest_access, do_guest_access, do_guest_access,
						    do_guest_access, do_read, do_write };

	file = fake_file(FILE_PAGES);
	srandom(11);
	for (u32 run = 0; run < 6; run++) {
		memset(model, 0, sizeof(model));
		fake_gmem_start(run % 2 ? PAGES * PAGE_SIZE : 48 * PAGE_SIZE);
		for (u32 i = 0; i < 12000; i++) {
			if (i % 500 == 250)
				fake_leave(pick(4));
			if (i % 500 == 300)
				fake_give_back();
			operations[pick(ARRAY_SIZE(operations))]();
			if (i % 16 == 0)
				check_counts();
		}
		fake_give_back();
		fake_gmem_end();
	}
	assert_true(refused > 50 && faulted > 10 && written > 2 && discarded > 500); /* all of it was tried */
	for (u32 i = 0; i < FILE_PAGES; i++) {
		assert_int_equal(frame_refs((hpa_t){ file + i * PAGE_SIZE }), 1);
		assert_int_equal(*(u8 *)(file + i * PAGE_SIZE + 5), fake_file_byte(i * PAGE_SIZE + 5));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
