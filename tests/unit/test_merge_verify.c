/* ksm verify: it is content with what is right, and names what is wrong, whatever it is.  ksm matrix: who has what. */
/* links: kernel/merge.c kernel/merge_scan.c kernel/merge_index.c kernel/merge_frame.c kernel/merge_walk.c
 * kernel/merge_verify.c kernel/merge_matrix.c kernel/merge_lookup.c kernel/merge_replace.c kernel/ledger.c
 * kernel/gmem.c kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c kernel/gmem_map.c kernel/gmem_large.c
 * kernel/gmem_region.c kernel/table.c kernel/frame.c kernel/lock.c kernel/lib/digest.c kernel/lib/string.c
 * kernel/lib/fmt.c arch/x86_64/table_format.c tests/unit/fake_guests.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c kernel/merge_stock.c kernel/gmem_uniform.c tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/gmem_compress.h"
#include "kernel/gmem_leaf.h"
#include "kernel/guest.h"
#include "kernel/merge_matrix.h"
#include "kernel/merge_verify.h"
#include "tests/unit/fake_guests.h"

const u64 fake_frames = 8192;
const u32 fake_cpu_count = 1;

static u32 held, guests;

struct gmem *guest_gmem_next(u32 *id)
{
	*id = *id < guests ? *id + 1 : 0;
	return *id ? &fake_guests[(*id - 1) % FAKE_GUESTS].m : NULL;
}

void merge_hold_scanner(void) { held++; }
void merge_release_scanner(void) { held--; }

/* Three guests; the first two share pages 0 to 7, and 0 with their page 9, the third is of another group. */
static void start(void)
{
	fake_guests_start();
	guests = 3;
	fake_guest_create(0, MIB, "a", &table_format_npt);
	fake_guest_create(1, MIB, "a", &table_format_npt);
	fake_guest_create(2, MIB, "b", &table_format_ept);
	for (u32 g = 0; g < 3; g++) {
		for (u64 i = 0; i < 8 * PAGE_SIZE; i += 64)
			assert_true(fake_vcpu_write(g, 0, i, (u8)(i / PAGE_SIZE + 1)));
		for (u64 i = 0; i < PAGE_SIZE; i += 64)
			assert_true(fake_vcpu_write(g, 0, 9 * PAGE_SIZE + i, 1));
		assert_true(fake_vcpu_write(g, 0, 10 * PAGE_SIZE, 0)); /* a page of zeroes */
		assert_true(fake_vcpu_write(g, 0, 11 * PAGE_SIZE, (u8)(100 + g)));
	}
	for (u32 i = 0; i < 3; i++)
		fake_merge_pass();
	fake_guests_check();
}

static const struct merge_verify *verify(void)
{
	const struct merge_verify *result;
	int more = merge_verify_step(true, &result);

	while (more == 1)
		more = merge_verify_step(false, &result);
	assert_int_equal(more, 0);
	assert_int_equal(held, 0);
	return result;
}

static void expect(u32 guest, u64 gpa, const char *text)
{
	const struct merge_verify *result = verify();

	if (!strstr(result->what, text))
		fail_msg("it says '%s', not '%s'", result->what, text);
	assert_int_equal(result->guest, guest);
	assert_int_equal(result->gpa, gpa);
}

static u64 *entry_of(u32 g, u64 gpa)
{
	u32 level;

	return table_find(fake_guests[g].m.format, fake_guests[g].m.root, gpa, &level);
}

static void test_clean(void **state)
{
	const struct merge_verify *result;
	u64 free;

	start();
	free = frame_count(FRAME_FREE);
	result = verify();
	assert_string_equal(result->what, "");
	assert_int_equal(result->guests, 3);
	assert_int_equal(result->leaves, 3 * 11);
	assert_int_equal(result->frames, 8 + 1); /* and the third guest's page that it has twice */
	assert_int_equal(result->undecided, 0);
	assert_int_equal(frame_count(FRAME_FREE), free);
}

/* Compressed pages are content with what is right, too, and are looked into. */
static void test_compressed(void **state)
{
	const struct merge_verify *result;
	struct gmem *m;
	u64 gpa = 11 * PAGE_SIZE;

	start();
	m = &fake_guests[1].m;
	while (!gmem_compress(m, (struct gmem_compress_how){ .at_rest = true }))
		;
	assert_int_equal(m->store.objects, 1); /* all else is merged */
	result = verify();
	assert_string_equal(result->what, "");
	assert_int_equal(result->leaves, 3 * 11);
	m->store.objects++;
	expect(2, 0, "its count of compressed pages is 2, and 1 are mapped");
	m->store.objects--;
	memset(hpa_pointer(gmem_leaf_object(*entry_of(1, gpa))), 0xff, ZSTORE_CHUNK);
	expect(2, gpa, "a compressed page cannot be decompressed");
}

static void test_in_many_windows(void **state)
{
	start();
	fake_leave(1); /* cells for 512 frames: 16 windows */
	assert_string_equal(verify()->what, "");
	assert_int_equal(verify()->frames, 9);
	frame_get((hpa_t){ fake_frame(0, 0x3000) });
	expect(0, 0, "has 3 references, and 2 leaves map it");
	fake_leave(0);
	assert_int_equal(merge_verify_step(true, &(const struct merge_verify *){ NULL }), ERR_NOMEM);
	assert_int_equal(held, 0);
	fake_give_back();
}

static void test_references(void **state)
{
	start();
	frame_get((hpa_t){ fake_frame(0, 0) });
	expect(0, 0, "has 5 references, and 4 leaves map it");
	frame_put((hpa_t){ fake_frame(0, 0) });
	frame_put((hpa_t){ fake_frame(0, 0) });
	expect(2, 0x9000, "its frame has 3 references, and 4 leaves");
	frame_get((hpa_t){ fake_frame(0, 0) });
	frame_get((hpa_t){ fake_frame(1, 0xb000) }); /* its own, that no other knows of */
	expect(2, 0xb000, "has 2 references");
}

static void test_rights(void **state)
{
	start();
	*entry_of(1, 0x2000) |= table_format_npt.write;
	expect(2, 0x2000, "a shared frame is writable");
	*entry_of(1, 0x2000) &= ~table_format_npt.write;
	*entry_of(0, 0xa000) |= table_format_npt.write; /* the zero frame */
	expect(1, 0xa000, "a shared frame is writable");
}

static void test_counters(void **state)
{
	start();
	fake_guests[2].m.private_pages++;
	expect(3, 0, "own pages is 9, and 8");
	fake_guests[2].m.private_pages--;
	fake_guests[1].m.given_pages--;
	expect(2, 0, "given back is 0, and 1");
	fake_guests[1].m.given_pages++;
	fake_guests[0].m.merged_pages++;
	expect(1, 0, "merged pages is 10, and 9");
}

/* What the ledger has for a guest is what it has, or memory is lost, or given twice. */
static void test_account(void **state)
{
	struct gmem *m;

	start();
	m = &fake_guests[1].m;
	m->account->used++;
	expect(2, 0, "the ledger has 6 frames for it; it has 1 own, 4 tables, 0 compressed");
	m->account->used -= 2;
	expect(2, 0, "the ledger has 4 frames");
	m->account->used++;
	while (!gmem_compress(m, (struct gmem_compress_how){ .at_rest = true }))
		;
	assert_string_equal(verify()->what, "");
	m->account->used--;
	expect(2, 0, " tables, 1 compressed");
}

static void test_content(void **state)
{
	start();
	((u8 *)fake_frame(0, 0x5000))[4095] ^= 1;
	expect(0, 0, "its content is not what its digest says");
	((u8 *)fake_frame(0, 0x5000))[4095] ^= 1;
	((u8 *)gmem_zero_frame.v)[7] = 1;
	expect(0, 0, "zero frame");
	((u8 *)gmem_zero_frame.v)[7] = 0;
	assert_string_equal(verify()->what, "");
}

/* Guest b's page on a frame of group a, counted in every way as it should be. */
static void test_groups(void **state)
{
	hpa_t own, stranger;

	start();
	own = (hpa_t){ fake_frame(2, 0) };
	stranger = (hpa_t){ fake_frame(0, 0x1000) };
	*entry_of(2, 0) = (*entry_of(2, 0) & ~TABLE_ADDRESS) | stranger.v;
	frame_get(stranger);
	frame_put(own);
	expect(3, 0, "a frame of share group 1 in a guest of group 2");
}

/* A file's page, which guest b got although the file is group a's. */
static void test_file_of_a_group(void **state)
{
	hpa_t file;
	u8 value;

	start();
	file = frame_alloc_zero(0, FRAME_FILE);
	assert_true(merge_own_frames(&fake_guests[0].m, file, 1));
	for (u32 g = 0; g < 3; g += 2) {
		assert_int_equal(gmem_map(&fake_guests[g].m, 0, PAGE_SIZE, MAP_FILE, file.v), PAGE_SIZE);
		assert_true(fake_vcpu_read(g, 0, 0, &value));
		if (g)
			expect(3, 0, "a file's frame of share group 1 in a guest of group 2");
		else
			assert_string_equal(verify()->what, "");
	}
}

static void test_matrix(void **state)
{
	const struct merge_matrix *matrix;
	int more;

	start();
	for (more = merge_matrix_step(true, &matrix); more == 1;)
		more = merge_matrix_step(false, &matrix);
	assert_int_equal(more, 0);
	assert_int_equal(matrix->count, 3);
	for (u32 a = 0; a < 3; a++) {
		assert_int_equal(matrix->rows[a].guest, a + 1);
		assert_int_equal(matrix->rows[a].self, 1);
		assert_int_equal(matrix->rows[a].given, 1);
		assert_int_equal(matrix->rows[a].zero, 0);
		for (u32 b = 0; b < 3; b++)
			assert_int_equal(matrix->rows[a].with[b], a != b && a < 2 && b < 2 ? 8 : 0);
	}
}

/* Guests beyond the last row are told of, in however many windows; as if the same were there again and again. */
static void test_matrix_of_many(void **state)
{
	const struct merge_matrix *matrix;

	start();
	fake_guest_create(3, MIB, "a", &table_format_npt);
	fake_leave(1);
	guests = MERGE_ROWS;
	for (int more = merge_matrix_step(true, &matrix); more == 1;)
		more = merge_matrix_step(false, &matrix);
	assert_int_equal(matrix->count, MERGE_ROWS);
	assert_int_equal(matrix->further, 0);
	guests = MERGE_ROWS + 6;
	for (int more = merge_matrix_step(true, &matrix); more == 1;)
		more = merge_matrix_step(false, &matrix);
	assert_int_equal(matrix->count, MERGE_ROWS);
	assert_int_equal(matrix->further, 6);
	assert_int_equal(matrix->rows[MERGE_ROWS - 1].guest, MERGE_ROWS);
	assert_int_equal(matrix->rows[0].with[FAKE_GUESTS], 8); /* the same guest: all its merged frames */
	fake_give_back();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_clean), FAKE_TEST(test_compressed), FAKE_TEST(test_in_many_windows), FAKE_TEST(test_references),
		FAKE_TEST(test_rights), FAKE_TEST(test_counters), FAKE_TEST(test_account), FAKE_TEST(test_content),
		FAKE_TEST(test_groups), FAKE_TEST(test_file_of_a_group), FAKE_TEST(test_matrix), FAKE_TEST(test_matrix_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
