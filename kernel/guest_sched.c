/* A guest's part of the processors: weight, cap and pins.  A cap is a short pause, again and again: a timer looks
 * how long the vCPUs ran, and holds them at the kernel's door until that is in the cap's proportion to the time
 * that went by.  So nobody is ever held with a lock of his machine process. */
#include "kernel/guest_sched.h"

#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/host_cpu.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

#define CAP_PERIOD_NS 5000000ull /* how long a capped guest runs at a time, at most */

u64 guest_run_cycles(struct guest *g)
{
	u64 sum = __atomic_load_n(&g->ended_cycles, __ATOMIC_RELAXED);

	for (u32 i = 0; i < g->vcpu_count; i++) {
		struct thread *t = __atomic_load_n(&g->vcpus[i]->thread, __ATOMIC_SEQ_CST);

		if (!t)
			continue;
		sched_account(host_cpus[t->cpu]);
		sum += t->sched.run_cycles;
	}
	return sum;
}

static void hold(struct guest *g, bool on)
{
	u32 before = on ? __atomic_fetch_or(&g->hold, HOLD_CAP, __ATOMIC_SEQ_CST)
			: __atomic_fetch_and(&g->hold, ~(u32)HOLD_CAP, __ATOMIC_SEQ_CST);

	for (u32 i = 0; !(before & HOLD_CAP) == on && i < g->vcpu_count; i++)
		vcpu_request(g->vcpus[i], REQUEST_KICK);
}

/* cap.due: when what has run would have been paid for, had it run at the cap's rate since the last rest. */
static void look(struct timer *timer)
{
	struct guest *g = CONTAINER_OF(timer, struct guest, cap.timer);
	u32 percent = __atomic_load_n(&g->cap.percent, __ATOMIC_SEQ_CST);
	u64 now = rdtsc(), period = clock_cycles(CAP_PERIOD_NS), ran = guest_run_cycles(g);
	u64 delta = ran - MIN(ran, g->cap.counted);

	if (!percent)
		return;
	delta = MIN(delta, (now - g->cap.looked) * g->vcpu_count);
	g->cap.counted = ran;
	g->cap.looked = now;
	g->cap.due = MAX(g->cap.due, now - 4 * period) + delta * 100 / percent;
	hold(g, g->cap.due > now);
	timer_arm(timer, g->cap.due > now ? g->cap.due : now + period);
}

/* Twice: the first may have come while look was about to arm it again. */
void guest_cap_end(struct guest *g)
{
	__atomic_store_n(&g->cap.percent, 0, __ATOMIC_SEQ_CST);
	timer_cancel(&g->cap.timer);
	timer_cancel(&g->cap.timer);
	hold(g, false);
}

void guest_cap(struct guest *g, u32 percent)
{
	guest_cap_end(g);
	if (!percent)
		return;
	g->cap.counted = guest_run_cycles(g);
	g->cap.due = g->cap.looked = rdtsc();
	g->cap.timer.expired = look;
	__atomic_store_n(&g->cap.percent, percent, __ATOMIC_SEQ_CST);
	timer_arm(&g->cap.timer, g->cap.due + clock_cycles(CAP_PERIOD_NS));
}

/* By the monitor, which alone lets a guest die: it is there while the call lasts. */
int guest_schedule(struct guest *g, u32 weight, u32 cap)
{
	if (weight < WEIGHT_MIN || weight > WEIGHT_MAX || cap > CAP_MAX)
		return ERR_INVAL;
	g->params.weight = weight;
	for (u32 i = 0; i < g->vcpu_count; i++) {
		struct thread *t = __atomic_load_n(&g->vcpus[i]->thread, __ATOMIC_SEQ_CST);

		if (!t)
			continue;
		__atomic_store_n(&t->sched.next_weight, weight, __ATOMIC_RELAXED);
		host_cpu_resched(t->cpu);
	}
	if (cap != g->params.cap)
		guest_cap(g, cap);
	g->params.cap = cap;
	return 0;
}

int guest_pin(struct guest *g, u32 index, const struct cpu_set *set)
{
	struct vcpu *v = g->vcpus[index];
	struct thread *t;
	u32 count = 0, usable = 0;

	if (v->own_cpu)
		return ERR_STATE;
	for (u32 i = 0; i < host_cpu_count; i++) {
		count += cpu_set_has(set, i);
		usable += cpu_set_has(set, i) && !cpu_set_has(&sched_dedicated, i);
	}
	if (!usable)
		return ERR_INVAL;
	for (u32 i = 0; i < ARRAY_SIZE(set->word); i++)
		__atomic_store_n(&v->pins.word[i], set->word[i], __ATOMIC_RELAXED);
	v->pinned = count < host_cpu_count;
	t = __atomic_load_n(&v->thread, __ATOMIC_SEQ_CST);
	if (t) {
		__atomic_store_n(&t->pins, v->pinned ? &v->pins : NULL, __ATOMIC_SEQ_CST);
		host_cpu_resched(t->cpu);
	}
	return 0;
}
