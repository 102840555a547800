/* The kernel heap: sizes, alignment, zeroed memory, objects that do not overlap, running out. */
/* links: kernel/heap.c kernel/frame.c kernel/lock.c tests/unit/fake_arch.c tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/heap.h"
#include "tests/unit/fake_arch.h"

#define FRAMES 2048

const u64 fake_frames = FRAMES;
const u32 fake_cpu_count = 2;

/* The heap keeps free objects from one test to the next, in RAM that is gone: one test holds them all. */

static void check_size(size_t size)
{
	u64 align = 32;
	u8 *p = heap_alloc(size);

	assert_non_null(p);
	while (align < size && align < PAGE_SIZE)
		align *= 2;
	assert_int_equal((u64)p % align, 0);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(p[i], 0);
	memset(p, 0xff, size);
	heap_free(p, size);
}

static void check_sizes(void)
{
	static const size_t sizes[] = { 1, 8, 31, 32, 33, 64, 100, 2047, 2048, 2049, 4095, 4096, 4097, 65536,
					65537, HEAP_MAX - 1, HEAP_MAX };

	for (u32 round = 0; round < 2; round++) /* the second time from what the first gave back */
		for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
			check_size(sizes[i]);
	assert_null(heap_alloc(HEAP_MAX + 1));
	assert_null(heap_alloc(SIZE_MAX));
	heap_free(NULL, 100);
}

static void check_large_comes_back(void)
{
	u64 before = frame_count(FRAME_FREE);
	void *p = heap_alloc(3 * PAGE_SIZE);

	assert_int_equal(before - frame_count(FRAME_FREE), 4); /* the next power of two */
	heap_free(p, 3 * PAGE_SIZE);
	assert_int_equal(frame_count(FRAME_FREE), before);
}

struct object {
	u8 *at;
	size_t size;
	u8 mark;
};

static void check_overlaps(void)
{
	static struct object objects[300];
	u32 count = 0;

	srandom(3);
	for (u32 round = 0; round < 40000; round++) {
		if (count < ARRAY_SIZE(objects) && random() % 2) {
			size_t most = random() % 8 ? 500 : 20000;
			struct object o = { .size = 1 + (size_t)random() % most, .mark = (u8)round };

			o.at = heap_alloc(o.size);
			assert_non_null(o.at);
			memset(o.at, o.mark, o.size);
			objects[count++] = o;
		} else if (count) {
			u32 pick = (u32)random() % count;
			struct object *o = &objects[pick];

			for (size_t i = 0; i < o->size; i++)
				if (o->at[i] != o->mark)
					fail_msg("byte %zu of an object of %zu was overwritten", i, o->size);
			heap_free(o->at, o->size);
			*o = objects[--count];
		}
	}
	while (count--)
		heap_free(objects[count].at, objects[count].size);
}

static void check_running_out(void)
{
	u32 count = 0;
	u8 *all[256];

	fake_leave(1); /* one frame: two objects of 2 KiB besides those that are free now */
	while (count < 256 && (all[count] = heap_alloc(2048)))
		count++;
	assert_in_range(count, 2, 254);
	assert_int_equal(frame_count(FRAME_FREE), 0);
	assert_null(heap_alloc(2048));
	assert_null(heap_alloc(PAGE_SIZE));
	heap_free(all[--count], 2048);
	assert_non_null(heap_alloc(2048));
	while (count)
		heap_free(all[--count], 2048);
	fake_give_back();
}

static void test_heap(void **state)
{
	check_sizes();
	check_large_comes_back();
	check_overlaps();
	check_running_out();
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_heap) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
