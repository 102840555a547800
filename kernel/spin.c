/* Directed yield: what to do about a PAUSE loop.  The one that is waited for is not known; it can only be one that
 * was preempted, and is hardly one that was spinning itself.  No lock: thread_boost looks again under the queue's. */
#include "kernel/spin.h"

#include "kernel/thread.h"

static bool was_preempted(const struct thread *t)
{
	return t && __atomic_load_n(&t->state, __ATOMIC_RELAXED) == THREAD_READY;
}

/* In turns, so that a wrong choice is not made again and again. */
void spin_yield(struct vcpu *v)
{
	u32 count = guest_vcpu_count(v->guest);

	for (u32 i = 1; i <= count; i++) {
		struct vcpu *other = guest_vcpu(v->guest, (v->yielded_to + i) % count);
		struct thread *t = other ? __atomic_load_n(&other->thread, __ATOMIC_SEQ_CST) : NULL;

		if (!other || other == v || other->last == &other->exits[REASON_PAUSE] || !was_preempted(t) || !thread_boost(t))
			continue;
		v->yielded_to = other->index;
		v->directed++;
		return;
	}
}
