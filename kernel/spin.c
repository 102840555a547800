/* What to do about a PAUSE loop.  The one that is waited for is not known; it can only be one that was preempted.
 * No lock: sched_call looks again under the queue's. */
#include "kernel/spin.h"

#include "kernel/clock.h"
#include "kernel/sched_gang.h"

#define TOGETHER_NS 100000000 /* who spun in vain runs together with the others for so long */

/* NULL: v is not there, or has not begun, or its thread is in another state. */
static struct thread *thread_if(const struct vcpu *v, enum thread_state state)
{
	struct thread *t = v ? __atomic_load_n(&v->thread, __ATOMIC_SEQ_CST) : NULL;

	return t && __atomic_load_n(&t->state, __ATOMIC_RELAXED) == state ? t : NULL;
}

/* In turns, so that a wrong choice is not made again and again; one that spins itself only if there is no other. */
static struct vcpu *choose(struct vcpu *v)
{
	u32 count = guest_vcpu_count(v->guest);
	struct vcpu *spinning = NULL;

	for (u32 i = 1; i <= count; i++) {
		struct vcpu *other = guest_vcpu(v->guest, (v->yielded_to + i) % count);

		if (other == v || !thread_if(other, THREAD_READY))
			continue;
		if (other->last != &other->exits[REASON_PAUSE])
			return other;
		spinning = spinning ? spinning : other;
	}
	return spinning;
}

static bool another_runs(const struct vcpu *v)
{
	for (u32 i = 0; i < guest_vcpu_count(v->guest); i++) {
		struct vcpu *other = guest_vcpu(v->guest, i);

		if (other != v && thread_if(other, THREAD_RUNNING))
			return true;
	}
	return false;
}

bool spin_wait(struct vcpu *v)
{
	struct vcpu *other = choose(v);
	u64 until = rdtsc() + clock_cycles(TOGETHER_NS);
	struct thread *t;

	if (!other)
		return another_runs(v);
	v->yielded_to = other->index;
	v->directed++;
	__atomic_store_n(&v->together_until, until, __ATOMIC_RELAXED);
	__atomic_store_n(&other->together_until, until, __ATOMIC_RELAXED);
	t = thread_if(other, THREAD_READY);
	if (!t)
		return true;
	sched_part(v->thread, t);
	return sched_call(v->thread, t, rdtsc());
}

static bool is_gang(const struct vcpu *v)
{
	return (s64)(__atomic_load_n(&v->together_until, __ATOMIC_RELAXED) - rdtsc()) > 0;
}

void spin_gather(struct vcpu *v)
{
	if (!is_gang(v))
		return;
	for (u32 i = 0; i < guest_vcpu_count(v->guest); i++) {
		struct vcpu *other = guest_vcpu(v->guest, i);
		struct thread *t = other != v ? thread_if(other, THREAD_READY) : NULL;

		if (t && is_gang(other) && __atomic_load_n(&t->cpu, __ATOMIC_RELAXED) != v->thread->cpu)
			sched_call(v->thread, t, rdtsc());
	}
}
