/* The scheduler's motions: threads wake, run, stop and change CPUs.  Who goes first is sched_queue.c's to say, and
 * where, sched_balance.c's.  Lock: each CPU's queue_lock guards its queue; never two of them at once, so a thread
 * on its way from one to another is READY and in neither. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/barrier.h"
#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/lock.h"
#include "kernel/monitor.h"
#include "kernel/sched_balance.h"
#include "kernel/sched_core.h"
#include "kernel/space.h"

struct host_cpu **host_cpus;
u32 host_cpu_count;

static u32 log_changed; /* a: EVENT_LOG is due */

void sched_start(void)
{
	sched_times_init(clock_cycles(1000000));
}

void sched_init(struct host_cpu *cpu)
{
	cpu->queue_lock.class = LOCK_RUN_QUEUE;
	cpu->timer_lock.class = LOCK_TIMER;
	sched_queue_init(&cpu->queue);
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

static struct thread *thread_of(struct sched_entity *e)
{
	return e ? CONTAINER_OF(e, struct thread, sched) : NULL;
}

void sched_enqueue(struct host_cpu *cpu, struct thread *t, enum sched_join how)
{
	bool look;

	spin_lock(&cpu->queue_lock);
	if (t->cpu != cpu->arch.index) {
		t->cpu = cpu->arch.index;
		t->migrations++;
	}
	look = sched_queue_join(&cpu->queue, &t->sched, how, rdtsc());
	spin_unlock(&cpu->queue_lock);
	if (look && !__atomic_exchange_n(&cpu->resched, 1, __ATOMIC_SEQ_CST))
		host_cpu_kick(cpu->arch.index);
}

/* A thread that is on its way between queues, or not begun, or gone, is linked in none. */
bool thread_boost(struct thread *t)
{
	struct host_cpu *cpu = host_cpus[__atomic_load_n(&t->cpu, __ATOMIC_RELAXED)];
	bool look;

	if (!list_linked(&t->sched.queued))
		return false;
	spin_lock(&cpu->queue_lock);
	look = t->cpu == cpu->arch.index && list_linked(&t->sched.queued) && sched_queue_boost(&cpu->queue, &t->sched);
	spin_unlock(&cpu->queue_lock);
	if (look && !__atomic_exchange_n(&cpu->resched, 1, __ATOMIC_SEQ_CST))
		host_cpu_kick(cpu->arch.index);
	return look;
}

void thread_wake(struct thread *t)
{
	u32 state = __atomic_load_n(&t->state, __ATOMIC_SEQ_CST);

	for (;;) {
		u32 next = state == THREAD_BLOCKED ? THREAD_READY : THREAD_WOKEN;

		if (state == THREAD_READY)
			thread_boost(t);
		if (state == THREAD_READY || state == THREAD_WOKEN)
			return;
		if (__atomic_compare_exchange_n(&t->state, &state, next, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			break;
	}
	if (state != THREAD_BLOCKED)
		return;
	t->wakeups++;
	sched_enqueue(sched_choose(t), t, JOIN_WOKEN);
}

/* A ready thread from some other CPU's queue. */
static struct thread *steal(struct host_cpu *self)
{
	struct thread *t = NULL;
	struct host_cpu *other;
	u32 at = 0;

	while (!t && (other = sched_victim(self, &at))) {
		spin_lock(&other->queue_lock);
		t = sched_spare(other, self);
		if (t)
			sched_queue_remove(&other->queue, &t->sched);
		spin_unlock(&other->queue_lock);
	}
	return t;
}

/* resched is cleared before the look that decides how long the thread may run: who comes later sets it again. */
static struct thread *pick_own(struct host_cpu *cpu)
{
	struct thread *t;

	__atomic_store_n(&cpu->resched, 0, __ATOMIC_SEQ_CST);
	spin_lock(&cpu->queue_lock);
	t = thread_of(cpu->core ? sched_core_pick(cpu, rdtsc()) : sched_queue_pick(&cpu->queue, rdtsc()));
	if (t)
		cpu->slice_end = sched_queue_look(&cpu->queue);
	if (t && !thread_may_use(t, cpu->arch.index)) /* pinned elsewhere meanwhile: it goes after its next step */
		cpu->resched = 1;
	spin_unlock(&cpu->queue_lock);
	return t;
}

static struct thread *pick(struct host_cpu *cpu)
{
	struct thread *t = pick_own(cpu);

	if (t || !(t = steal(cpu)))
		return t;
	sched_enqueue(cpu, t, JOIN_MOVED); /* by the time that it is picked another may be before it */
	return pick_own(cpu);
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
		tell_log();
		t = pick(cpu);
		if (t)
			break;
		if (cpu->core) /* who stands back for another guest is looked at again */
			set_slice(cpu, cpu->queue.count ? rdtsc() + sched_times.wake : TIMER_NEVER);
		cpu_idle();
	}
	cpu->idle = 0;
	cpu->idle_cycles += rdtsc() - since;
	return t;
}

void sched_account(struct host_cpu *cpu)
{
	spin_lock(&cpu->queue_lock);
	sched_queue_account(&cpu->queue, rdtsc());
	spin_unlock(&cpu->queue_lock);
}

/* The state is published before t looks at what it waits for: a waker that still sees READY has left it there. */
static void switch_in(struct host_cpu *cpu, struct thread *t)
{
	__atomic_store_n(&t->state, THREAD_RUNNING, __ATOMIC_SEQ_CST);
	cpu->current = t;
	cpu->switches++;
	tell_log();
	set_slice(cpu, cpu->slice_end);
	if (cpu->core && t->guest && sched_core_turned(cpu))
		barrier_pass();
	thread_activate(t);
}

/* A thread that another CPU should run goes there. */
static void balance(struct host_cpu *cpu)
{
	struct host_cpu *to;
	struct thread *t;

	spin_lock(&cpu->queue_lock);
	t = sched_surplus(cpu, rdtsc(), &to);
	if (t)
		sched_queue_remove(&cpu->queue, &t->sched);
	spin_unlock(&cpu->queue_lock);
	if (t)
		sched_enqueue(to, t, JOIN_MOVED);
}

/* Is somebody else to run now?  Called when resched was raised. */
static bool should_yield(struct host_cpu *cpu, struct thread *t)
{
	u64 look;
	bool yield;

	cpu->resched = 0;
	tell_log();
	if (cpu->queue.count)
		balance(cpu);
	spin_lock(&cpu->queue_lock);
	yield = sched_queue_yields(&cpu->queue, rdtsc()) || !thread_may_use(t, cpu->arch.index) ||
		sched_core_is_closed(cpu, t->guest, rdtsc());
	look = sched_queue_look(&cpu->queue);
	spin_unlock(&cpu->queue_lock);
	cpu->moves = !yield && sched_is_better_elsewhere(cpu, t);
	if (!yield && !cpu->moves)
		set_slice(cpu, look);
	return yield || cpu->moves;
}

/* Steps of t until it gives the CPU up; returns why: STEP_AGAIN for a preemption. */
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
			return STEP_AGAIN;
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

/* t, which ran until now, goes where it belongs.  Once it is in a queue or BLOCKED another CPU may have it. */
static void switch_out(struct host_cpu *cpu, struct thread *t, enum step why)
{
	bool ready = why == STEP_AGAIN || why == STEP_YIELD;
	bool stays = ready && !cpu->moves && thread_may_use(t, cpu->arch.index);

	cpu->moves = false;
	thread_deactivate(t, ready);
	sched_core_leave(cpu, t->guest);
	cpu->current = NULL;
	if (stays)
		t->state = THREAD_READY;
	spin_lock(&cpu->queue_lock);
	sched_queue_stop(&cpu->queue, !stays ? SCHED_LEAVES : why == STEP_YIELD ? SCHED_YIELDED : SCHED_PREEMPTED,
			 rdtsc());
	spin_unlock(&cpu->queue_lock);
	if (stays)
		return;
	if (why == STEP_EXIT) {
		thread_exited(t);
	} else if (why != STEP_BLOCK || !block(t)) {
		t->state = THREAD_READY;
		sched_enqueue(sched_choose(t), t, why == STEP_BLOCK ? JOIN_WOKEN : JOIN_MOVED);
	}
}

_Noreturn void sched_loop(void *unused)
{
	struct host_cpu *cpu = host_cpu();

	for (;;) {
		struct thread *t = pick(cpu);

		if (!t)
			t = wait_for_work(cpu);
		switch_in(cpu, t);
		switch_out(cpu, t, run(cpu, t));
	}
}
