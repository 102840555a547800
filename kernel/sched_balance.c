/* Balancing by clocks: a queue's clock tells how much service its members have had, so a queue whose clock falls
 * behind has too much weight.  Clocks that stay together are shares that are kept, whatever the weights.  Other
 * queues are read without their locks: an old value costs a better choice, nothing else. */
#include "kernel/sched_balance.h"

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

/* Its last CPU for the cache's sake, unless another is idle, or lighter even with it. */
struct host_cpu *sched_choose(const struct thread *t)
{
	struct host_cpu *last = host_cpus[t->cpu], *best = thread_may_use(t, t->cpu) ? last : NULL;
	u64 least = best ? weight_of(best) : UINT64_MAX;

	if (best && is_free(best))
		return best;
	for (u32 i = 0; i < host_cpu_count; i++) {
		struct host_cpu *cpu = host_cpus[i];

		if (!thread_may_use(t, i))
			continue;
		if (is_free(cpu))
			return cpu;
		if (weight_of(cpu) + t->sched.weight < least || !best) {
			best = cpu;
			least = weight_of(cpu);
		}
	}
	return best ? best : last; /* its set is being changed */
}

/* Of those that may go, the lightest that makes `to` the heavier of the two, else the heaviest. */
static struct thread *candidate(struct host_cpu *cpu, const struct host_cpu *to)
{
	u64 half = (cpu->queue.weight - weight_of(to)) / 2;
	struct thread *best = NULL;

	for (struct link *l = cpu->queue.ready.next; l != &cpu->queue.ready; l = l->next) {
		struct thread *t = thread_of(l);
		u32 weight = t->sched.weight;

		if (!thread_may_use(t, to->arch.index))
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

/* A CPU that nobody keeps busy counts as far ahead; one that is heavier than we falls back by itself. */
static bool is_ahead(const struct host_cpu *cpu, const struct host_cpu *other, u64 now, u64 *clock)
{
	*clock = sched_queue_clock(&other->queue, now);
	if (!weight_of(other)) {
		*clock = cpu->queue.clock + 2 * sched_times.limit;
		return true;
	}
	advance_front(*clock);
	return (s64)(*clock - cpu->queue.clock) > (s64)sched_times.apart && weight_of(other) < cpu->queue.weight;
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

		if (other == cpu || !is_ahead(cpu, other, now, &clock))
			continue;
		ahead = weight_of(other) ? MAX(ahead, clock) : ahead;
		t = clock > furthest ? candidate(cpu, other) : NULL;
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

	if (from->idle && q->count < 2) /* it is on its way to that one itself */
		return NULL;
	for (struct link *l = q->ready.next; l != &q->ready; l = l->next)
		if (thread_may_use(thread_of(l), idle->arch.index))
			return thread_of(l);
	return NULL;
}
