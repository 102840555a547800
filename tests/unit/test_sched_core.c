/* smt = core on simulated machines: never two guests on a core, nobody starves, shares roughly kept. */
/* links: tests/unit/fake_schedule.c kernel/sched_core.c kernel/sched_queue.c kernel/sched_balance.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/fake_schedule.h"

static void begin(u32 cpus, u64 seed)
{
	sim_seed = seed;
	sim_begin(cpus);
	sim_shape(2, cpus / 2, 1);
	sim_one_guest_a_core();
}

static struct body *add(u32 guest, u32 weight, u64 work, u64 sleep)
{
	struct body *b = sim_add(weight, work, sleep);

	b->t.guest = guest;
	return b;
}

static u64 guest_ran(u32 guest)
{
	u64 sum = 0;

	for (u32 i = 0; i < sim_count; i++)
		sum += sim_bodies[i].t.guest == guest ? sim_ran(&sim_bodies[i]) : 0;
	return sum;
}

/* One core, two guests with a vCPU for each of its threads: both threads run all the time, half of it each. */
static void test_two_guests(void **state)
{
	begin(2, 1);
	for (u32 i = 0; i < 4; i++)
		add(1 + i / 2, 256, NEVER, 0);
	sim_run_until(sim_now + 100 * MS);
	sim_mark();
	sim_run_until(sim_now + 4000 * MS);
	print_message("%lu and %lu us of 8 s\n", (unsigned long)guest_ran(1) / 1000, (unsigned long)guest_ran(2) / 1000);
	assert_int_equal(sim_mixed, 0);
	assert_in_range(guest_ran(1), 3800 * MS, 4200 * MS);
	assert_in_range(guest_ran(1) + guest_ran(2), 7600 * MS, 8000 * MS);
}

/* Guests of one vCPU each can only take turns, by weight. */
static void test_turns(void **state)
{
	begin(2, 2);
	add(1, 256, NEVER, 0);
	add(2, 512, NEVER, 0);
	sim_run_until(sim_now + 100 * MS);
	sim_mark();
	sim_run_until(sim_now + 3000 * MS);
	print_message("%lu and %lu us of 3 s\n", (unsigned long)guest_ran(1) / 1000, (unsigned long)guest_ran(2) / 1000);
	assert_int_equal(sim_mixed, 0);
	assert_in_range(guest_ran(1), 900 * MS, 1100 * MS);
	assert_in_range(guest_ran(2), 1900 * MS, 2100 * MS);
}

/* What wakes beside another guest that burns is there soon; what is nobody's does not wait at all. */
static void test_wakeups(void **state)
{
	for (u32 guest = 0; guest < 3; guest += 2) {
		begin(2, 3);
		add(1, 256, NEVER, 0);
		add(1, 256, NEVER, 0);
		add(guest, 256, 100 * US, 5 * MS);
		sim_run_until(sim_now + 10000 * MS);
		print_message("%u wake-ups: median %u us, p99 %u us\n", sim_latency_count, sim_latency(50), sim_latency(99));
		assert_true(sim_latency_count > 1500);
		assert_true(sim_latency(99) < (guest ? 1000 : 200));
		assert_int_equal(sim_mixed, 0);
	}
}

/* Two idle threads of two cores: the guests take a core each, and neither stands back. */
static void test_cores_apart(void **state)
{
	begin(4, 4);
	for (u32 i = 0; i < 4; i++)
		add(1 + i / 2, 256, NEVER, 0);
	sim_run_until(sim_now + 1100 * MS);
	sim_mark();
	sim_run_until(sim_now + 1000 * MS);
	for (u32 i = 0; i < 4; i++)
		assert_true(sim_ran(&sim_bodies[i]) > 950 * MS);
}

/* Random mixes: whoever wants to run gets a part of what his weight would have him get if cores were CPUs. */
static void test_random(void **state)
{
	u64 least = 100;

	for (u32 n = 0; n < 1000; n++) {
		u32 cpus, guests, busy, weights = 0;

		begin(2, 1);
		sim_seed = 0x9e3779b97f4a7c15 ^ (n + 1) * 0x2545f4914f6cdd1dull;
		cpus = 2 * (1 + (u32)sim_random(4));
		begin(cpus, sim_seed);
		guests = 1 + (u32)sim_random(5);
		busy = 1 + (u32)sim_random(3 * cpus);
		for (u32 i = 0; i < busy; i++)
			weights += add(1 + (u32)sim_random(guests), 64 + (u32)sim_random(961), NEVER, 0)->t.sched.weight;
		for (u32 i = (u32)sim_random(4); i; i--)
			add((u32)sim_random(guests + 1), 256, 20 * US + sim_random(120 * US), 5 * MS + sim_random(20 * MS));
		sim_run_until(sim_now + 300 * MS);
		sim_mark();
		sim_run_until(sim_now + 1000 * MS);
		if (sim_mixed)
			fail_msg("scenario %u: two guests on a core for %lu us", n, (unsigned long)sim_mixed / 1000);
		for (u32 i = 0; i < busy; i++) {
			u64 due = MIN(1000 * MS, 1000 * MS * (cpus / 2) * sim_bodies[i].t.sched.weight / weights);
			u64 part = sim_ran(&sim_bodies[i]) * 100 / due;

			least = MIN(least, part);
			if (part < 30)
				fail_msg("scenario %u, %u CPUs, %u busy of %u guests: weight %u ran %lu us of %lu", n, cpus, busy,
					 guests, sim_bodies[i].t.sched.weight, (unsigned long)sim_ran(&sim_bodies[i]) / 1000,
					 (unsigned long)due / 1000);
		}
	}
	print_message("everybody had at least %lu %% of his part of the cores\n", (unsigned long)least);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_guests), cmocka_unit_test(test_turns), cmocka_unit_test(test_wakeups),
		cmocka_unit_test(test_cores_apart), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
