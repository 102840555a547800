/* The scheduler: on each CPU the ready thread with the least weighted run time goes first, for a slice, and a
 * thread that wakes may take over from one that had more.  Idle CPUs take work from the others' queues. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/lib/string.h"
#include "kernel/thread.h"
#include "kernel/lock.h"
#include "kernel/monitor.h"
#include "kernel/space.h"

#define SLICE_NS 5000000ull
#define WAKE_CREDIT_NS 3000000ull /* how far behind the others a sleeper may come back */
#define ALONE_NS 1000000000ull /* slice of a thread that nobody waits for: a look at the watchdog */

struct host_cpu **host_cpus;
u32 host_cpu_count;

static u32 log_changed; /* a: EVENT_LOG is due */
static u64 slice_cycles, credit_cycles, alone_cycles;

void sched_start(void)
{
	slice_cycles = clock_cycles(SLICE_NS);
	credit_cycles = clock_cycles(WAKE_CREDIT_NS);
	alone_cycles = clock_cycles(ALONE_NS);
}

void sched_init(struct host_cpu *cpu)
{
	cpu->queue_lock.class = LOCK_RUN_QUEUE;
	cpu->timer_lock.class = LOCK_TIMER;
	list_init(&cpu->ready);
	list_init(&cpu->timers);
	cpu->slice_end = TIMER_NEVER;
	cpu->started_at = rdtsc();
}

/* Called with anybody's locks held: only leaves marks. */
void sched_log_changed(void)
{
	log_changed = 1;
	host_cpu()->resched = 1;
}

static void tell_log(void)
{
	if (log_changed && __atomic_exchange_n(&log_changed, 0, __ATOMIC_SEQ_CST))
		monitor_raise(EVENT_LOG);
}

struct thread *sched_current(void)
{
	return host_cpu()->current;
}

void host_cpu_kick(u32 index)
{
	struct host_cpu *cpu = host_cpus[index];

	if (cpu != host_cpu())
		apic_send(cpu->arch.apic_id, VECTOR_KICK);
}

void host_cpu_resched(u32 index)
{
	__atomic_store_n(&host_cpus[index]->resched, 1, __ATOMIC_SEQ_CST);
	host_cpu_kick(index);
}

/* Threads stay threads: a late vcpu_request may wake one that is gone or begins anew, and finds it READY. */
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
	t->weight = weight;
	t->cpu = host_cpu()->arch.index;
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

static struct thread *first_ready(struct host_cpu *cpu)
{
	return list_empty(&cpu->ready) ? NULL : LIST_ITEM(cpu->ready.next, struct thread, queued);
}

/* Queue lock held. */
static void insert(struct host_cpu *cpu, struct thread *t)
{
	struct link *at = cpu->ready.prev;

	while (at != &cpu->ready && LIST_ITEM(at, struct thread, queued)->vruntime > t->vruntime)
		at = at->prev;
	list_insert(&t->queued, at->next);
	cpu->ready_count++;
}

static void take(struct host_cpu *cpu, struct thread *t)
{
	list_remove(&t->queued);
	cpu->ready_count--;
	cpu->min_vruntime = MAX(cpu->min_vruntime, t->vruntime);
}

/* Puts t into cpu's queue and makes the CPU look, if t should run before what it runs. */
static void enqueue(struct host_cpu *cpu, struct thread *t, bool woken)
{
	u64 credit = credit_cycles;
	bool look;

	spin_lock(&cpu->queue_lock);
	if (woken || t->cpu != cpu->arch.index)
		t->vruntime = MAX(t->vruntime, cpu->min_vruntime > credit ? cpu->min_vruntime - credit : 0);
	if (t->cpu != cpu->arch.index) {
		t->vruntime = MIN(t->vruntime, cpu->min_vruntime + credit);
		t->cpu = cpu->arch.index;
		t->migrations++;
	}
	insert(cpu, t);
	look = woken && (cpu->ready_count == 1 || first_ready(cpu) == t);
	spin_unlock(&cpu->queue_lock);
	if (look && !__atomic_exchange_n(&cpu->resched, 1, __ATOMIC_SEQ_CST))
		host_cpu_kick(cpu->arch.index);
}

/* The last CPU if it is idle, else an idle one, else the last CPU. */
static struct host_cpu *choose_cpu(const struct thread *t)
{
	struct host_cpu *last = host_cpus[t->cpu], *best = last;

	if (last->idle)
		return last;
	for (u32 i = 0; i < host_cpu_count; i++) {
		struct host_cpu *cpu = host_cpus[i];

		if (cpu->idle && !cpu->ready_count)
			return cpu;
		if (cpu->ready_count + 1 < best->ready_count)
			best = cpu;
	}
	return best;
}

void thread_wake(struct thread *t)
{
	u32 state = __atomic_load_n(&t->state, __ATOMIC_SEQ_CST);

	for (;;) {
		u32 next = state == THREAD_BLOCKED ? THREAD_READY : THREAD_WOKEN;

		if (state == THREAD_READY || state == THREAD_WOKEN)
			return;
		if (__atomic_compare_exchange_n(&t->state, &state, next, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			break;
	}
	if (state != THREAD_BLOCKED)
		return;
	t->wakeups++;
	enqueue(choose_cpu(t), t, true);
}

/* A ready thread from some other CPU's queue. */
static struct thread *steal(struct host_cpu *self)
{
	for (u32 i = 1; i < host_cpu_count; i++) {
		struct host_cpu *other = host_cpus[(self->arch.index + i) % host_cpu_count];
		struct thread *t = NULL;

		if (!other->ready_count)
			continue;
		spin_lock(&other->queue_lock);
		if (!other->idle || other->ready_count > 1)
			t = first_ready(other);
		if (t)
			take(other, t);
		spin_unlock(&other->queue_lock);
		if (t) {
			t->vruntime = MAX(self->min_vruntime, t->vruntime - MIN(t->vruntime, other->min_vruntime));
			t->cpu = self->arch.index;
			t->migrations++;
			return t;
		}
	}
	return NULL;
}

static struct thread *pick(struct host_cpu *cpu)
{
	struct thread *t;

	spin_lock(&cpu->queue_lock);
	t = first_ready(cpu);
	if (t)
		take(cpu, t);
	spin_unlock(&cpu->queue_lock);
	return t ? t : steal(cpu);
}

static void set_slice(struct host_cpu *cpu, u64 end)
{
	cpu->slice_end = end;
	spin_lock(&cpu->timer_lock);
	timer_program(cpu);
	spin_unlock(&cpu->timer_lock);
}

/* Waits until there is a thread.  idle is published before the last look: a waker either sees it or is seen. */
static struct thread *wait_for_work(struct host_cpu *cpu)
{
	struct thread *t;
	u64 since = rdtsc();

	space_switch(space_kernel_root());
	set_slice(cpu, TIMER_NEVER);
	for (;;) {
		__atomic_store_n(&cpu->idle, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&cpu->resched, 0, __ATOMIC_SEQ_CST);
		tell_log();
		t = pick(cpu);
		if (t)
			break;
		cpu_idle();
	}
	cpu->idle = 0;
	cpu->idle_cycles += rdtsc() - since;
	return t;
}

void sched_account(struct host_cpu *cpu, struct thread *t)
{
	u64 now = rdtsc(), ran = now - cpu->switched_at;

	cpu->switched_at = now;
	t->run_cycles += ran;
	t->vruntime += ran * THREAD_WEIGHT_DEFAULT / t->weight;
}

/* The state is published before t looks at what it waits for: a waker that still sees READY has left it there. */
static void switch_in(struct host_cpu *cpu, struct thread *t)
{
	__atomic_store_n(&t->state, THREAD_RUNNING, __ATOMIC_SEQ_CST);
	cpu->current = t;
	cpu->switches++;
	cpu->resched = 0;
	tell_log();
	cpu->switched_at = rdtsc();
	set_slice(cpu, cpu->switched_at + (cpu->ready_count ? slice_cycles : alone_cycles));
	thread_activate(t);
}

/* Is somebody else to run now?  Called when resched was raised. */
static bool should_yield(struct host_cpu *cpu, struct thread *t)
{
	struct thread *first;
	bool yield;

	cpu->resched = 0;
	tell_log();
	sched_account(cpu, t);
	spin_lock(&cpu->queue_lock);
	first = first_ready(cpu);
	yield = first && first->vruntime < t->vruntime;
	spin_unlock(&cpu->queue_lock);
	if (!yield)
		set_slice(cpu, cpu->switched_at + (first ? slice_cycles : alone_cycles));
	return yield;
}

/* Steps of t until it gives the CPU up; returns why. */
static enum step run(struct host_cpu *cpu, struct thread *t)
{
	for (;;) {
		enum step s = t->step(t);
		u32 woken = THREAD_WOKEN;

		if (s == STEP_YIELD || s == STEP_EXIT)
			return s;
		if (s == STEP_BLOCK) {
			if (!__atomic_compare_exchange_n(&t->state, &woken, THREAD_RUNNING, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
				return s;
		}
		if (cpu->resched && should_yield(cpu, t))
			return STEP_YIELD;
	}
}

/* Blocks t unless it was woken meanwhile; after success it may run elsewhere at once. */
static bool block(struct thread *t)
{
	u32 running = THREAD_RUNNING;

	if (__atomic_compare_exchange_n(&t->state, &running, THREAD_BLOCKED, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return true;
	return false;
}

_Noreturn void sched_loop(void *unused)
{
	struct host_cpu *cpu = host_cpu();

	for (;;) {
		struct thread *t = pick(cpu);
		enum step why;

		if (!t)
			t = wait_for_work(cpu);
		switch_in(cpu, t);
		why = run(cpu, t);
		sched_account(cpu, t);
		thread_deactivate(t);
		cpu->current = NULL;
		if (why == STEP_EXIT) {
			thread_exited(t);
		} else if (why == STEP_YIELD || !block(t)) {
			t->state = THREAD_READY;
			enqueue(cpu, t, false);
		}
	}
}
