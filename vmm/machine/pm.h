/* ACPI fixed hardware: PM1 events and control, the PM timer, and the reset register CF9h. */
#ifndef VMM_MACHINE_PM_H
#define VMM_MACHINE_PM_H

#include "kernel/lib/types.h"

struct access;
struct machine;

#define PM_LEN 12      /* ports from PM_BASE */
#define PM_TIMER_HZ 3579545
#define PM_SLEEP_S5 5  /* SLP_TYP of \_S5 */

struct pm {
	u64 wraps;       /* how often bit 31 of the timer had changed when it was last looked at */
	u16 status;      /* PM1_STS */
	u16 enable;      /* PM1_EN */
	u16 control;     /* PM1_CNT */
	u8 reset;        /* CF9h */
};

void pm_attach(struct machine *m);
void pm_reset(struct machine *m);
u64 pm_deadline(const struct machine *m);
void pm_tick(struct machine *m, u64 now);

void pm_power_button(struct machine *m);

/* The RTC's alarm went off. */
void pm_rtc_alarm(struct machine *m);

/* The reset register; the PCI model owns its port's neighbours and passes it on. */
void pm_reset_register(struct machine *m, struct access *a);

#endif
