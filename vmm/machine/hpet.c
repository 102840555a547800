/* The HPET (IA-PC HPET specification 1.0a).  Lock: the machine lock.
 *
 * The counter is computed from machine time.  A timer matches when the counter passes its comparator; seen
 * is how far that was looked for, so that a match is found once and none is lost, also across wraps.  A
 * periodic timer's late ticks: see backlog.h. */
#include "vmm/machine/hpet.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

#define FS_PER_TICK (HPET_TICK_NS * 1000000ull)

/* Registers (§2.3.3) */
#define REG_ID 0x000
#define REG_CONFIG 0x010
#define REG_STATUS 0x020
#define REG_COUNTER 0x0f0
#define REG_TIMERS 0x100 /* 20h each: configuration, comparator, message */

#define CONFIG_ENABLE 0x1

/* Timer configuration (§2.3.8) */
#define TIMER_LEVEL 0x0002
#define TIMER_ENABLE 0x0004
#define TIMER_PERIODIC 0x0008
#define TIMER_SET 0x0040
#define TIMER_32 0x0100
#define TIMER_MESSAGE 0x4000
#define TIMER_WRITABLE 0x7f4eull
#define TIMER_ROUTES 0x00f00000ull            /* I/O APIC pins 20 to 23 */
#define TIMER_CAPABLE (TIMER_ROUTES << 32 | 0x8030) /* message, 64 bit, periodic */

static bool hpet_enabled(const struct hpet *h)
{
	return h->config & CONFIG_ENABLE;
}

static u64 hpet_counter(const struct hpet *h, u64 now)
{
	return h->base + (hpet_enabled(h) ? now / HPET_TICK_NS : 0);
}

static u64 timer_mask(const struct hpet_timer *t)
{
	return t->config & TIMER_32 ? UINT32_MAX : UINT64_MAX;
}

/* Ticks from seen to the next match, 1 to 2^32 or 2^64 - 1. */
static u64 timer_distance(const struct hpet_timer *t)
{
	u64 mask = timer_mask(t), distance = (t->comparator - t->seen) & mask;

	return distance ? distance : mask == UINT64_MAX ? mask : mask + 1;
}

/* The period in ticks, 0 if it is a one-shot. */
static u64 timer_period(const struct hpet_timer *t)
{
	return t->config & TIMER_PERIODIC ? t->period & timer_mask(t) : 0;
}

static u64 timer_period_ns(const struct hpet_timer *t)
{
	return MIN(timer_period(t), UINT64_MAX / HPET_TICK_NS) * HPET_TICK_NS;
}

/* The interrupt line of timer n. */
static u32 hpet_route(const struct hpet *h, u32 n)
{
	if (hpet_legacy(h) && n < 2)
		return n ? 8 : 0;
	return h->timer[n].config >> 9 & 31;
}

/* A level-triggered timer asserts its line while its status is set. */
static bool timer_asserts(const struct hpet *h, u32 n)
{
	const struct hpet_timer *t = &h->timer[n];

	return t->config & TIMER_LEVEL && t->config & TIMER_ENABLE && h->status & BIT(n);
}

/* Any line may be named by a hostile guest; only those that are offered are driven.  Timers may share one. */
static void hpet_line(struct machine *m, u32 n, bool level)
{
	const struct hpet *h = &m->hpet;
	u32 route = hpet_route(h, n);

	for (u32 other = 0; other < HPET_TIMERS; other++)
		if (other != n && hpet_route(h, other) == route && timer_asserts(h, other))
			level = true;
	if ((hpet_legacy(h) && n < 2) || TIMER_ROUTES & BIT(route))
		machine_irq(m, route, level);
}

static void hpet_fire(struct machine *m, u32 n)
{
	struct hpet_timer *t = &m->hpet.timer[n];

	if (t->config & TIMER_LEVEL)
		m->hpet.status |= BIT(n);
	if (!(t->config & TIMER_ENABLE))
		return;
	if (t->config & TIMER_MESSAGE) {
		sys_guest_msi(t->message >> 32, (u32)t->message);
	} else {
		if (!(t->config & TIMER_LEVEL))
			hpet_line(m, n, false);
		hpet_line(m, n, true);
	}
}

static void hpet_timer_tick(struct machine *m, u32 n, u64 now)
{
	struct hpet_timer *t = &m->hpet.timer[n];
	u64 counter = hpet_counter(&m->hpet, now);
	u64 passed = counter - t->seen, distance = timer_distance(t), period = timer_period(t);

	t->seen = counter;
	if (passed >= distance) {
		if (!period) {
			hpet_fire(m, n);
			return;
		}
		passed = (passed - distance) / period + 1;
		t->comparator = (t->comparator + passed * period) & timer_mask(t);
		backlog_add(&t->backlog, passed);
	}
	if (period && backlog_take(&t->backlog, now, timer_period_ns(t)))
		hpet_fire(m, n);
}

void hpet_tick(struct machine *m, u64 now)
{
	if (!hpet_enabled(&m->hpet))
		return;
	for (u32 n = 0; n < HPET_TIMERS; n++)
		hpet_timer_tick(m, n, now);
}

u64 hpet_deadline(const struct machine *m)
{
	const struct hpet *h = &m->hpet;
	u64 first = NEVER;

	if (!hpet_enabled(h))
		return NEVER;
	for (u32 n = 0; n < HPET_TIMERS; n++) {
		const struct hpet_timer *t = &h->timer[n];
		/* seen may be one tick before the machine's beginning: nothing is negative one tick later */
		u64 ticks = t->seen + 1 - h->base, distance = timer_distance(t) - 1, due;

		if (!(t->config & TIMER_ENABLE))
			continue; /* what it misses is found when somebody looks */
		if (ticks > UINT64_MAX / HPET_TICK_NS || distance > UINT64_MAX / HPET_TICK_NS - ticks)
			due = NEVER;
		else
			due = (ticks + distance) * HPET_TICK_NS;
		if (timer_period(t))
			due = backlog_deadline(&t->backlog, due, timer_period_ns(t));
		first = MIN(first, due);
	}
	return first;
}

static u64 hpet_read(const struct hpet *h, u32 reg, u64 now)
{
	const struct hpet_timer *t;

	switch (reg) {
	case REG_ID:
		return FS_PER_TICK << 32 | HPET_ID;
	case REG_CONFIG:
		return h->config;
	case REG_STATUS:
		return h->status;
	case REG_COUNTER:
		return hpet_counter(h, now);
	}
	if (reg < REG_TIMERS || reg >= REG_TIMERS + HPET_TIMERS * 0x20)
		return 0;
	t = &h->timer[(reg - REG_TIMERS) / 0x20];
	switch (reg & 0x18) {
	case 0x00:
		return t->config | TIMER_CAPABLE;
	case 0x08:
		return t->comparator;
	case 0x10:
		return t->message;
	}
	return 0;
}

/* Starts, stops, or changes the routes; all lines are as they should be afterwards. */
static void hpet_write_config(struct machine *m, u64 value, u64 now)
{
	struct hpet *h = &m->hpet;
	u64 counter = hpet_counter(h, now);

	for (u32 n = 0; n < HPET_TIMERS; n++)
		hpet_line(m, n, false);
	h->config = value & 3;
	h->base = counter - (hpet_enabled(h) ? now / HPET_TICK_NS : 0);
	for (u32 n = 0; n < HPET_TIMERS; n++)
		hpet_line(m, n, timer_asserts(h, n));
}

/* Writing a comparator or a period (§2.3.9.2.2: TIMER_SET lets the accumulator itself be written once). */
static void hpet_write_comparator(struct hpet_timer *t, u64 value, u64 written, u64 now_counter)
{
	u64 mask = timer_mask(t);
	bool periodic = t->config & TIMER_PERIODIC;

	if (!periodic || t->config & TIMER_SET) {
		t->comparator = value & mask;
		t->seen = now_counter - 1; /* a match with the present count counts */
	}
	if (periodic)
		t->period = ((t->period & ~written) | (value & written)) & mask;
	if (written & UINT32_MAX)
		t->config &= ~(u64)TIMER_SET;
	backlog_clear(&t->backlog);
}

static void hpet_write_timer(struct machine *m, u32 n, u32 reg, u64 value, u64 written, u64 now)
{
	struct hpet *h = &m->hpet;
	struct hpet_timer *t = &h->timer[n];

	switch (reg & 0x18) {
	case 0x00:
		hpet_line(m, n, false);
		t->config = value & TIMER_WRITABLE;
		if (t->config & TIMER_32)
			t->comparator &= UINT32_MAX;
		backlog_clear(&t->backlog);
		hpet_line(m, n, timer_asserts(h, n));
		break;
	case 0x08:
		hpet_write_comparator(t, value, written, hpet_counter(h, now));
		break;
	case 0x10:
		t->message = value;
		break;
	}
}

/* value is the whole register as it shall be, written which of its bits the guest wrote. */
static void hpet_write(struct machine *m, u32 reg, u64 value, u64 written, u64 now)
{
	struct hpet *h = &m->hpet;

	if (reg == REG_CONFIG) {
		hpet_write_config(m, value, now);
	} else if (reg == REG_STATUS) {
		h->status &= ~(value & written);
		for (u32 n = 0; n < HPET_TIMERS; n++)
			if (value & written & BIT(n) && h->timer[n].config & TIMER_LEVEL)
				hpet_line(m, n, timer_asserts(h, n));
	} else if (reg == REG_COUNTER && !hpet_enabled(h)) {
		h->base = value;
		for (u32 n = 0; n < HPET_TIMERS; n++)
			h->timer[n].seen = value;
	} else if (reg >= REG_TIMERS && reg < REG_TIMERS + HPET_TIMERS * 0x20) {
		hpet_write_timer(m, (reg - REG_TIMERS) / 0x20, reg, value, written, now);
	}
	machine_reschedule(m, hpet_deadline(m));
}

static void hpet_access(struct machine *m, void *device, struct access *a)
{
	struct hpet *h = device;
	u64 now = machine_now(m), old, mask;
	u32 reg = (u32)a->addr & ~7u, shift = 8 * (a->addr & 7);

	if (!a->write && reg == REG_COUNTER) { /* a clock source: first and without side effects */
		a->value = hpet_counter(h, now) >> shift;
		return;
	}
	hpet_tick(m, now);
	old = hpet_read(h, reg, now);
	if (!a->write) {
		a->value = old >> shift;
		return;
	}
	if (a->size < 4 || a->addr & (a->size - 1)) /* §2.3.1: aligned 32 and 64 bit accesses only */
		return;
	mask = (a->size == 8 ? UINT64_MAX : (u64)UINT32_MAX) << shift;
	hpet_write(m, reg, (old & ~mask) | (a->value << shift & mask), mask, now);
}

void hpet_attach(struct machine *m)
{
	bus_add(&m->memory, HPET_BASE, HPET_LEN, hpet_access, &m->hpet);
}

void hpet_reset(struct machine *m)
{
	memset(&m->hpet, 0, sizeof(m->hpet));
	for (u32 n = 0; n < HPET_TIMERS; n++)
		m->hpet.timer[n].comparator = UINT64_MAX;
}
