/* Gangs: who waits for a thread that was preempted calls it, and both end their requests together; so EEVDF soon
 * chooses them at the same time.  Lock: queue_lock of one CPU at a time. */
#include "kernel/sched_gang.h"

static struct thread *thread_of(struct link *l)
{
	return LIST_ITEM(l, struct thread, sched.queued);
}

static bool is_ready_on(const struct host_cpu *cpu, const struct thread *t)
{
	return t->cpu == cpu->arch.index && list_linked(&t->sched.queued);
}

/* Another CPU of the node for t, on which nobody of its process runs: the lightest. */
static struct host_cpu *apart(const struct host_cpu *from, const struct thread *t)
{
	struct host_cpu *best = NULL;

	for (u32 i = 0; i < host_cpu_count; i++) {
		struct host_cpu *cpu = host_cpus[i];
		const struct thread *running = __atomic_load_n(&cpu->current, __ATOMIC_RELAXED);

		if (cpu == from || cpu->place.node != from->place.node || !thread_may_use(t, i) ||
		    (running && running->process == t->process))
			continue;
		if (!best || cpu->queue.weight < best->queue.weight)
			best = cpu;
	}
	return best;
}

static bool has_fellow(struct host_cpu *cpu, const struct thread *t)
{
	if (cpu->current && cpu->current->process == t->process)
		return true;
	for (struct link *l = cpu->queue.ready.next; l != &cpu->queue.ready; l = l->next)
		if (thread_of(l) != t && thread_of(l)->process == t->process)
			return true;
	return false;
}

/* Whom `from` may send for t, which came: best one that has another of its process there, and should leave it, too. */
static struct thread *in_return(struct host_cpu *from, const struct host_cpu *to, const struct thread *came)
{
	struct thread *best = NULL;

	for (struct link *l = from->queue.ready.next; l != &from->queue.ready; l = l->next) {
		struct thread *t = thread_of(l);

		if (!t->process || t->process == came->process || t->sched.weight != came->sched.weight ||
		    !thread_may_use(t, to->arch.index))
			continue;
		if (has_fellow(from, t))
			return t;
		best = best ? best : t;
	}
	return best;
}

void sched_part(const struct thread *caller, struct thread *t)
{
	struct host_cpu *cpu = host_cpus[caller->cpu], *to;
	struct thread *back;
	bool taken;

	if (__atomic_load_n(&t->cpu, __ATOMIC_RELAXED) != cpu->arch.index || !(to = apart(cpu, t)))
		return;
	spin_lock(&cpu->queue_lock);
	taken = is_ready_on(cpu, t);
	if (taken)
		sched_queue_remove(&cpu->queue, &t->sched);
	spin_unlock(&cpu->queue_lock);
	if (!taken)
		return;
	spin_lock(&to->queue_lock);
	back = in_return(to, cpu, t);
	if (back)
		sched_queue_remove(&to->queue, &back->sched);
	spin_unlock(&to->queue_lock);
	sched_enqueue(to, t, JOIN_MOVED);
	if (back)
		sched_enqueue(cpu, back, JOIN_MOVED);
}

bool sched_call(const struct thread *caller, struct thread *t, u64 now)
{
	struct host_cpu *cpu = host_cpus[caller->cpu], *at = host_cpus[__atomic_load_n(&t->cpu, __ATOMIC_RELAXED)];
	bool soon;
	s64 left;

	spin_lock(&cpu->queue_lock);
	left = sched_queue_left(&cpu->queue, now);
	if (at == cpu && is_ready_on(cpu, t))
		sched_queue_swap(&cpu->queue, &t->sched, now);
	spin_unlock(&cpu->queue_lock);
	if (at == cpu)
		return false;
	spin_lock(&at->queue_lock);
	soon = is_ready_on(at, t) && sched_queue_call(&at->queue, &t->sched, left, now);
	spin_unlock(&at->queue_lock);
	if (soon)
		host_cpu_resched(at->arch.index);
	return soon;
}
