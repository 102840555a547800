/* Timers: a short sorted list for each CPU. */
#include "kernel/timer.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/registers.h"

static u64 first_deadline(struct host_cpu *cpu)
{
	struct link *first = cpu->timers.next;

	return list_empty(&cpu->timers) ? TIMER_NEVER : LIST_ITEM(first, struct timer, link)->deadline;
}

void timer_program(struct host_cpu *cpu)
{
	apic_timer_set(&cpu->apic_timer, MIN(first_deadline(cpu), cpu->slice_end));
}

static void insert(struct host_cpu *cpu, struct timer *t)
{
	struct link *at = cpu->timers.next;

	while (at != &cpu->timers && LIST_ITEM(at, struct timer, link)->deadline <= t->deadline)
		at = at->next;
	list_insert(&t->link, at);
}

void timer_cancel(struct timer *t)
{
	struct host_cpu *cpu = t->cpu;

	if (!cpu)
		return;
	spin_lock(&cpu->timer_lock);
	if (list_linked(&t->link))
		list_remove(&t->link);
	spin_unlock(&cpu->timer_lock);
	while (cpu != host_cpu() && __atomic_load_n(&cpu->expiring, __ATOMIC_ACQUIRE) == t)
		pause();
}

void timer_arm(struct timer *t, u64 deadline)
{
	struct host_cpu *cpu = host_cpu();

	if (t->cpu && t->cpu != cpu)
		timer_cancel(t);
	spin_lock(&cpu->timer_lock);
	if (list_linked(&t->link))
		list_remove(&t->link);
	t->cpu = cpu;
	t->deadline = deadline;
	if (deadline != TIMER_NEVER)
		insert(cpu, t);
	timer_program(cpu);
	spin_unlock(&cpu->timer_lock);
}

static struct timer *take_due(struct host_cpu *cpu, u64 now)
{
	struct timer *t = NULL;

	spin_lock(&cpu->timer_lock);
	if (first_deadline(cpu) <= now) {
		t = LIST_ITEM(cpu->timers.next, struct timer, link);
		list_remove(&t->link);
		__atomic_store_n(&cpu->expiring, t, __ATOMIC_RELAXED); /* the unlock publishes it */
	}
	spin_unlock(&cpu->timer_lock);
	return t;
}

void timer_interrupt(void)
{
	struct host_cpu *cpu = host_cpu();
	u64 now = rdtsc();
	struct timer *t;

	apic_timer_fired(&cpu->apic_timer);
	if (cpu->slice_end <= now) {
		cpu->slice_end = TIMER_NEVER;
		cpu->resched = 1;
	}
	while ((t = take_due(cpu, now)))
		t->expired(t);
	__atomic_store_n(&cpu->expiring, NULL, __ATOMIC_RELEASE);
	spin_lock(&cpu->timer_lock);
	timer_program(cpu);
	spin_unlock(&cpu->timer_lock);
}
