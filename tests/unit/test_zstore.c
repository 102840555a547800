/* The store of compressed pages against a list of what is in it, and LZ4 as the kernel uses it. */
/* links: kernel/zstore.c kernel/lz4.c kernel/frame.c kernel/lock.c tests/unit/fake_arch.c tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lz4.h"
#include "kernel/zstore.h"
#include "tests/unit/fake_arch.h"

#define OBJECTS 700

const u64 fake_frames = 1024;
const u32 fake_cpu_count = 1;

static struct zstore store;
static struct held {
	hpa_t at;
	u32 len;
	u8 fill;
} held[OBJECTS];

static u32 random_of(u32 below)
{
	static u64 state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state >> 16) % below;
}

/* As gmem does: the page's frame is the store's, or is put. */
static void put(struct held *h, u32 len)
{
	hpa_t spare = frame_alloc(0, FRAME_GUEST);
	u8 bytes[ZSTORE_MOST];
	bool taken;

	assert_true(spare.v);
	h->len = len;
	h->fill = (u8)random_of(256);
	memset(bytes, h->fill, len);
	h->at = zstore_put(&store, bytes, len, spare, &taken);
	if (!taken)
		frame_put(spare);
	assert_int_equal(h->at.v % ZSTORE_CHUNK, 0);
	assert_true(zstore_holds(h->at));
}

static void check(const struct held *h)
{
	u32 len;
	const u8 *bytes = zstore_get(h->at, &len);

	assert_int_equal(len, h->len);
	for (u32 i = 0; i < len; i++)
		assert_int_equal(bytes[i], h->fill);
}

static void drop(struct held *h)
{
	u64 frames = frame_count(FRAME_COMPRESSED);
	bool last;

	check(h);
	last = zstore_drop(&store, h->at);
	assert_int_equal(last, frame_count(FRAME_COMPRESSED) == frames - 1);
	h->len = 0;
}

static void check_counts(void)
{
	u64 objects = 0, chunks = 0;

	for (u32 i = 0; i < OBJECTS; i++) {
		objects += held[i].len ? 1 : 0;
		chunks += held[i].len ? (held[i].len + 2 + 63) / 64 : 0;
	}
	assert_int_equal(store.objects, objects);
	assert_int_equal(store.frames, frame_count(FRAME_COMPRESSED));
	assert_true(store.frames <= objects); /* never more than the pages had */
	assert_true(chunks <= store.frames * (ZSTORE_CHUNKS - 1));
}

static void test_random(void **state)
{
	for (u32 round = 0; round < 20000; round++) {
		struct held *h = &held[random_of(OBJECTS)];

		if (h->len)
			drop(h);
		else
			put(h, 1 + random_of(random_of(4) ? 1500 : ZSTORE_MOST));
		if (round % 1000 == 0)
			check_counts();
	}
	for (u32 i = 0; i < OBJECTS; i++)
		if (held[i].len)
			drop(&held[i]);
	check_counts();
	assert_int_equal(store.has_room, 0);
	assert_int_equal(frame_count(FRAME_GUEST) + frame_count(FRAME_COMPRESSED), 0);
}

/* Pages that become a third each need little more than a third of their frames. */
static void test_packing(void **state)
{
	for (u32 i = 0; i < OBJECTS; i++)
		put(&held[i], 700 + random_of(1200));
	check_counts();
	assert_in_range(store.frames, OBJECTS * 1300 / 4096, OBJECTS * 1300 / 4096 * 112 / 100);
	for (u32 i = 0; i < OBJECTS; i++)
		drop(&held[i]);
}

/* Where there is no frame left in the host, pages still go in: each brings its own. */
static void test_no_memory(void **state)
{
	hpa_t pages[8];
	u8 bytes[ZSTORE_MOST] = { 1 };
	bool taken;

	for (u32 i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = frame_alloc(0, FRAME_GUEST);
	fake_leave(0);
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		held[i] = (struct held){ zstore_put(&store, bytes, ZSTORE_MOST, pages[i], &taken), ZSTORE_MOST, 0 };
		assert_true(taken); /* two of the largest never fit into one */
		assert_int_equal(held[i].at.v & PAGE_MASK, pages[i].v);
	}
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		assert_true(zstore_drop(&store, held[i].at));
		held[i].len = 0;
	}
	assert_int_equal(frame_count(FRAME_FREE), ARRAY_SIZE(pages));
	fake_give_back();
}

static void test_holds(void **state)
{
	hpa_t other = frame_alloc_zero(0, FRAME_GUEST);

	put(&held[0], 100);
	put(&held[1], 100);
	assert_false(zstore_holds(other));
	assert_false(zstore_holds((hpa_t){ held[0].at.v & PAGE_MASK }));
	assert_false(zstore_holds((hpa_t){ held[0].at.v + ZSTORE_CHUNK })); /* its middle */
	drop(&held[0]);
	assert_false(zstore_holds(held[0].at));
	drop(&held[1]);
	frame_put(other);
}

static void test_lz4(void **state)
{
	static u64 work[LZ4_WORK_SIZE / 8];
	static u8 page[PAGE_SIZE], packed[ZSTORE_MOST], back[PAGE_SIZE];
	u32 len;

	for (u32 period = 1; period < 300; period += 7) {
		for (u32 i = 0; i < PAGE_SIZE; i++)
			page[i] = (u8)(i % period * 29 + i / 1000);
		len = lz4_pack(page, packed, ZSTORE_MOST, work);
		assert_in_range(len, 1, ZSTORE_MOST);
		assert_true(lz4_unpack(packed, len, back));
		assert_memory_equal(page, back, PAGE_SIZE);
		assert_false(lz4_unpack(packed, len - 1, back));
	}
	for (u32 i = 0; i < PAGE_SIZE; i++)
		page[i] = (u8)random_of(256);
	assert_int_equal(lz4_pack(page, packed, ZSTORE_MOST, work), 0);
	assert_false(lz4_unpack(page, 100, back));
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_random), FAKE_TEST(test_packing), FAKE_TEST(test_no_memory),
					    FAKE_TEST(test_holds), FAKE_TEST(test_lz4) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
