/* Balancing by clocks: a queue's clock tells how much service its members have had, so a queue whose clock falls
 * behind has too much weight.  Clocks that stay together are shares that are kept, whatever the weights.  Other
 * queues are read without their locks: an old value costs a better choice, nothing else. */
#include "kernel/sched_balance.h"

#include "kernel/frame.h"
#include "kernel/sched_core.h"

struct cpu_set sched_dedicated;

static struct thread *thread_of(struct link *l)
{
	return LIST_ITEM(l, struct thread, sched.queued);
}

static u64 weight_of(const struct host_cpu *cpu)
{
	return __atomic_load_n(&cpu->queue.weight, __ATOMIC_RELAXED);
}

static bool is_free(const struct host_cpu *cpu)
{
	return cpu->idle && !cpu->queue.count;
}

/* And t may run there. */
static bool is_free_for(const struct host_cpu *cpu, const struct thread *t)
{
	return is_free(cpu) && sched_core_has_room(cpu, t->guest);
}

static bool core_is_busy(const struct host_cpu *cpu)
{
	for (const struct host_cpu *s = cpu->sibling; s && s != cpu; s = s->sibling)
		if (!is_free(s))
			return true;
	return false;
}

/* In a node that is not its guest memory's. */
static bool is_away(const struct thread *t, const struct host_cpu *cpu)
{
	return t->node && t->node != cpu->place.node % FRAME_NODES + 1;
}

/* What it costs t to run on a free CPU after its last one: a cold cache is worth less than a core of its own, and
 * that less than memory that is near.  0: nothing is better. */
static u32 cost(const struct thread *t, const struct host_cpu *cpu)
{
	static const u32 way[CPU_DISTANCES] = { [SAME_CORE] = 0, [SAME_CACHE] = 1, [SAME_NODE] = 3, [FARTHER] = 6 };

	return way[topology_distance(&host_cpus[t->cpu]->place, &cpu->place)] + (core_is_busy(cpu) ? 4 : 0) +
		(is_away(t, cpu) ? 8 : 0);
}

/* What a busy CPU would have with t; others than its last must be lighter by t to be worth the way, and by as much
 * again where memory is far. */
static u64 load_with(const struct thread *t, const struct host_cpu *cpu)
{
	u64 load = weight_of(cpu);

	if (cpu->arch.index != t->cpu)
		load += t->sched.weight;
	return is_away(t, cpu) ? load + t->sched.weight : load;
}

/* A free CPU, the cheapest; else the lightest. */
struct host_cpu *sched_choose(const struct thread *t)
{
	struct host_cpu *last = host_cpus[t->cpu], *best = NULL;
	u64 least = UINT64_MAX;

	if (thread_may_use(t, t->cpu) && is_free_for(last, t) && !core_is_busy(last) && !is_away(t, last))
		return last;
	for (u32 i = 0; i < host_cpu_count; i++) {
		struct host_cpu *cpu = host_cpus[i];
		u64 price;

		if (!thread_may_use(t, i))
			continue;
		price = is_free_for(cpu, t) ? cost(t, cpu) : BIT(32) + load_with(t, cpu);
		if (price < least || (price == least && i == t->cpu)) {
			best = cpu;
			least = price;
		}
	}
	return best ? best : last; /* its set is being changed */
}

/* A free CPU is worth a move when what runs here alone shares its core, or is away from its memory. */
bool sched_is_better_elsewhere(const struct host_cpu *cpu, const struct thread *t)
{
	u32 here = (core_is_busy(cpu) ? 4 : 0) + (is_away(t, cpu) ? 8 : 0);

	if (!here || cpu->queue.count)
		return false;
	for (u32 i = 0; i < host_cpu_count; i++)
		if (is_free_for(host_cpus[i], t) && thread_may_use(t, i) && cost(t, host_cpus[i]) < here)
			return true;
	return false;
}

static bool somebody_waits(const struct host_cpu *idle)
{
	for (u32 i = 0; i < host_cpu_count; i++)
		if (host_cpus[i]->queue.count && host_cpus[i] != idle)
			return true;
	return false;
}

struct host_cpu *sched_victim(const struct host_cpu *idle, u32 *at)
{
	if (!*at && !somebody_waits(idle)) /* nearly always */
		return NULL;
	for (; *at < CPU_DISTANCES * host_cpu_count; ++*at) {
		struct host_cpu *other = host_cpus[(idle->arch.index + *at) % host_cpu_count];

		if (other == idle || !other->queue.count ||
		    topology_distance(&idle->place, &other->place) != *at / host_cpu_count)
			continue;
		++*at;
		return other;
	}
	return NULL;
}

/* Of those that may go, the lightest that makes `to` the heavier of the two, else the heaviest; who would come away
 * from his memory only if nobody else can. */
static struct thread *candidate(struct host_cpu *cpu, const struct host_cpu *to, bool away)
{
	u64 half = (cpu->queue.weight - weight_of(to)) / 2;
	struct thread *best = NULL;

	for (struct link *l = cpu->queue.ready.next; l != &cpu->queue.ready; l = l->next) {
		struct thread *t = thread_of(l);
		u32 weight = t->sched.weight;

		if (!thread_may_use(t, to->arch.index) || is_away(t, to) != away)
			continue;
		if (!best || (best->sched.weight > half ? weight > half && weight < best->sched.weight
							: weight > best->sched.weight))
			best = t;
	}
	return best;
}

static void advance_front(u64 clock)
{
	if ((s64)(clock - __atomic_load_n(&sched_front, __ATOMIC_RELAXED)) > 0)
		__atomic_store_n(&sched_front, clock, __ATOMIC_RELAXED);
}

/* A CPU that nobody keeps busy counts as far ahead; one that is heavier than we falls back by itself.  Who is far
 * must be ahead by more. */
static bool is_ahead(const struct host_cpu *cpu, const struct host_cpu *other, u64 now, u64 *clock)
{
	bool near = topology_distance(&cpu->place, &other->place) <= SAME_CACHE;

	*clock = sched_queue_clock(&other->queue, now);
	if (!weight_of(other)) {
		*clock = cpu->queue.clock + 2 * sched_times.limit;
		return true;
	}
	advance_front(*clock);
	return (s64)(*clock - cpu->queue.clock) > (s64)(near ? 1 : 2) * (s64)sched_times.apart &&
		weight_of(other) < cpu->queue.weight;
}

struct thread *sched_surplus(struct host_cpu *cpu, u64 now, struct host_cpu **to)
{
	struct sched_queue *q = &cpu->queue;
	u64 furthest = q->clock, ahead = q->clock;
	struct thread *best = NULL;

	if (!q->count || now - q->balanced < sched_times.balance)
		return NULL;
	q->balanced = now;
	advance_front(q->clock);
	for (u32 i = 0; i < host_cpu_count; i++) {
		struct host_cpu *other = host_cpus[i];
		struct thread *t;
		u64 clock;

		if (other == cpu || cpu_set_has(&sched_dedicated, i) || !is_ahead(cpu, other, now, &clock))
			continue;
		ahead = weight_of(other) ? MAX(ahead, clock) : ahead;
		t = clock > furthest ? candidate(cpu, other, false) : NULL;
		if (!t && clock > furthest)
			t = candidate(cpu, other, true);
		if (!t)
			continue;
		best = t;
		*to = other;
		furthest = clock;
	}
	if (!best) /* a heavy one alone on its CPU, or pinned: no share of all CPUs can be had */
		sched_queue_forgive(q, ahead - sched_times.limit);
	return best;
}

struct thread *sched_spare(const struct host_cpu *from, const struct host_cpu *idle)
{
	const struct sched_queue *q = &from->queue;
	struct thread *any = NULL;

	if (from->idle && (from->core ? from->core == idle->core : q->count < 2)) /* it is on its way to that itself */
		return NULL;
	for (struct link *l = q->ready.next; l != &q->ready; l = l->next) {
		struct thread *t = thread_of(l);

		if (!thread_may_use(t, idle->arch.index) || !sched_core_has_room(idle, t->guest))
			continue;
		if (!is_away(t, idle))
			return t;
		any = any ? any : t;
	}
	return any;
}
