/* Threads come and go here; sched.c runs them.  Their memory stays theirs: a late vcpu_request may wake one that
 * is gone or begins anew, and finds it READY.  Lock: free_lock (LOCK_HEAP) guards the free ones. */
#include "kernel/thread.h"

#include "kernel/heap.h"
#include "kernel/lib/string.h"
#include "kernel/lock.h"

static struct spinlock free_lock = SPINLOCK(LOCK_HEAP);
static struct thread *free_threads; /* free_lock: linked by process */

static struct thread *take_free(void)
{
	struct thread *t;

	spin_lock(&free_lock);
	t = free_threads;
	if (t)
		free_threads = (struct thread *)t->process;
	spin_unlock(&free_lock);
	if (t)
		memset(t, 0, sizeof(*t));
	return t;
}

struct thread *thread_create(struct process *process, enum step (*step)(struct thread *t), u32 weight)
{
	struct thread *t = take_free();

	if (!t)
		t = heap_alloc(sizeof(*t));
	if (!t)
		return NULL;
	t->process = process;
	t->step = step;
	t->cpu = host_cpu()->arch.index;
	sched_entity_init(&t->sched, weight);
	return t;
}

void thread_start(struct thread *t)
{
	__atomic_store_n(&t->state, THREAD_BLOCKED, __ATOMIC_SEQ_CST);
	thread_wake(t);
}

void thread_free(struct thread *t)
{
	timer_cancel(&t->timer);
	t->state = THREAD_READY;
	spin_lock(&free_lock);
	t->process = (struct process *)free_threads;
	free_threads = t;
	spin_unlock(&free_lock);
}
