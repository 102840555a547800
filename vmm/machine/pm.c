/* ACPI fixed hardware (ACPI 6.4 §4.8.3) and the reset register of the PIIX/ICH.  Lock: the machine lock.
 *
 * There is no SMI: SCI_EN is always set.  The SCI is a level: asserted while an enabled event's status is
 * set. */
#include "vmm/machine/pm.h"

#include "vmm/machine/clock.h"
#include "vmm/machine/machine.h"

/* PM1_STS and PM1_EN */
#define EVENT_TIMER 0x0001
#define EVENT_GLOBAL 0x0020
#define EVENT_PM_POWER 0x0100
#define EVENT_RTC 0x0400
#define EVENTS (EVENT_TIMER | EVENT_GLOBAL | EVENT_PM_POWER | EVENT_RTC)

/* PM1_CNT */
#define CONTROL_SCI_EN 0x0001
#define CONTROL_BM_RLD 0x0002
#define CONTROL_SLP_TYP 0x1c00
#define CONTROL_SLP_EN 0x2000

#define TIMER_OFFSET 8
#define TIMER_END 12
#define GPES PM_GPE_CPU /* those that exist */
#define WRAP_BIT 31 /* TMR_STS is set when the timer's highest bit changes */

/* CF9h */
#define RESET_FULL 0x08
#define RESET_CPU 0x04
#define RESET_SYSTEM 0x02

static void pm_update(struct machine *m)
{
	machine_irq(m, SCI_IRQ, (m->pm.status & m->pm.enable) | (m->pm.gpe_status & m->pm.gpe_enable));
}

static void pm_event(struct machine *m, u16 event)
{
	m->pm.status |= event;
	pm_update(m);
}

void pm_power_button(struct machine *m)
{
	pm_event(m, EVENT_PM_POWER);
}

void pm_gpe(struct machine *m, u8 event)
{
	m->pm.gpe_status |= event;
	pm_update(m);
}

void pm_rtc_alarm(struct machine *m)
{
	pm_event(m, EVENT_RTC);
}

u64 pm_deadline(const struct machine *m)
{
	if (!(m->pm.enable & ~m->pm.status & EVENT_TIMER))
		return NEVER;
	return clock_ns((m->pm.wraps + 1) << WRAP_BIT, PM_TIMER_HZ);
}

void pm_tick(struct machine *m, u64 now)
{
	u64 wraps = clock_ticks(now, PM_TIMER_HZ) >> WRAP_BIT;

	if (wraps <= m->pm.wraps)
		return;
	m->pm.wraps = wraps;
	pm_event(m, EVENT_TIMER);
}

static u8 pm_read(const struct pm *p, u32 offset)
{
	u16 registers[PM_LEN / 2] = { p->status, p->enable, p->control,
				      [PM_GPE0 / 2] = (u16)(p->gpe_status | p->gpe_enable << 8) };

	return (u8)(registers[offset / 2] >> (offset & 1 ? 8 : 0));
}

static void pm_control(struct machine *m, u16 value)
{
	m->pm.control = (value & (CONTROL_BM_RLD | CONTROL_SLP_TYP)) | CONTROL_SCI_EN;
	if (value & CONTROL_SLP_EN && (value & CONTROL_SLP_TYP) >> 10 == PM_SLEEP_S5)
		machine_stop(m, STOP_POWEROFF, "the guest turned itself off");
}

static void pm_write(struct machine *m, u32 offset, u8 value)
{
	struct pm *p = &m->pm;
	u32 shift = offset & 1 ? 8 : 0;
	u16 bits = (u16)(value << shift), keep = (u16)~(0xff << shift);

	switch (offset / 2) {
	case 0:
		p->status &= ~bits;
		break;
	case 1:
		p->enable = (p->enable & keep) | (bits & EVENTS);
		break;
	case 2:
		pm_control(m, (p->control & keep) | bits);
		return;
	case PM_GPE0 / 2:
		p->gpe_status &= ~bits;
		p->gpe_enable = ((p->gpe_enable & keep >> 8) | bits >> 8) & GPES;
		break;
	default:
		return;
	}
	pm_update(m);
	machine_reschedule(m, pm_deadline(m));
}

static void pm_access(struct machine *m, void *device, struct access *a)
{
	/* Linux reads the timer often enough to be served first. */
	if (a->addr >= TIMER_OFFSET && a->addr + a->size <= TIMER_END && !a->write) {
		u32 count = (u32)clock_ticks(machine_now(m), PM_TIMER_HZ);

		a->value = count >> (8 * (a->addr - TIMER_OFFSET));
		return;
	}
	if (bus_split(m, device, a, pm_access))
		return;
	pm_tick(m, machine_now(m));
	if (a->write)
		pm_write(m, (u32)a->addr, (u8)a->value);
	else
		a->value = pm_read(&m->pm, (u32)a->addr);
}

/* Says how first (bits 1, 3), and resets when bit 2 rises; both may come in one write. */
void pm_reset_register(struct machine *m, struct access *a)
{
	if (!a->write) {
		a->value = m->pm.reset;
		return;
	}
	m->pm.reset = a->value & (RESET_FULL | RESET_SYSTEM);
	if (a->value & RESET_CPU)
		machine_stop(m, STOP_REBOOT, "the guest wrote the reset register");
}

void pm_attach(struct machine *m)
{
	bus_add(&m->ports, PM_BASE, PM_LEN, pm_access, &m->pm);
}

void pm_reset(struct machine *m)
{
	m->pm = (struct pm){ .control = CONTROL_SCI_EN,
			     .wraps = clock_ticks(machine_now(m), PM_TIMER_HZ) >> WRAP_BIT };
	pm_update(m);
}
