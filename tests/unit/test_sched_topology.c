/* The scheduler on simulated machines with hardware threads, caches and nodes: the shares are what they are on a flat
 * one, nobody moves without need, cores are filled before their second threads, guests stay near their memory. */
/* links: tests/unit/fake_schedule.c kernel/sched_core.c kernel/sched_queue.c kernel/sched_balance.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/fake_schedule.h"

#define SCENARIOS 2000
#define OFF_MAX (40 * MS) /* as on a flat machine */

static const struct shape {
	u32 cpus, threads, cores, caches;
} shapes[] = {
	{ 8, 2, 2, 1 }, { 4, 2, 2, 1 }, { 4, 1, 2, 1 }, { 4, 1, 1, 2 }, { 16, 2, 2, 2 }, { 6, 1, 3, 1 },
	{ 16, 1, 16, 1 }, /* flat */
};

static void begin(const struct shape *s)
{
	sim_begin(s->cpus);
	sim_shape(s->threads, s->cores, s->caches);
}

/* Busy ones with or without a home, and sleepers that want less than their shares. */
static u32 random_mix(const struct shape *s)
{
	u32 busy = 1 + (u32)sim_random(4 * s->cpus), homes = (u32)sim_random(2);

	for (u32 i = 0; i < busy; i++)
		sim_add(64 + (u32)sim_random(961), NEVER, 0)->t.node = homes ? (u32)sim_random(3) : 0;
	for (u32 i = (u32)sim_random(6); i; i--)
		sim_add(256 + (u32)sim_random(769), 20 * US + sim_random(120 * US), 5 * MS + sim_random(20 * MS));
	return busy;
}

static u64 moves(u32 first, u32 end)
{
	u64 sum = 0;

	for (u32 i = first; i < end; i++)
		sum += sim_bodies[i].t.migrations;
	return sum;
}

static void test_shares(void **state)
{
	u64 late = 0, wakes = 0, worst = 0, most = 0;

	for (u32 n = 0; n < SCENARIOS; n++) {
		const struct shape *s = &shapes[n % ARRAY_SIZE(shapes)];
		u64 length = n % 100 ? 400 * MS : 3000 * MS, moved;
		u32 busy;

		sim_seed = 0x9e3779b97f4a7c15 ^ (n + 1) * 0x2545f4914f6cdd1dull;
		begin(s);
		busy = random_mix(s);
		sim_run_until(sim_now + 200 * MS);
		sim_mark();
		sim_latency_count = 0;
		moved = moves(0, busy);
		sim_run_until(sim_now + length);
		for (u32 i = 0; i < busy; i++) {
			u64 apart = (u64)llabs(sim_off(&sim_bodies[i], length));

			worst = MAX(worst, apart);
			if (apart > OFF_MAX)
				fail_msg("scenario %u, %u CPUs, %u busy of %u: weight %u ran %lu us, %ld us off", n,
					 s->cpus, busy, sim_count, sim_bodies[i].t.sched.weight,
					 (unsigned long)(sim_ran(&sim_bodies[i]) / US),
					 (long)sim_off(&sim_bodies[i], length) / 1000);
		}
		most = MAX(most, (moves(0, busy) - moved) * 1000 * MS / length / s->cpus);
		for (u32 i = 0; i < sim_latency_count; i++)
			late += sim_latencies[i] >= 1000;
		wakes += sim_latency_count;
		assert_int_equal(sim_idle_with_work, 0);
	}
	print_message("%lu us off; %lu of %lu wake-ups waited a millisecond; %lu moves a second for each CPU, at most\n",
		      (unsigned long)(worst / US), (unsigned long)late, (unsigned long)wakes, (unsigned long)most);
	assert_true(wakes > 100000 && late * 100 < 3 * wakes); /* more sleepers than CPUs in some */
	assert_true(most <= 130); /* a CPU compares clocks 125 times a second */
}

static bool core_is_free(const struct host_cpu *cpu)
{
	return !cpu->queue.running && (!cpu->sibling || !cpu->sibling->queue.running);
}

/* How many busy ones share a core with another while a core of their node is free. */
static u32 sharing(void)
{
	u32 sum = 0;

	for (u32 i = 0; i < host_cpu_count; i++) {
		const struct host_cpu *cpu = &sim_cpus[i];
		bool room = false;

		for (u32 k = 0; k < host_cpu_count; k++)
			room |= sim_cpus[k].place.node == cpu->place.node && core_is_free(&sim_cpus[k]);
		sum += room && cpu->queue.running && cpu->sibling && cpu->sibling->queue.running;
	}
	return sum;
}

/* As many as there are cores: each has one for himself within two looks, and stays there. */
static void test_cores_before_threads(void **state)
{
	for (u32 n = 0; n < 200; n++) {
		const struct shape *s = &shapes[n % ARRAY_SIZE(shapes)];
		u32 cores = s->cpus / s->threads;
		u64 before;

		sim_seed = n + 1;
		begin(s);
		for (u32 i = 0; i < cores; i++) {
			struct body *b = sim_add(256, NEVER, 0);

			b->t.cpu = (u32)sim_random(s->cpus);
			if (n % 2)
				b->wakes_at = sim_now;
		}
		sim_run_until(sim_now + 2100 * MS);
		assert_int_equal(sharing(), 0);
		before = moves(0, cores);
		sim_run_until(sim_now + 5000 * MS);
		assert_int_equal(sharing(), 0);
		assert_int_equal(moves(0, cores), before);
	}
}

/* Four burn, two to a core, on a machine of four cores: the others are used within a second or so. */
static void test_spreads(void **state)
{
	sim_seed = 9;
	begin(&shapes[0]);
	for (u32 i = 0; i < 8; i++)
		sim_add(256, i < 4 ? NEVER : 100 * MS, 10000 * MS)->wakes_at = sim_now;
	sim_run_until(sim_now + 20 * MS);
	for (u32 i = 0; i < 8; i++)
		assert_non_null(sim_cpus[i].queue.running);
	sim_run_until(sim_now + 1500 * MS);
	assert_int_equal(sharing(), 0);
}

/* One that sleeps and wakes goes back to its CPU, or near it, and never to another node while there is room. */
static void test_wakes_near(void **state)
{
	sim_seed = 10;
	begin(&shapes[0]);
	sim_add(256, NEVER, 0)->wakes_at = sim_now;
	sim_run_until(sim_now + MS);
	for (u32 i = 0; i < 2; i++) {
		sim_add(256, 300 * US, 2 * MS)->wakes_at = sim_now + i * MS;
		sim_run_until(sim_now + 10 * MS);
	}
	sim_far_moves = 0;
	sim_mark();
	sim_run_until(sim_now + 10000 * MS);
	print_message("%lu wake-ups, %lu moves\n", (unsigned long)sim_latency_count, (unsigned long)moves(0, 3));
	assert_true(sim_latency_count > 5000);
	assert_int_equal(sim_far_moves, 0);
}

/* Guests of two nodes, each with as many vCPUs as its node has CPUs: nearly all are at home, and nobody wanders. */
static void test_home(void **state)
{
	u32 home = 0;
	u64 far = 0;

	for (u32 n = 0; n < 100; n++) {
		sim_seed = n + 1;
		begin(&shapes[0]);
		for (u32 i = 0; i < 8; i++)
			sim_add(256, NEVER, 0)->t.node = 1 + i / 4;
		for (u32 i = 0; i < 4; i++) /* and what wakes now and then */
			sim_add(256, 50 * US, 10 * MS)->t.node = 1 + i % 2;
		sim_run_until(sim_now + 3000 * MS);
		sim_far_moves = 0;
		sim_run_until(sim_now + 3000 * MS);
		for (u32 i = 0; i < 8; i++)
			home += sim_cpus[sim_bodies[i].t.cpu].place.node + 1 == sim_bodies[i].t.node;
		far += sim_far_moves;
	}
	print_message("at home: %u of 800; %lu moves between nodes\n", home, (unsigned long)far);
	assert_true(home > 700 && far < 100);
}

/* Two CPUs are two vCPUs' alone: they lose nothing, nobody else comes there, and the rest is shared as if there were
 * but two CPUs. */
static void test_dedicated(void **state)
{
	static const u32 weights[] = { 64, 1024, 256, 512, 128, 256 };

	sim_seed = 11;
	begin(&shapes[1]);
	for (u32 i = 0; i < ARRAY_SIZE(weights); i++)
		sim_add(weights[i], NEVER, 0);
	for (u32 i = 0; i < 4; i++)
		sim_add(256, 50 * US, 5 * MS);
	sim_run_until(sim_now + 100 * MS); /* they are everywhere when it begins */
	for (u32 i = 2; i < 4; i++) {
		sched_dedicated.word[0] |= BIT(i);
		sim_add(256, NEVER, 0)->t.own_cpu = i + 1;
	}
	sim_run_until(sim_now + 100 * MS);
	for (u32 i = 0; i < 10; i++)
		assert_true(sim_bodies[i].t.cpu < 2);
	sim_mark();
	sim_run_until(sim_now + 5000 * MS);
	for (u32 i = 10; i < 12; i++)
		assert_int_equal(sim_ran(&sim_bodies[i]), 5000 * MS);
	host_cpu_count = 2;
	sim_count = 10;
	for (u32 i = 0; i < ARRAY_SIZE(weights); i++)
		assert_in_range((u64)llabs(sim_off(&sim_bodies[i], 5000 * MS)), 0, OFF_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares), cmocka_unit_test(test_cores_before_threads), cmocka_unit_test(test_spreads),
		cmocka_unit_test(test_wakes_near), cmocka_unit_test(test_home), cmocka_unit_test(test_dedicated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
