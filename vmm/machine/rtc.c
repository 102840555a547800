/* The MC146818 (its data sheet; century byte 32h and sizes of memory as PCs have them).  Lock: the machine
 * lock.
 *
 * The time's registers are computed when they are looked at; they stand still, and are what counts, while
 * SET or the divider's reset stops the clock.  Invariant: register C is right up to rtc.seen. */
#include "vmm/machine/rtc.h"

#include "vmm/machine/clock.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/rtc_time.h"

#define A_UIP 0x80
#define C_IRQF 0x80
#define C_PF 0x40
#define C_AF 0x20
#define C_UF 0x10
#define UIP_NS 244000 /* an update is announced that long before (data sheet, "Update cycle") */
#define DIVIDER_HZ 32768

static bool rtc_dividing(const struct rtc *r)
{
	return (r->cmos[RTC_A] & 0x60) != 0x60; /* DV 110, 111: held in reset */
}

static bool rtc_running(const struct rtc *r)
{
	return rtc_dividing(r) && !(r->cmos[RTC_B] & RTC_B_SET);
}

/* Seconds of the divider chain, from an arbitrary beginning. */
static u64 rtc_seconds(const struct rtc *r, u64 now)
{
	return (now + r->phase) / NS_PER_SECOND;
}

/* Divider ticks between periodic interrupts, 0: none. */
static u32 rtc_period(const struct rtc *r)
{
	u32 rate = r->cmos[RTC_A] & 15;

	if (!rate || !rtc_dividing(r))
		return 0;
	return 1u << (rate < 3 ? rate + 6 : rate - 1);
}

static void rtc_refresh(struct rtc *r, u64 now)
{
	if (rtc_running(r))
		rtc_time_encode(r->cmos, r->base + rtc_seconds(r, now));
}

/* Takes the time from the registers. */
static void rtc_restart(struct rtc *r, u64 now)
{
	r->base = rtc_time_decode(r->cmos) - rtc_seconds(r, now);
}

static void rtc_update_irq(struct machine *m)
{
	u8 *c = &m->rtc.cmos[RTC_C];
	bool level = *c & m->rtc.cmos[RTC_B] & (C_PF | C_AF | C_UF);

	*c = level ? *c | C_IRQF : *c & ~C_IRQF;
	if (!hpet_legacy(&m->hpet))
		machine_irq(m, 8, level);
}

void rtc_tick(struct machine *m, u64 now)
{
	struct rtc *r = &m->rtc;
	u64 from = rtc_seconds(r, r->seen), to = rtc_seconds(r, now);
	u32 period = rtc_period(r);
	u8 flags = 0;

	if (now <= r->seen)
		return;
	if (period && clock_ticks(r->seen + r->phase, DIVIDER_HZ) / period !=
	    clock_ticks(now + r->phase, DIVIDER_HZ) / period)
		flags |= C_PF;
	if (rtc_running(r) && to > from) {
		flags |= C_UF;
		if (rtc_time_alarm(r->cmos, r->base + from + 1) <= r->base + to)
			flags |= C_AF;
	}
	r->seen = now;
	if (!flags)
		return;
	r->cmos[RTC_C] |= flags;
	if (flags & C_AF && r->cmos[RTC_B] & RTC_B_AIE)
		pm_rtc_alarm(m);
	rtc_update_irq(m);
}

/* Machine time of a time of the divider chain that is given in whole seconds. */
static u64 rtc_time_of(const struct rtc *r, u64 seconds)
{
	if (seconds >= UINT64_MAX / NS_PER_SECOND)
		return NEVER;
	return seconds * NS_PER_SECOND - r->phase;
}

/* A flag that is set already cannot change anything: the guest must read register C first. */
u64 rtc_deadline(const struct machine *m)
{
	const struct rtc *r = &m->rtc;
	u8 wanted = r->cmos[RTC_B] & ~r->cmos[RTC_C];
	u64 second = rtc_seconds(r, r->seen) + 1, first = NEVER;
	u32 period = rtc_period(r);

	if (wanted & RTC_B_PIE && period) {
		u64 ticks = clock_ticks(r->seen + r->phase, DIVIDER_HZ);

		first = clock_ns((ticks / period + 1) * period, DIVIDER_HZ) - r->phase;
	}
	if (!rtc_running(r))
		return first;
	if (wanted & RTC_B_UIE)
		first = MIN(first, rtc_time_of(r, second));
	if (wanted & RTC_B_AIE) {
		u64 alarm = rtc_time_alarm(r->cmos, r->base + second);

		if (alarm != UINT64_MAX)
			first = MIN(first, rtc_time_of(r, alarm - r->base));
	}
	return first;
}

static u8 rtc_read(struct machine *m, u64 now)
{
	struct rtc *r = &m->rtc;
	u8 index = r->index & 0x7f, value;

	if (index <= RTC_YEAR || index == RTC_CENTURY)
		rtc_refresh(r, now);
	value = r->cmos[index];
	if (index == RTC_A && rtc_running(r) &&
	    (now + r->phase) % NS_PER_SECOND >= NS_PER_SECOND - UIP_NS)
		value |= A_UIP;
	if (index == RTC_C) {
		r->cmos[RTC_C] = 0;
		rtc_update_irq(m);
		machine_reschedule(m, rtc_deadline(m));
	}
	return value;
}

/* Registers A and B stop and start the clock. */
static void rtc_write_control(struct machine *m, u64 now, u8 index, u8 value)
{
	struct rtc *r = &m->rtc;
	bool was_running = rtc_running(r), was_dividing = rtc_dividing(r);

	rtc_refresh(r, now);
	if (index == RTC_A)
		value &= ~A_UIP;
	else if (value & RTC_B_SET)
		value &= ~RTC_B_UIE;
	r->cmos[index] = value;
	if (!was_dividing && rtc_dividing(r)) /* the first update comes half a second later */
		r->phase = (3 * NS_PER_SECOND / 2 - now % NS_PER_SECOND) % NS_PER_SECOND;
	if (!was_running && rtc_running(r))
		rtc_restart(r, now);
	rtc_update_irq(m);
}

static void rtc_write(struct machine *m, u64 now, u8 value)
{
	struct rtc *r = &m->rtc;
	u8 index = r->index & 0x7f;

	switch (index) {
	case RTC_C:
	case RTC_D:
		return;
	case RTC_A:
	case RTC_B:
		rtc_write_control(m, now, index, value);
		break;
	case RTC_SECOND:
	case RTC_MINUTE:
	case RTC_HOUR:
	case RTC_WEEKDAY:
	case RTC_DAY:
	case RTC_MONTH:
	case RTC_YEAR:
	case RTC_CENTURY:
		rtc_refresh(r, now);
		r->cmos[index] = value;
		if (rtc_running(r))
			rtc_restart(r, now);
		break;
	default:
		r->cmos[index] = value;
	}
	if (index <= RTC_B || index == RTC_CENTURY)
		machine_reschedule(m, rtc_deadline(m));
}

static void rtc_access(struct machine *m, void *device, struct access *a)
{
	struct rtc *r = device;
	u64 now;

	if (bus_split(m, device, a, rtc_access))
		return;
	if (!(a->addr & 1)) { /* the index cannot be read back; bit 7 masks NMI, which nothing here raises */
		if (a->write)
			r->index = a->value & 0x7f;
		else
			a->value = 0xff;
		return;
	}
	now = machine_now(m);
	rtc_tick(m, now);
	if (a->write)
		rtc_write(m, now, (u8)a->value);
	else
		a->value = rtc_read(m, now);
}

void rtc_attach(struct machine *m)
{
	bus_add(&m->ports, 0x70, 2, rtc_access, &m->rtc);
}

static void cmos_set(u8 *cmos, u32 index, u64 value, u32 bytes)
{
	value = MIN(value, BIT(8 * bytes) - 1);
	for (u32 i = 0; i < bytes; i++)
		cmos[index + i] = (u8)(value >> (8 * i));
}

/* The bytes in which PC firmware leaves the size of memory: base and extended in KiB, above 16 MiB and above
 * 4 GiB in 64 KiB. */
static void cmos_memory(u8 *cmos, u64 memory)
{
	u64 low = MIN(memory, LOW_RAM_END), high = memory - low;
	u64 extended = low > MIB ? (low - MIB) / KIB : 0;

	cmos_set(cmos, 0x15, MIN(low / KIB, 640ull), 2);
	cmos_set(cmos, 0x17, extended, 2);
	cmos_set(cmos, 0x30, extended, 2);
	cmos_set(cmos, 0x34, low > 16 * MIB ? (low - 16 * MIB) / (64 * KIB) : 0, 2);
	cmos_set(cmos, 0x5b, high / (64 * KIB), 3);
}

void rtc_reset(struct machine *m)
{
	struct rtc *r = &m->rtc;

	/* The firmware's clock told the time at clock 0 of the host; this machine came later. */
	*r = (struct rtc){ .base = RTC_TIME_1970 + m->info.epoch + m->clock_base / NS_PER_SECOND,
			   .phase = m->clock_base % NS_PER_SECOND, .seen = machine_now(m) };
	r->cmos[RTC_A] = 0x26; /* 32768 Hz, 1024 Hz */
	r->cmos[RTC_B] = RTC_B_24H;
	r->cmos[RTC_D] = 0x80; /* the battery is good */
	cmos_memory(r->cmos, m->info.memory);
	rtc_update_irq(m);
}
