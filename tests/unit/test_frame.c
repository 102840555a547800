/* The buddy allocator: counts that are exact, blocks that are aligned and do not overlap, references. */
/* links: kernel/frame.c kernel/lock.c tests/unit/fake_arch.c tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/fake_arch.h"

#define FRAMES 2048 /* 8 MiB: four blocks of 2 MiB, the first without its frame 0 */

const u64 fake_frames = FRAMES;
const u32 fake_cpu_count = 2;

static u64 index_of(hpa_t at)
{
	return (at.v - (u64)fake_ram) / PAGE_SIZE;
}

static void test_counts_at_start(void **state)
{
	assert_int_equal(frame_total(), FRAMES - 1); /* index 0 ends lists */
	assert_int_equal(frame_count(FRAME_FREE), FRAMES - 1);
	assert_int_equal(frame_count(FRAME_GUEST), 0);
}

static void test_blocks_are_aligned(void **state)
{
	for (u32 order = 0; order < FRAME_ORDERS; order++) {
		hpa_t at = frame_alloc(order, FRAME_KERNEL);

		assert_true(at.v);
		assert_int_equal(at.v % (PAGE_SIZE << order), 0);
		assert_int_equal(frame_count(FRAME_KERNEL), 1 << order);
		assert_int_equal(frame_count(FRAME_FREE), FRAMES - 1 - (1 << order));
		frame_put(at);
		assert_int_equal(frame_count(FRAME_KERNEL), 0);
	}
	assert_int_equal(frame_count(FRAME_FREE), FRAMES - 1);
}

/* Everything can be taken as single frames, each once, and merges again into the largest blocks. */
static void test_exhaustion_and_merge(void **state)
{
	static u8 seen[FRAMES];
	static hpa_t all[FRAMES];
	u32 blocks = 0;

	memset(seen, 0, sizeof(seen));
	for (u32 i = 0; i < FRAMES - 1; i++) {
		all[i] = frame_alloc(0, FRAME_GUEST);
		assert_true(all[i].v);
		assert_true(index_of(all[i]) < FRAMES);
		assert_false(seen[index_of(all[i])]++);
	}
	assert_false(seen[0]);
	assert_int_equal(frame_count(FRAME_FREE), 0);
	for (u32 order = 0; order < FRAME_ORDERS; order++)
		assert_int_equal(frame_alloc(order, FRAME_GUEST).v, 0);
	for (u32 i = 0; i < FRAMES - 1; i++)
		frame_put(all[i * 997 % (FRAMES - 1)]); /* prime to it: each once */
	while ((all[blocks] = frame_alloc(FRAME_ORDER_2M, FRAME_GUEST)).v)
		blocks++;
	assert_int_equal(blocks, FRAMES / 512 - 1);
	while (blocks)
		frame_put(all[--blocks]);
}

static void test_no_such_order(void **state)
{
	for (u32 order = FRAME_ORDERS; order < FRAME_ORDERS + 3; order++)
		assert_int_equal(frame_alloc(order, FRAME_KERNEL).v, 0);
	assert_int_equal(frame_count(FRAME_FREE), FRAMES - 1);
}

static void test_references(void **state)
{
	hpa_t at = frame_alloc_zero(0, FRAME_TABLE);

	for (u32 i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(((u8 *)hpa_pointer(at))[i], 0);
	assert_int_equal(frame_kind_of(at), FRAME_TABLE);
	assert_int_equal(frame_refs(at), 1);
	frame_get(at);
	frame_get(at);
	assert_int_equal(frame_refs(at), 3);
	frame_put(at);
	frame_put(at);
	assert_int_equal(frame_count(FRAME_TABLE), 1);
	frame_put(at);
	assert_int_equal(frame_count(FRAME_TABLE), 0);
	assert_int_equal(frame_kind_of(at), FRAME_FREE);
}

static void test_split_block(void **state)
{
	hpa_t at = frame_alloc(4, FRAME_GUEST);

	frame_split(at);
	for (u32 i = 0; i < 16; i++) {
		hpa_t frame = { at.v + i * PAGE_SIZE };

		assert_int_equal(frame_refs(frame), 1);
		assert_int_equal(frame_kind_of(frame), FRAME_GUEST);
		frame_put(frame);
		assert_int_equal(frame_count(FRAME_GUEST), 15 - i);
	}
	assert_int_equal(frame_count(FRAME_FREE), FRAMES - 1);
	assert_int_equal(frame_alloc(FRAME_ORDER_2M, FRAME_GUEST).v % (2 * MIB), 0);
}

/* Ranges as a firmware may tell them: outside, wrapping, empty, overlapping, twice. */
static void test_hostile_ranges(void **state)
{
	u64 base = (u64)fake_ram, end = base + FRAMES * PAGE_SIZE, free = frame_count(FRAME_FREE);
	hpa_t at = frame_alloc(0, FRAME_KERNEL);

	frame_add(base - 4 * PAGE_SIZE, 4 * PAGE_SIZE, 0);
	frame_add(end, 64 * PAGE_SIZE, 3);
	frame_add(0, 16 * PAGE_SIZE, 0);
	frame_add(UINT64_MAX & PAGE_MASK, 8 * PAGE_SIZE, 0);
	frame_add(base, 0, 0);
	frame_claim(end, 64 * PAGE_SIZE, FRAME_FILE);
	assert_int_equal(frame_total(), FRAMES - 1);
	frame_add(base, FRAMES * PAGE_SIZE, 1);             /* all of it is somebody's already */
	frame_claim(base, FRAMES * PAGE_SIZE, FRAME_FILE);
	assert_int_equal(frame_total(), FRAMES - 1);
	assert_int_equal(frame_count(FRAME_FREE), free - 1);
	assert_int_equal(frame_count(FRAME_FILE), 0);
	assert_int_equal(frame_kind_of(at), FRAME_KERNEL);
	frame_put(at);
	assert_int_equal(frame_count(FRAME_FREE), free);
}

/* Two nodes share a border inside of a 2 MiB block: no block spans it, and both are used. */
static void test_nodes_do_not_merge(void **state)
{
	struct frame *table = calloc(1024, sizeof(*table));
	u64 border = (u64)fake_ram + 300 * PAGE_SIZE, end = (u64)fake_ram + 1024 * PAGE_SIZE, got = 0;

	frame_init(table, (u64)fake_ram, 1024);
	frame_add((u64)fake_ram, border - (u64)fake_ram, 0);
	frame_add(border, end - border, 1);
	for (int order = FRAME_ORDER_2M; order >= 0; order--)
		for (hpa_t at; (at = frame_alloc((u32)order, FRAME_GUEST)).v; got += 1u << order) {
			u64 last = at.v + (PAGE_SIZE << order) - 1;

			assert_true(last < border || at.v >= border);
		}
	assert_int_equal(got, 1023);
	free(table);
}

/* A node's own frames first, then the others'. */
static void test_near(void **state)
{
	struct frame *table = calloc(1024, sizeof(*table));
	u64 border = (u64)fake_ram + 512 * PAGE_SIZE;
	hpa_t at[1024];

	frame_init(table, (u64)fake_ram, 1024);
	frame_add((u64)fake_ram, 512 * PAGE_SIZE, 0);
	frame_add(border, 512 * PAGE_SIZE, 1);
	assert_int_equal(frame_free_near(0), 511);
	assert_int_equal(frame_free_near(1), 512);
	for (u32 i = 0; i < 1023; i++) {
		at[i] = frame_alloc_near(1, 0, FRAME_GUEST);
		assert_int_equal(at[i].v >= border, i < 512);
		assert_int_equal(frame_node(at[i]), i < 512);
		assert_int_equal(frame_free_near(0) + frame_free_near(1), 1022 - i);
	}
	assert_int_equal(frame_alloc_near(1, 0, FRAME_GUEST).v, 0);
	for (u32 i = 0; i < 1023; i++)
		frame_put(at[i]);
	assert_int_equal(frame_free_near(0), 511);
	assert_true(frame_alloc_near(1, FRAME_ORDER_2M, FRAME_GUEST).v >= border);
	assert_true(frame_alloc(0, FRAME_KERNEL).v < border);
	free(table);
}

static void test_claimed_frames_can_be_put(void **state)
{
	struct frame *table = calloc(64, sizeof(*table));

	frame_init(table, (u64)fake_ram, 64);
	frame_claim((u64)fake_ram + 8 * PAGE_SIZE, 4 * PAGE_SIZE, FRAME_FILE);
	assert_int_equal(frame_count(FRAME_FILE), 4);
	assert_int_equal(frame_alloc(0, FRAME_GUEST).v, 0);
	for (u32 i = 8; i < 12; i++)
		frame_put((hpa_t){ (u64)fake_ram + i * PAGE_SIZE });
	assert_int_equal(frame_count(FRAME_FILE), 0);
	assert_int_equal(frame_count(FRAME_FREE), 4);
	assert_true(frame_alloc(2, FRAME_GUEST).v);
	free(table);
}

/* ---- random operations against a model ---- */

struct block {
	hpa_t at;
	u32 order, refs;
};

#define BLOCKS 400

static u8 owner[FRAMES]; /* 1: the model says that the frame is in use */

static void mark(hpa_t at, u32 order, u8 value)
{
	for (u32 i = 0; i < 1u << order; i++) {
		assert_int_equal(owner[index_of(at) + i], !value);
		owner[index_of(at) + i] = value;
	}
}

static u32 largest_free(void)
{
	for (int order = FRAME_ORDER_2M; order >= 0; order--)
		for (u64 i = 0; i < FRAMES; i += 1u << order) {
			bool free = i != 0;

			for (u32 k = 0; free && k < 1u << order; k++)
				free = !owner[i + k];
			if (free)
				return (u32)order;
		}
	return FRAME_ORDERS;
}

static void test_random_against_model(void **state)
{
	static struct block blocks[BLOCKS];
	u32 count = 0;
	u64 used = 0;

	srandom(7);
	memset(owner, 0, sizeof(owner));
	for (u32 round = 0; round < 60000; round++) {
		u32 order = (u32)random() % 3 ? (u32)random() % 3 : (u32)random() % FRAME_ORDERS, pick;

		if (count < BLOCKS && random() % 100 < 52) {
			hpa_t at = frame_alloc(order, FRAME_GUEST);

			if (!at.v) { /* exact: refused only when no aligned hole is large enough */
				assert_true(largest_free() == FRAME_ORDERS || largest_free() < order);
				continue;
			}
			assert_int_equal(at.v % (PAGE_SIZE << order), 0);
			mark(at, order, 1);
			blocks[count++] = (struct block){ at, order, 1 };
			used += 1u << order;
		} else if (count) {
			pick = (u32)random() % count;
			if (random() % 4 == 0) {
				frame_get(blocks[pick].at);
				blocks[pick].refs++;
				continue;
			}
			frame_put(blocks[pick].at);
			if (!--blocks[pick].refs) {
				mark(blocks[pick].at, blocks[pick].order, 0);
				used -= 1u << blocks[pick].order;
				blocks[pick] = blocks[--count];
			}
		}
		assert_int_equal(frame_count(FRAME_GUEST), used);
		assert_int_equal(frame_count(FRAME_FREE), FRAMES - 1 - used);
	}
}

/* ---- several CPUs at once ---- */

static void churn(u32 cpu)
{
	hpa_t mine[32] = { { 0 } };
	unsigned seed = cpu + 1;

	for (u32 i = 0; i < 40000; i++) {
		u32 slot = (u32)rand_r(&seed) % 32;

		if (mine[slot].v) {
			if (*(u32 *)hpa_pointer(mine[slot]) != (cpu << 16 | slot))
				abort(); /* somebody else has it too */
			frame_put(mine[slot]);
			mine[slot].v = 0;
		} else if ((mine[slot] = frame_alloc((u32)rand_r(&seed) % 4, FRAME_KERNEL)).v) {
			*(u32 *)hpa_pointer(mine[slot]) = cpu << 16 | slot;
		}
	}
	for (u32 slot = 0; slot < 32; slot++)
		if (mine[slot].v)
			frame_put(mine[slot]);
}

static void test_cpus_together(void **state)
{
	fake_cpus_run(churn);
	assert_int_equal(frame_count(FRAME_FREE), FRAMES - 1);
	assert_int_equal(frame_count(FRAME_KERNEL), 0);
	test_exhaustion_and_merge(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_counts_at_start), FAKE_TEST(test_blocks_are_aligned),
		FAKE_TEST(test_exhaustion_and_merge), FAKE_TEST(test_no_such_order),
		FAKE_TEST(test_references), FAKE_TEST(test_split_block),
		FAKE_TEST(test_hostile_ranges), FAKE_TEST(test_nodes_do_not_merge), FAKE_TEST(test_near),
		FAKE_TEST(test_claimed_frames_can_be_put), FAKE_TEST(test_random_against_model),
		FAKE_TEST(test_cpus_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
