/* The 8254's ports, IRQ 0, and port 61h.  Lock: the machine lock.
 *
 * IRQ 0 follows the rises of counter 0's OUT; the falls in between are left out, so that a request lasts
 * until the next tick even in mode 3.  Late ticks: see backlog.h. */
#include "vmm/machine/pit.h"

#include "vmm/machine/clock.h"
#include "vmm/machine/machine.h"

#define REFRESH_NS 15085 /* the refresh request toggles at this rate (port 61h bit 4) */

static void pit_pulse(struct machine *m)
{
	if (hpet_legacy(&m->hpet))
		return;
	machine_irq(m, 0, false);
	machine_irq(m, 0, true);
}

/* Nanoseconds of counter 0's period at tick, 0 if it is not periodic. */
static u64 pit_period_ns(const struct pit *p, u64 tick)
{
	return clock_ns(pit_counter_period(&p->counter[0], tick), PIT_HZ);
}

/* Counter 0 was programmed. */
static void pit_rearm(struct machine *m, u64 tick)
{
	struct pit *p = &m->pit;

	p->due = pit_counter_rise(&p->counter[0], tick);
	backlog_clear(&p->backlog);
	machine_reschedule(m, pit_deadline(m));
}

u64 pit_deadline(const struct machine *m)
{
	const struct pit *p = &m->pit;
	u64 next = clock_ns(p->due, PIT_HZ);
	u64 period = pit_period_ns(p, p->due - 1); /* the period that ends there */

	return period ? backlog_deadline(&p->backlog, next, period) : next;
}

void pit_tick(struct machine *m, u64 now)
{
	struct pit *p = &m->pit;
	u64 tick = clock_ticks(now, PIT_HZ);
	u32 period = pit_counter_period(&p->counter[0], tick);

	if (p->due <= tick) {
		u64 late = tick - p->due;

		p->due = pit_counter_rise(&p->counter[0], tick);
		if (!period) {
			pit_pulse(m);
			return;
		}
		backlog_add(&p->backlog, 1 + late / period);
	}
	if (period && backlog_take(&p->backlog, now, clock_ns(period, PIT_HZ)))
		pit_pulse(m);
}

static void pit_read_back(struct pit *p, u64 tick, u8 command)
{
	for (u32 i = 0; i < 3; i++) {
		if (!(command & 2 << i))
			continue;
		if (!(command & 0x20))
			pit_counter_latch(&p->counter[i], tick);
		if (!(command & 0x10))
			pit_counter_latch_status(&p->counter[i], tick);
	}
}

static void pit_control(struct machine *m, u64 tick, u8 value)
{
	struct pit *p = &m->pit;
	u32 which = value >> 6;

	if (which == 3) {
		pit_read_back(p, tick, value);
	} else if (!(value & 0x30)) {
		pit_counter_latch(&p->counter[which], tick);
	} else {
		pit_counter_control(&p->counter[which], value);
		if (which == 0) {
			if (!hpet_legacy(&m->hpet))
				machine_irq(m, 0, false);
			pit_rearm(m, tick);
		}
	}
}

static void pit_access(struct machine *m, void *device, struct access *a)
{
	struct pit *p = device;
	u32 which = a->addr & 3;
	u64 tick;

	if (bus_split(m, device, a, pit_access))
		return;
	tick = clock_ticks(machine_now(m), PIT_HZ);
	if (!a->write)
		a->value = which == 3 ? 0xff : pit_counter_read(&p->counter[which], tick);
	else if (which == 3)
		pit_control(m, tick, (u8)a->value);
	else if ((pit_counter_write(&p->counter[which], tick, (u8)a->value) || p->counter[0].mode == 0) &&
		 which == 0)
		pit_rearm(m, tick);
}

/* Bit 0 gate of channel 2, bit 1 speaker, bits 2-3 checks: kept; bit 4 refresh toggle, bit 5 OUT of channel
 * 2. */
static void pit_port61_access(struct machine *m, void *device, struct access *a)
{
	struct pit *p = device;
	u64 now, tick;

	if (bus_split(m, device, a, pit_port61_access))
		return;
	now = machine_now(m);
	tick = clock_ticks(now, PIT_HZ);
	if (a->write) {
		p->port61 = a->value & 0x0f;
		pit_counter_gate(&p->counter[2], tick, a->value & 1);
		return;
	}
	a->value = p->port61 | (now / REFRESH_NS & 1) << 4 | (u64)pit_counter_out(&p->counter[2], tick) << 5;
}

void pit_attach(struct machine *m)
{
	bus_add(&m->ports, 0x40, 4, pit_access, &m->pit);
	bus_add(&m->ports, 0x61, 1, pit_port61_access, &m->pit);
}

void pit_reset(struct machine *m)
{
	m->pit = (struct pit){ .due = NEVER };
	for (u32 i = 0; i < 3; i++)
		pit_counter_init(&m->pit.counter[i], i != 2);
}
