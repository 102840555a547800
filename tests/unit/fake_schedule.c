/* The simulated machine of fake_schedule.h: what sched.c does, without its locks and interrupts. */
#include "tests/unit/fake_schedule.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/sched_core.h"

struct host_cpu sim_cpus[SIM_CPUS], *sim_list[SIM_CPUS], **host_cpus = sim_list;
u32 host_cpu_count;
struct body sim_bodies[SIM_THREADS];
u32 sim_count;
u64 sim_now, sim_seed, sim_idle_with_work, sim_far_moves, sim_mixed;
u32 sim_latencies[SIM_LATENCIES], sim_latency_count;

static u64 look_at[SIM_CPUS];

u64 sim_random(u64 n)
{
	sim_seed ^= sim_seed << 13, sim_seed ^= sim_seed >> 7, sim_seed ^= sim_seed << 17;
	return sim_seed % n;
}

static struct body *body_of(struct sched_entity *e)
{
	return e ? CONTAINER_OF(e, struct body, t.sched) : NULL;
}

static void move_to(const struct host_cpu *cpu, struct thread *t)
{
	if (t->cpu == cpu->arch.index)
		return;
	sim_far_moves += topology_distance(&sim_cpus[t->cpu].place, &cpu->place) == FARTHER;
	t->cpu = cpu->arch.index;
	t->migrations++;
}

static void enqueue(struct host_cpu *cpu, struct thread *t, enum sched_join how)
{
	move_to(cpu, t);
	if (sched_queue_join(&cpu->queue, &t->sched, how, sim_now))
		sim_go_on(cpu->arch.index);
}

void host_cpu_resched(u32 index)
{
	look_at[index] = sim_now;
}

static struct sched_entity *pick(struct host_cpu *cpu)
{
	return cpu->core ? sched_core_pick(cpu, sim_now) : sched_queue_pick(&cpu->queue, sim_now);
}

static void stop(struct host_cpu *cpu, enum sched_stop how)
{
	sched_core_leave(cpu, body_of(cpu->queue.running)->t.guest);
	sched_queue_stop(&cpu->queue, how, sim_now);
}

static void begin_next(u32 i)
{
	struct host_cpu *cpu = &sim_cpus[i];
	struct sched_entity *e = pick(cpu);
	struct host_cpu *other;
	u32 at = 0;

	while (!e && (other = sched_victim(cpu, &at))) {
		struct thread *t = sched_spare(other, cpu);

		if (!t)
			continue;
		sched_queue_remove(&other->queue, &t->sched);
		move_to(cpu, t);
		(void)!sched_queue_join(&cpu->queue, &t->sched, JOIN_MOVED, sim_now);
		e = pick(cpu);
	}
	cpu->idle = !e;
	look_at[i] = e ? sched_queue_look(&cpu->queue) : cpu->core && cpu->queue.count ? sim_now + sched_times.wake : NEVER;
	if (e && e->woken && sim_latency_count < SIM_LATENCIES)
		sim_latencies[sim_latency_count++] = (u32)((sim_now - e->ready_since) / US);
}

void sim_go_on(u32 i)
{
	struct host_cpu *cpu = &sim_cpus[i], *to;
	struct thread *t;

	if (!cpu->queue.running) {
		begin_next(i);
		return;
	}
	t = sched_surplus(cpu, sim_now, &to);
	if (t) {
		sched_queue_remove(&cpu->queue, &t->sched);
		enqueue(to, t, JOIN_MOVED);
	}
	if (!cpu->queue.running) /* by what that led to */
		return;
	t = &body_of(cpu->queue.running)->t;
	if (sched_core_is_closed(cpu, t->guest, sim_now) ||
	    (thread_may_use(t, i) && sched_queue_yields(&cpu->queue, sim_now))) {
		stop(cpu, SCHED_PREEMPTED);
		begin_next(i);
	} else if (!thread_may_use(t, i) || sched_is_better_elsewhere(cpu, t)) {
		stop(cpu, SCHED_LEAVES);
		enqueue(sched_choose(t), t, JOIN_MOVED);
		begin_next(i);
	} else {
		look_at[i] = MAX(sched_queue_look(&cpu->queue), sim_now + 1);
	}
}

/* ---- time ---- */

static u64 jitter(u64 mean)
{
	return mean / 2 + sim_random(mean + 1);
}

static void fall_asleep(u32 i, struct body *b)
{
	stop(&sim_cpus[i], SCHED_LEAVES);
	b->asleep = true;
	b->wakes_at = sim_now + jitter(b->sleep);
	b->left = jitter(b->work);
	begin_next(i);
}

static void wake(struct body *b)
{
	b->asleep = false;
	enqueue(sched_choose(&b->t), &b->t, JOIN_WOKEN);
}

static u64 work_ends(u32 i)
{
	struct body *b = body_of(sim_cpus[i].queue.running);

	return b && b->work != NEVER ? sim_cpus[i].queue.since + b->left : NEVER;
}

/* The next moment at which something happens. */
static u64 next_event(u64 end)
{
	for (u32 i = 0; i < host_cpu_count; i++)
		end = MIN(end, MIN(look_at[i], work_ends(i)));
	for (u32 i = 0; i < sim_count; i++)
		if (sim_bodies[i].asleep)
			end = MIN(end, sim_bodies[i].wakes_at);
	return MAX(end, sim_now);
}

/* Two guests on a core at the same time? */
static bool is_mixed(const struct host_cpu *cpu)
{
	const struct body *b = body_of(cpu->queue.running), *other;

	for (const struct host_cpu *s = cpu->sibling; b && b->t.guest && s && s != cpu; s = s->sibling) {
		other = body_of(s->queue.running);
		if (other && other->t.guest && other->t.guest != b->t.guest)
			return true;
	}
	return false;
}

static void advance(u64 to)
{
	bool waits = false, idle = false;

	for (u32 i = 0; i < host_cpu_count; i++) {
		waits |= sim_cpus[i].queue.count;
		idle |= !sim_cpus[i].queue.running;
		sim_mixed += is_mixed(&sim_cpus[i]) ? to - sim_now : 0;
	}
	if (waits && idle)
		sim_idle_with_work += to - sim_now;
	for (u32 i = 0; i < host_cpu_count; i++) {
		struct body *b = body_of(sim_cpus[i].queue.running);

		if (b && b->work != NEVER)
			b->left -= MIN(b->left, to - sim_cpus[i].queue.since);
		sched_queue_account(&sim_cpus[i].queue, to);
	}
	sim_now = to;
}

void sim_run_until(u64 end)
{
	while (sim_now < end) {
		advance(next_event(end));
		for (u32 i = 0; i < host_cpu_count; i++) {
			if (work_ends(i) <= sim_now)
				fall_asleep(i, body_of(sim_cpus[i].queue.running));
			else if (look_at[i] <= sim_now)
				sim_go_on(i);
		}
		for (u32 i = 0; i < sim_count; i++)
			if (sim_bodies[i].asleep && sim_bodies[i].wakes_at <= sim_now)
				wake(&sim_bodies[i]);
	}
}

/* ---- scenarios ---- */

void sim_begin(u32 cpu_count)
{
	sched_times_init(MS);
	sched_front = SCHED_FIRST_CLOCK;
	memset(sim_cpus, 0, sizeof(sim_cpus));
	memset(sim_bodies, 0, sizeof(sim_bodies));
	host_cpu_count = cpu_count;
	sim_count = sim_latency_count = 0;
	sim_idle_with_work = sim_far_moves = sim_mixed = 0;
	sched_dedicated = (struct cpu_set){ { 0 } };
	sim_now = 1000 * MS;
	for (u32 i = 0; i < cpu_count; i++) {
		sim_list[i] = &sim_cpus[i];
		sim_cpus[i].arch.index = i;
		sim_cpus[i].place.core = i;
		sim_cpus[i].idle = 1;
		look_at[i] = NEVER;
		sched_queue_init(&sim_cpus[i].queue);
	}
}

void sim_shape(u32 threads, u32 cores, u32 caches)
{
	for (u32 i = 0; i < host_cpu_count; i++) {
		struct host_cpu *cpu = &sim_cpus[i];
		u32 first = i / threads * threads, core = i / threads;

		cpu->place = (struct cpu_place){ .core = core, .cache = core / cores,
			.package = core / cores / caches, .node = core / cores / caches };
		cpu->sibling = threads > 1 ? &sim_cpus[first + (i + 1 - first) % threads] : NULL;
	}
}

void sim_one_guest_a_core(void)
{
	for (u32 i = 0; i < host_cpu_count; i++) {
		struct host_cpu *first = &sim_cpus[i];

		for (struct host_cpu *s = first->sibling; s && s != &sim_cpus[i]; s = s->sibling)
			first = MIN(first, s);
		sim_cpus[i].core = sim_cpus[i].sibling ? &first->own_core : NULL;
	}
}

struct body *sim_add(u32 weight, u64 work, u64 sleep)
{
	struct body *b = &sim_bodies[sim_count++];

	sched_entity_init(&b->t.sched, weight);
	b->t.cpu = 0;
	b->work = work;
	b->sleep = sleep;
	b->left = work == NEVER ? NEVER : jitter(work);
	b->asleep = true;
	b->wakes_at = sim_now + sim_random(5 * MS);
	return b;
}

u64 sim_ran(const struct body *b)
{
	return b->t.sched.run_cycles - b->at_begin;
}

void sim_mark(void)
{
	for (u32 i = 0; i < sim_count; i++)
		sim_bodies[i].at_begin = sim_bodies[i].t.sched.run_cycles;
}

/* What b should have had: its part of what the sleepers left, but nobody can use more than one CPU. */
u64 sim_share(const struct body *b, u64 length)
{
	u64 left = length * host_cpu_count, weights = 0;
	bool full[SIM_THREADS] = { false }, again = true;

	for (u32 i = 0; i < sim_count; i++) {
		if (sim_bodies[i].work == NEVER)
			weights += sim_bodies[i].t.sched.weight;
		else
			left -= sim_ran(&sim_bodies[i]);
	}
	while (again) {
		again = false;
		for (u32 i = 0; i < sim_count; i++) {
			if (sim_bodies[i].work != NEVER || full[i] || left * sim_bodies[i].t.sched.weight <= length * weights)
				continue;
			full[i] = again = true;
			left -= length;
			weights -= sim_bodies[i].t.sched.weight;
		}
	}
	return full[b - sim_bodies] ? length : left * b->t.sched.weight / weights;
}

s64 sim_off(const struct body *b, u64 length)
{
	return (s64)sim_ran(b) - (s64)sim_share(b, length);
}

static int by_value(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/* Microseconds within which `percent` of all wake-ups ran. */
u32 sim_latency(u32 percent)
{
	qsort(sim_latencies, sim_latency_count, sizeof(sim_latencies[0]), by_value);
	return sim_latency_count ? sim_latencies[(u64)(sim_latency_count - 1) * percent / 100] : 0;
}
