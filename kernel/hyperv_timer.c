/* The four synthetic timers of a vCPU, TLFS §12.2: one-shot and periodic, by a message or by an interrupt.
 *
 * Invariant: due is UINT64_MAX unless a timer is enabled and has a count.  Every access settles first what has passed,
 * as the local APIC's timer does; a late periodic timer skips to its next expiry after now.  A lazy timer is treated
 * as any other, which the TLFS leaves to us. */
#include "kernel/hyperv.h"

#include "kernel/lapic_regs.h"

#define TIMER_FIRST 0xb0u
#define CONFIG_ENABLED BIT(0)
#define CONFIG_PERIODIC BIT(1)
#define CONFIG_AUTO BIT(3)
#define CONFIG_DIRECT BIT(12)
#define CONFIG_RESERVED (~0xfffffull | 7ull << 13)
#define NEVER UINT64_MAX
#define PERIOD_MIN 2000 /* 200 us: the four of them make no more exits than the local APIC's timer may */
#define TIMER_EXPIRED 0x80000010u

struct expired {
	u32 timer, reserved;
	u64 due, now; /* reference time */
};

static u32 sint_of(const struct hyperv_timer *t)
{
	return t->config >> 16 & 15;
}

static u64 later(u64 time, u64 delta)
{
	return delta < NEVER - time ? time + delta : NEVER;
}

static void start(struct hyperv_timer *t, u64 now)
{
	t->due = NEVER;
	if (t->config & CONFIG_ENABLED && t->count)
		t->due = t->config & CONFIG_PERIODIC ? later(now, t->count) : t->count;
}

static u64 next_period(const struct hyperv_timer *t, u64 now)
{
	u64 period = t->count;

	if (period < PERIOD_MIN)
		period *= (PERIOD_MIN + period - 1) / period;
	return later(t->due, ((now - t->due) / period + 1) * period);
}

static void signal(struct vcpu *v, u32 n, u64 now)
{
	struct hyperv_timer *t = &v->hyperv.timer[n];
	struct expired e = { .timer = n, .due = t->expired, .now = now };

	if (t->config & CONFIG_DIRECT)
		lapic_raise(v, (u8)(t->config >> 4));
	else
		t->waits = !hyperv_message(v, sint_of(t), TIMER_EXPIRED, &e, sizeof(e));
}

static void settle(struct vcpu *v, u32 n, u64 now)
{
	struct hyperv_timer *t = &v->hyperv.timer[n];

	if (t->due <= now && t->due != NEVER) {
		t->expired = t->due;
		if (t->config & CONFIG_PERIODIC) {
			t->due = next_period(t, now);
		} else {
			t->due = NEVER;
			t->config &= ~CONFIG_ENABLED;
		}
		signal(v, n, now);
	} else if (t->waits) {
		signal(v, n, now);
	}
}

static void arm(struct vcpu *v)
{
	u64 first = NEVER;

	for (u32 n = 0; n < HYPERV_TIMERS; n++)
		first = MIN(first, v->hyperv.timer[n].due);
	vcpu_synthetic_arm(v, hyperv_host_tsc(v, first));
}

void hyperv_timers(struct vcpu *v)
{
	u64 now = hyperv_time(v);

	for (u32 n = 0; n < HYPERV_TIMERS; n++)
		settle(v, n, now);
	arm(v);
}

void hyperv_timers_stop(struct vcpu *v)
{
	vcpu_synthetic_arm(v, NEVER);
}

/* A timer by message needs a source other than 0, which is the hypervisor's own. */
static int set_config(struct hyperv_timer *t, u64 value)
{
	if (value & CONFIG_RESERVED)
		return ERR_INVAL;
	t->config = value;
	t->waits = false;
	if (!(value & CONFIG_DIRECT) && !sint_of(t))
		t->config &= ~CONFIG_ENABLED;
	return 0;
}

static void set_count(struct hyperv_timer *t, u64 value)
{
	t->count = value;
	t->waits = false;
	if (!value)
		t->config &= ~CONFIG_ENABLED;
	else if (t->config & CONFIG_AUTO)
		t->config |= CONFIG_ENABLED;
}

int hyperv_timer_read(struct vcpu *v, u32 msr, u64 *value)
{
	u32 n = (msr - TIMER_FIRST) / 2;
	const struct hyperv_timer *t = &v->hyperv.timer[n];

	settle(v, n, hyperv_time(v));
	*value = msr & 1 ? t->count : t->config;
	return 0;
}

int hyperv_timer_write(struct vcpu *v, u32 msr, u64 value)
{
	u32 n = (msr - TIMER_FIRST) / 2;
	struct hyperv_timer *t = &v->hyperv.timer[n];
	u64 now = hyperv_time(v);

	settle(v, n, now);
	if (msr & 1)
		set_count(t, value);
	else if (set_config(t, value))
		return ERR_INVAL;
	start(t, now);
	settle(v, n, now);
	arm(v);
	return 0;
}
