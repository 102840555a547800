/* The local APIC's timer: one-shot, periodic and TSC deadline (APM 2 §16.4.1, SDM 3A §11.5.4).  Own thread.
 *
 * Its state is one deadline in host TSC ticks.  Every access settles first what has passed by then, so the
 * guest never sees a count beyond its expiry, and a masked timer needs no host timer at all.  A late periodic
 * timer skips to its next expiry after now: interrupts do not bunch. */
#include "kernel/lapic_regs.h"

#include "kernel/lib/muldiv.h"

#define NEVER UINT64_MAX
#define PERIOD_MIN_NS 50000 /* a shorter period than the host can serve would only make exits */

/* SDM 3A figure 11-10: 000 is by 2 ... 110 by 128, 111 by 1. */
static u32 divide_shift(const struct vcpu *v)
{
	u32 divide = v->lapic.timer_divide;

	return (((divide & 3) | (divide & 8) >> 1) + 1) & 7;
}

static u32 timer_mode(const struct vcpu *v)
{
	return LVT_TIMER_MODE(v->lapic.timer_lvt);
}

static u64 count_to_ticks(const struct vcpu *v, u32 count)
{
	return muldiv((u64)count << divide_shift(v), vcpu_tsc_hz(), LAPIC_BUS_HZ);
}

/* t + delta on the host's TSC, at the end of time if it is beyond. */
static u64 later(u64 t, u64 delta)
{
	return delta < NEVER - t ? t + delta : NEVER;
}

static void arm(struct vcpu *v)
{
	bool masked = v->lapic.timer_lvt & LVT_MASKED;

	vcpu_timer_arm(v, masked ? NEVER : v->lapic.timer_deadline);
}

static u64 next_period(const struct vcpu *v, u64 now)
{
	u64 deadline = v->lapic.timer_deadline, period = v->lapic.timer_period;
	u64 minimum = muldiv(PERIOD_MIN_NS, vcpu_tsc_hz(), LAPIC_BUS_HZ);

	if (period == 0)
		period = 1;
	if (period < minimum)
		period *= (minimum + period - 1) / period;
	return later(deadline, ((now - deadline) / period + 1) * period);
}

/* Raises the interrupt of an expiry up to now and sets the deadline after it; true if there was one. */
static bool settle(struct vcpu *v, u64 now)
{
	struct lapic *l = &v->lapic;

	if (now < l->timer_deadline || l->timer_deadline == NEVER)
		return false;
	if (!(l->timer_lvt & LVT_MASKED))
		lapic_raise(v, (u8)l->timer_lvt);
	if (timer_mode(v) == TIMER_PERIODIC) {
		l->timer_deadline = next_period(v, now);
	} else {
		l->timer_deadline = NEVER;
		l->tsc_deadline = 0;
	}
	return true;
}

void lapic_timer(struct vcpu *v)
{
	settle(v, lapic_host_tsc(v));
	arm(v);
}

void lapic_timer_stop(struct vcpu *v)
{
	v->lapic.timer_deadline = NEVER;
	v->lapic.timer_period = 0;
	v->lapic.tsc_deadline = 0;
	vcpu_timer_arm(v, NEVER);
}

void lapic_timer_set_count(struct vcpu *v, u32 count)
{
	struct lapic *l = &v->lapic;
	u64 now = lapic_host_tsc(v);

	if (timer_mode(v) == TIMER_DEADLINE) {
		reg_set(v, REG_COUNT_INITIAL, 0);
		return;
	}
	settle(v, now);
	reg_set(v, REG_COUNT_INITIAL, count);
	l->timer_period = count_to_ticks(v, count);
	l->timer_deadline = count ? later(now, l->timer_period) : NEVER;
	arm(v);
}

static u32 count_at(const struct vcpu *v, u64 now)
{
	u64 deadline = v->lapic.timer_deadline, initial = reg_get(v, REG_COUNT_INITIAL);

	if (deadline == NEVER || deadline <= now)
		return 0;

	u64 unit = 1ull << divide_shift(v);
	u64 ns = muldiv(deadline - now, LAPIC_BUS_HZ, vcpu_tsc_hz());
	u64 count = (ns + unit - 1) / unit;

	return (u32)MIN(MAX(count, 1), initial); /* 0 is reached at the deadline, not before */
}

u32 lapic_timer_count(struct vcpu *v)
{
	u64 now = lapic_host_tsc(v);

	if (timer_mode(v) == TIMER_DEADLINE)
		return 0;
	if (settle(v, now))
		arm(v);
	return count_at(v, now);
}

/* The rest of the count runs on at the new rate. */
void lapic_timer_set_divide(struct vcpu *v, u32 divide)
{
	struct lapic *l = &v->lapic;
	u64 now = lapic_host_tsc(v);

	reg_set(v, REG_DIVIDE, divide);
	if (l->timer_divide == divide)
		return;
	if (timer_mode(v) != TIMER_DEADLINE) {
		settle(v, now);

		u32 count = count_at(v, now);

		l->timer_divide = divide;
		l->timer_period = count_to_ticks(v, reg_get(v, REG_COUNT_INITIAL));
		if (l->timer_deadline != NEVER)
			l->timer_deadline = later(now, count_to_ticks(v, count));
		arm(v);
	}
	l->timer_divide = divide;
}

/* Changing to or from TSC deadline mode disarms it, SDM 3A §11.5.4.1. */
void lapic_timer_set_lvt(struct vcpu *v, u32 lvt)
{
	u32 mode = timer_mode(v);

	settle(v, lapic_host_tsc(v));
	reg_set(v, REG_LVT_TIMER, lvt);
	v->lapic.timer_lvt = lvt;
	if ((mode == TIMER_DEADLINE) != (LVT_TIMER_MODE(lvt) == TIMER_DEADLINE)) {
		lapic_timer_stop(v);
		reg_set(v, REG_COUNT_INITIAL, 0);
	} else {
		arm(v);
	}
}

static void set_deadline(struct vcpu *v, u64 deadline)
{
	struct lapic *l = &v->lapic;
	u64 guest = vcpu_tsc(v), now = guest - v->tsc_offset;

	l->tsc_deadline = deadline;
	l->timer_deadline = NEVER;
	if (deadline)
		l->timer_deadline = deadline > guest ? later(now, deadline - guest) : now;
	settle(v, now);
	arm(v);
}

void lapic_deadline_write(struct vcpu *v, u64 value)
{
	if (timer_mode(v) == TIMER_DEADLINE)
		set_deadline(v, value);
}

void lapic_timer_rearm(struct vcpu *v)
{
	if (timer_mode(v) == TIMER_DEADLINE)
		set_deadline(v, v->lapic.tsc_deadline);
	else
		lapic_timer(v);
}
