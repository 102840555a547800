/* vCPUs that wait for each other, simulated in steps of 10 us: each is of use only while another of its guest runs, and
 * spins otherwise.  Between guests all is as fair as without, whoever spins. */
/* links: kernel/sched_queue.c kernel/sched_balance.c kernel/sched_core.c kernel/sched_gang.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/sched_balance.h"
#include "kernel/sched_gang.h"

#define US 1000ull
#define MS 1000000ull
#define STEP (10 * US)
#define WINDOW 3 /* steps in a PAUSE loop until it is seen */
#define CPUS 4
#define GUESTS 8
#define MEMBERS 4

static struct host_cpu cpus[CPUS], *list[CPUS];
struct host_cpu **host_cpus = list;
u32 host_cpu_count;

static struct team {
	struct thread t[MEMBERS];
	u32 count;
	bool waits;      /* they need each other */
	bool hostile;    /* they spin whatever the others do */
	u64 used;        /* ns of all CPUs while at least two of them ran, or they need nobody */
	u64 at_begin;
} teams[GUESTS];
static u32 team_count, spun[CPUS];
static u64 now, look_at[CPUS], seed;

static u64 random_below(u64 n)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed % n;
}

/* ---- what sched.c and spin.c do ---- */

void host_cpu_resched(u32 index)
{
	look_at[index] = now;
}

void sched_enqueue(struct host_cpu *cpu, struct thread *t, enum sched_join how)
{
	t->migrations += t->cpu != cpu->arch.index;
	t->cpu = cpu->arch.index;
	if (sched_queue_join(&cpu->queue, &t->sched, how, now))
		host_cpu_resched(cpu->arch.index);
}

static struct team *team_of(const struct thread *t)
{
	return (struct team *)t->process;
}

static bool is_ready(const struct thread *t)
{
	return list_linked(&t->sched.queued);
}

static void gather(struct host_cpu *cpu)
{
	struct team *team = team_of(cpu->current);

	for (u32 i = 0; i < team->count && team->waits; i++)
		if (is_ready(&team->t[i]) && team->t[i].cpu != cpu->arch.index)
			sched_call(cpu->current, &team->t[i], now);
}

static void stop(struct host_cpu *cpu, enum sched_stop how)
{
	cpu->current = NULL;
	sched_queue_stop(&cpu->queue, how, now);
}

static void begin_next(struct host_cpu *cpu)
{
	struct sched_entity *e = sched_queue_pick(&cpu->queue, now);

	for (u32 i = 0; i < host_cpu_count && !e; i++) {
		struct thread *t = i == cpu->arch.index ? NULL : sched_spare(&cpus[i], cpu);

		if (!t)
			continue;
		sched_queue_remove(&cpus[i].queue, &t->sched);
		sched_enqueue(cpu, t, JOIN_MOVED);
		e = sched_queue_pick(&cpu->queue, now);
	}
	cpu->idle = !e;
	spun[cpu->arch.index] = 0;
	if (!e)
		return;
	cpu->current = CONTAINER_OF(e, struct thread, sched);
	look_at[cpu->arch.index] = sched_queue_look(&cpu->queue);
	gather(cpu);
}

static void look(struct host_cpu *cpu)
{
	struct host_cpu *to;
	struct thread *t = sched_surplus(cpu, now, &to);

	if (t) {
		sched_queue_remove(&cpu->queue, &t->sched);
		sched_enqueue(to, t, JOIN_MOVED);
	}
	if (sched_queue_yields(&cpu->queue, now) || !thread_may_use(cpu->current, cpu->arch.index)) {
		stop(cpu, SCHED_PREEMPTED);
		begin_next(cpu);
	} else {
		look_at[cpu->arch.index] = MAX(sched_queue_look(&cpu->queue), now + 1);
	}
}

static u32 running_of(const struct team *team)
{
	u32 n = 0;

	for (u32 i = 0; i < host_cpu_count; i++)
		n += cpus[i].current && team_of(cpus[i].current) == team;
	return n;
}

static void spin(struct host_cpu *cpu)
{
	struct team *team = team_of(cpu->current);
	u32 first = (u32)random_below(team->count);

	spun[cpu->arch.index] = 0;
	for (u32 i = 0; i < team->count; i++) {
		struct thread *t = &team->t[(first + i) % team->count];

		if (!is_ready(t))
			continue;
		sched_part(cpu->current, t);
		if (!sched_call(cpu->current, t, now)) {
			stop(cpu, SCHED_YIELDED);
			begin_next(cpu);
		}
		return;
	}
}

/* ---- time ---- */

static void step(void)
{
	now += STEP;
	for (u32 i = 0; i < host_cpu_count; i++) {
		struct team *team = cpus[i].current ? team_of(cpus[i].current) : NULL;
		bool spins = team && (team->hostile || (team->waits && running_of(team) < 2));

		if (team && !spins)
			team->used += STEP;
		spun[i] = spins ? spun[i] + 1 : 0;
		sched_queue_account(&cpus[i].queue, now);
	}
	for (u32 i = 0; i < host_cpu_count; i++) {
		if (!cpus[i].current)
			begin_next(&cpus[i]);
		else if (look_at[i] <= now)
			look(&cpus[i]);
		else if (spun[i] >= WINDOW)
			spin(&cpus[i]);
	}
}

static u64 ran(const struct team *team)
{
	u64 sum = 0;

	for (u32 i = 0; i < team->count; i++)
		sum += team->t[i].sched.run_cycles;
	return sum - team->at_begin;
}

/* After a while for all to find their places. */
static void measure(u64 length)
{
	for (u64 end = now + 200 * MS; now < end;)
		step();
	for (u32 i = 0; i < team_count; i++) {
		teams[i].at_begin = 0;
		teams[i].at_begin = ran(&teams[i]);
		teams[i].used = 0;
	}
	for (u64 end = now + length; now < end;)
		step();
}

/* ---- scenarios ---- */

static void begin(u32 cpu_count, u64 number)
{
	sched_times_init(MS);
	sched_front = SCHED_FIRST_CLOCK;
	memset(cpus, 0, sizeof(cpus));
	memset(teams, 0, sizeof(teams));
	host_cpu_count = cpu_count;
	team_count = 0;
	now = 1000 * MS;
	seed = 0x9e3779b97f4a7c15 ^ (number + 1) * 0x2545f4914f6cdd1dull;
	for (u32 i = 0; i < cpu_count; i++) {
		list[i] = &cpus[i];
		cpus[i].arch.index = i;
		cpus[i].idle = 1;
		sched_queue_init(&cpus[i].queue);
	}
}

/* Its vCPUs begin anywhere. */
static struct team *add(u32 count, u32 weight, bool waits)
{
	struct team *team = &teams[team_count++];

	team->count = count;
	team->waits = waits;
	for (u32 i = 0; i < count; i++) {
		sched_entity_init(&team->t[i].sched, weight);
		team->t[i].process = (struct process *)team;
		sched_enqueue(&cpus[random_below(host_cpu_count)], &team->t[i], JOIN_WOKEN);
	}
	return team;
}

static u64 percent(u64 part, u64 whole)
{
	return part * 100 / whole;
}

/* The figure of the issue: four guests of two on two CPUs do what one would, or nearly. */
static void test_four_of_two_on_two(void **state)
{
	u64 length = 2000 * MS, least = 100;

	for (u32 n = 0; n < 50; n++) {
		u64 used = 0;

		begin(2, n);
		for (u32 i = 0; i < 4; i++)
			add(2, 256, true);
		measure(length);
		for (u32 i = 0; i < 4; i++) {
			used += teams[i].used;
			assert_in_range(ran(&teams[i]), length / 2 - 10 * MS, length / 2 + 10 * MS);
		}
		least = MIN(least, percent(used, 2 * length));
	}
	print_message("of use: %lu %% at least\n", (unsigned long)least);
	assert_true(least >= 90);
}

/* What they have of the CPUs is their share, of all mixes. */
static u64 share(const struct team *team, u64 length)
{
	u64 weights = 0;

	for (u32 i = 0; i < team_count; i++)
		weights += teams[i].count * teams[i].t[0].sched.weight;
	return length * host_cpu_count * team->count * team->t[0].sched.weight / weights;
}

static void test_fair_whoever_spins(void **state)
{
	u64 length = 1000 * MS, worst = 0;

	for (u32 n = 0; n < 400; n++) {
		begin(2 + (u32)random_below(CPUS - 1), n);
		for (u32 i = 0; i < 4 + n % 4; i++)
			add(1 + (u32)random_below(MEMBERS), 256, random_below(2));
		teams[0].hostile = n % 3 == 0;
		measure(length);
		for (u32 i = 0; i < team_count; i++) {
			u64 off = (u64)llabs((s64)(ran(&teams[i]) - share(&teams[i], length)));

			worst = MAX(worst, off / teams[i].count);
			if (off > 30 * MS * teams[i].count)
				fail_msg("mix %u: guest %u ran %lu us, its share is %lu", n, i,
					 (unsigned long)(ran(&teams[i]) / US),
					 (unsigned long)(share(&teams[i], length) / US));
		}
	}
	print_message("%lu us off at most, for each vCPU\n", (unsigned long)(worst / US));
}

/* A guest that does nothing but spin and call has its share, and the others theirs. */
static void test_spinning_earns_nothing(void **state)
{
	u64 length = 5000 * MS;

	begin(2, 7);
	add(2, 256, true)->hostile = true;
	for (u32 i = 0; i < 3; i++)
		add(2, 256, false);
	measure(length);
	print_message("who spins: %lu us, others: %lu\n", (unsigned long)(ran(&teams[0]) / US),
		      (unsigned long)(ran(&teams[1]) / US));
	assert_true(ran(&teams[0]) <= length / 2 + 10 * MS);
	for (u32 i = 1; i < 4; i++)
		assert_true(ran(&teams[i]) >= length / 2 - 10 * MS);
}

/* Two behind each other on one CPU are parted; pinned there they take turns and nobody is moved. */
static void test_parted_unless_pinned(void **state)
{
	static const struct cpu_set first = { { 1 } };

	for (u32 pinned = 0; pinned < 2; pinned++) {
		begin(2, 9);
		for (u32 i = 0; i < 2; i++) {
			struct team *team = add(0, 256, true);

			team->count = 2;
			for (u32 k = 0; k < 2; k++) {
				sched_entity_init(&team->t[k].sched, 256);
				team->t[k].process = (struct process *)team;
				team->t[k].pins = pinned && !i ? &first : NULL;
				sched_enqueue(&cpus[i], &team->t[k], JOIN_WOKEN);
			}
		}
		measure(1000 * MS);
		if (pinned) {
			assert_int_equal(teams[0].t[0].migrations + teams[0].t[1].migrations, 0);
			assert_in_range(percent(ran(&teams[0]), ran(&teams[1])), 97, 103);
		} else {
			assert_true(percent(teams[0].used + teams[1].used, 2000 * MS) >= 90);
		}
	}
}

/* Whoever swaps, nobody else has more or less. */
static void test_swap_keeps_the_sum(void **state)
{
	u32 swapped = 0;

	for (u32 n = 0; n < 1000; n++) {
		struct sched_queue *q = &cpus[0].queue;
		struct sched_entity *e;
		u64 sum, clock;

		begin(1, n);
		add(2, 256, false);
		add(3, 64 + (u32)random_below(900), false);
		for (u64 end = now + 20 * MS + random_below(20) * MS; now < end;)
			step();
		e = &team_of(cpus[0].current)->t[cpus[0].current == team_of(cpus[0].current)->t].sched;
		sum = e->vruntime + q->running->vruntime;
		clock = q->clock;
		swapped += e->vruntime > q->running->vruntime;
		sched_queue_swap(q, e, now);
		assert_int_equal(e->vruntime + q->running->vruntime, sum);
		assert_true(e->vruntime <= q->running->vruntime && q->clock == clock);
	}
	assert_in_range(swapped, 200, 800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four_of_two_on_two), cmocka_unit_test(test_fair_whoever_spins),
		cmocka_unit_test(test_spinning_earns_nothing), cmocka_unit_test(test_parted_unless_pinned),
		cmocka_unit_test(test_swap_keeps_the_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
