/* Who waits for memory, how long, and who goes on: the kernel's own code with guests that want more than there is.
 * `build/unit/test_waiting SEEDS` tries so many random lives instead of a few; a failed one's seed is told. */
/* links: kernel/pressure.c kernel/compress.c kernel/ledger.c kernel/ledger_admit.c kernel/guest_ledger.c
 * kernel/gmem.c kernel/gmem_map.c kernel/gmem_region.c kernel/gmem_large.c kernel/gmem_compress.c kernel/gmem_uniform.c
 * kernel/merge_frame.c kernel/merge_stock.c kernel/zstore.c kernel/lz4.c kernel/table.c kernel/frame.c kernel/lock.c
 * kernel/clock.c kernel/log.c kernel/lib/fmt.c arch/x86_64/table_format.c tests/unit/fake_arch.c tests/unit/fake_trap.c
 * tests/unit/fake_trace.c tests/unit/sim.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/gmem.h"
#include "tests/unit/fake_arch.h"
#include "tests/unit/sim.h"

static const struct guest_params usual = { .memory_shares = 256 };

/* Half as much again as there is, of which hardly a page is cold: all but the first wait, none for long.  When the
 * others rest, their pages are compressed before those of one that waits, and it has nearly what it wants. */
static void test_none_starves(void **state)
{
	const struct sim sim = { .program = PROGRAM_RANDOM, .pages = SIM_PAGES, .pace = 5, .dense = 10 };
	u64 before;

	for (u64 seed = 1; seed <= 3; seed++) {
		sim_begin(seed);
		for (u32 i = 0; i < 3; i++)
			assert_true(sim_create(i, &sim, usual));
		sim_run(20 * SIM_SECOND);
		assert_int_equal(sims[0].longest, 0);
		assert_in_range(sims[1].longest, 1, 5 * SIM_SECOND);
		assert_in_range(sims[2].longest, 1, 5 * SIM_SECOND);
		sims[0].pace = sims[1].pace = 0;
		sim_run(5 * SIM_SECOND);
		before = sims[2].accesses;
		sim_run(10 * SIM_SECOND);
		assert_true(sims[2].accesses - before > 2 * SIM_PAGES);
		sim_end();
	}
}

/* What does not shrink is had by nobody else: each goes on when one before it has gone, and gets its full size. */
static void test_go_on_in_order(void **state)
{
	const struct sim sim = { .program = PROGRAM_SWEEP, .pages = SIM_PAGES, .pace = 20, .dense = 100 };

	sim_begin(1);
	for (u32 i = 0; i < 4; i++)
		assert_true(sim_create(i, &sim, usual));
	sim_run(5 * SIM_SECOND);
	for (u32 i = 0; i < 4; i++) {
		assert_int_equal(!sims[i].held_since, i == 0);
		assert_true(i || sims[0].accesses == 5 * SIM_SECOND * 20);
	}
	for (u32 i = 0; i < 3; i++) {
		sim_destroy(i);
		sim_run(5 * SIM_SECOND);
		assert_false(sims[i + 1].held_since);
		assert_true(sim_guests[i + 1].gmem.private_pages == SIM_PAGES);
	}
	sim_end();
}

/* What comes back is for who has the highest claim of those that wait, be it much slower than the others. */
static void test_slow_one_first(void **state)
{
	const struct sim full = { .program = PROGRAM_SWEEP, .pages = SIM_PAGES / 2, .pace = 50, .dense = 100 };
	const struct sim slow = { .program = PROGRAM_SWEEP, .pages = SIM_PAGES * 7 / 8, .pace = 1, .dense = 100 };

	sim_begin(1);
	for (u32 i = 0; i < 2; i++)
		assert_true(sim_create(i, &full, usual));
	assert_true(sim_create(2, &slow, usual));
	sim_run(5 * SIM_SECOND);
	assert_true(sims[2].held_since);
	assert_true(sim_create(3, &full, usual));
	sim_run(SIM_SECOND);
	assert_true(sims[3].held_since);
	sim_destroy(1);
	sim_run(5 * SIM_SECOND);
	assert_true(sim_guests[2].gmem.private_pages == slow.pages);
	assert_true(sims[3].held_since && sim_guests[3].gmem.private_pages > SIM_PAGES / 4);
	sim_end();
}

/* At its memory-max a guest is its own: it goes on however long others wait, and with however much is free. */
static void test_memory_max(void **state)
{
	const struct sim sim = { .program = PROGRAM_SWEEP, .pages = SIM_PAGES, .pace = 2, .dense = 10 };
	struct guest_params params = usual;
	u64 before;

	sim_begin(1);
	params.memory_max = SIM_PAGES * PAGE_SIZE / 4;
	for (u32 i = 0; i < 2; i++)
		assert_true(sim_create(i, &sim, params));
	sim_run(20 * SIM_SECOND);
	for (u32 i = 0; i < 2; i++) {
		assert_true(sim_guests[i].account.used <= sim_guests[i].account.full);
		assert_in_range(sims[i].longest, 1, 2 * SIM_SECOND);
		before = sims[i].accesses;
		sim_run(10 * SIM_SECOND);
		assert_true(sims[i].accesses - before > SIM_PAGES / 2);
	}
	sim_end();
}

/* Told to make do with less than it has, it goes on with what it has. */
static void test_tuned_below_what_it_has(void **state)
{
	const struct sim sim = { .program = PROGRAM_SWEEP, .pages = SIM_PAGES, .pace = 5, .dense = 10 };
	const struct guest_tune tune = { .max = SIM_PAGES * PAGE_SIZE / 4, .shares = 256 };
	struct guest_params params = usual;
	struct admission a;
	u64 before;

	sim_begin(1);
	params.memory_max = SIM_PAGES * PAGE_SIZE / 2;
	for (u32 i = 0; i < 2; i++)
		assert_true(sim_create(i, &sim, params));
	while (!sims[1].held_since)
		sim_run(1);
	assert_int_equal(guest_tune(&sim_guests[1], &tune, &a), 0);
	sim_run(2 * SIM_SECOND);
	before = sims[1].accesses;
	sim_run(10 * SIM_SECOND);
	assert_true(sims[1].accesses - before > SIM_PAGES / 2);
	sim_end();
}

/* Guests that take hardly anything of what there is for them are not in the way of those after them. */
static void test_slow_ones(void **state)
{
	const struct sim fast = { .program = PROGRAM_SWEEP, .pages = SIM_PAGES, .pace = 50, .dense = 100 };
	const struct sim slow = { .program = PROGRAM_SWEEP, .pages = SIM_PAGES, .pace = 1, .period = 300, .dense = 100 };

	sim_begin(1);
	for (u32 i = 0; i < SIM_GUESTS; i++)
		assert_true(sim_create(i, i < 2 || i == SIM_GUESTS - 1 ? &fast : &slow, usual));
	sim_run(5 * SIM_SECOND);
	for (u32 i = 2; i < SIM_GUESTS; i++)
		assert_true(sims[i].held_since);
	sim_destroy(0);
	sim_run(3 * SIM_SECOND);
	assert_true(sim_guests[SIM_GUESTS - 1].gmem.private_pages > SIM_PAGES / 4);
	sim_end();
}

/* What is kept of a guest whose run has ended is of no use to anybody soon: it is compressed, and the next one runs.
 * If it does not shrink, that one's own pages are. */
static void test_stopped(void **state)
{
	struct sim sim = { .program = PROGRAM_SWEEP, .pages = SIM_PAGES, .pace = 20 };
	u64 before;

	for (u32 dense = 10; dense <= 100; dense += 90) {
		sim_begin(1);
		sim.dense = dense;
		assert_true(sim_create(0, &sim, usual));
		sim.dense = 10;
		assert_true(sim_create(1, &sim, usual));
		sim_run(SIM_SECOND);
		assert_true(sims[1].held_since);
		sim_stop(0);
		sim_run(5 * SIM_SECOND);
		assert_true(dense > 10 || sim_guests[1].gmem.private_pages == SIM_PAGES);
		before = sims[1].accesses;
		sim_run(5 * SIM_SECOND);
		assert_true(sims[1].accesses - before > SIM_PAGES);
		sim_end();
	}
}

/* ---- random lives ---- */

static u64 seeds = 6;

static void new_guest(u32 i)
{
	struct sim sim = { .program = sim_pick(3), .pages = SIM_PAGES >> sim_pick(3), .pace = sim_pick(20),
			   .dense = sim_pick(101) };
	struct guest_params params = { .memory_shares = 1 + sim_pick(3) };

	if (!sim_pick(4))
		sim.period = 1 + sim_pick(500);
	if (!sim_pick(4))
		params.memory_max = MAX((u64)sim.pages * PAGE_SIZE / (1 + sim_pick(4)), MEMORY_LEAST);
	if (!sim_pick(4))
		params.memory_min = sim_pick(sim.pages / 4) * PAGE_SIZE;
	sim_create(i, &sim, params);
}

static void tune(struct guest *g)
{
	struct guest_tune tune = { .shares = 1 + sim_pick(3) };
	struct admission a;

	if (sim_pick(2))
		tune.max = MEMORY_LEAST + sim_pick((u32)(g->params.memory - MEMORY_LEAST + 1));
	tune.min = sim_pick(2) ? 0 : MIN(sim_pick(MIB), tune.max ? tune.max : MIB);
	(void)!guest_tune(g, &tune, &a);
}

static void pause_or_resume(struct guest *g)
{
	g->state = g->state == GUEST_RUNNING ? GUEST_PAUSED : GUEST_RUNNING;
	g->hold ^= HOLD_PAUSE;
}

/* The guest gives some of its memory back, as its balloon does. */
static void give_back(u32 i)
{
	u64 first = sim_pick(sims[i].pages), count = MIN(1 + sim_pick(200), sims[i].pages - first);
	s64 done = gmem_discard(&sim_guests[i].gmem, first * PAGE_SIZE, count * PAGE_SIZE);

	if (done > 0)
		memset(&sims[i].stamps[first], 0, (u64)done / PAGE_SIZE * sizeof(u64));
}

static void event(void)
{
	u32 i = sim_pick(SIM_GUESTS), what = sim_pick(12);

	if (sim_guests[i].state == GUEST_STOPPED)
		sim_destroy(i);
	else if (!guest_is_alive(&sim_guests[i]))
		new_guest(i);
	else if (what < 4)
		sims[i].pace = sim_pick(20);
	else if (what < 7)
		pause_or_resume(&sim_guests[i]);
	else if (what < 9)
		tune(&sim_guests[i]);
	else if (what < 11)
		give_back(i);
	else if (sim_pick(2))
		sim_stop(i);
	else
		sim_destroy(i);
}

/* One is left, and may have all: it runs. */
static void end_alone(void)
{
	const struct guest_tune all = { .shares = 1 };
	struct guest *left = NULL;
	struct admission a;
	struct sim *s;
	u64 before;

	for (u32 i = 0; i < SIM_GUESTS; i++)
		if (!left && guest_is_alive(&sim_guests[i]))
			left = &sim_guests[i];
		else if (sim_guests[i].state != GUEST_OFF)
			sim_destroy(i);
	if (!left)
		return;
	s = &sims[left - sim_guests];
	assert_int_equal(guest_tune(left, &all, &a), 0);
	if (left->state == GUEST_PAUSED)
		pause_or_resume(left);
	s->pace = 5;
	s->period = 0;
	sim_run(SIM_SECOND);
	before = s->accesses;
	sim_run(SIM_SECOND);
	assert_int_equal(s->accesses - before, 5 * SIM_SECOND);
}

static void test_random_lives(void **state)
{
	for (u64 seed = 1; seed <= seeds; seed++) {
		print_message("seed %lu\n", (unsigned long)seed);
		sim_begin(seed);
		for (u32 n = 0; n < 40; n++) {
			event();
			sim_run(sim_pick(2 * SIM_SECOND));
		}
		end_alone();
		sim_end();
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_none_starves), FAKE_TEST(test_go_on_in_order),
		FAKE_TEST(test_slow_one_first), FAKE_TEST(test_memory_max),
		FAKE_TEST(test_tuned_below_what_it_has), FAKE_TEST(test_slow_ones), FAKE_TEST(test_stopped),
		FAKE_TEST(test_random_lives),
	};

	if (argc > 1)
		seeds = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
