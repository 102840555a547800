/* ACPI fixed hardware: PM1 events and control, the PM timer, general-purpose events, and the reset register CF9h. */
#ifndef VMM_MACHINE_PM_H
#define VMM_MACHINE_PM_H

#include "kernel/lib/types.h"

struct access;
struct machine;

#define PM_LEN 14      /* ports from PM_BASE */
#define PM_GPE0 12     /* GPE0_STS there, then GPE0_EN, a byte each */
#define PM_GPE0_LEN 2
#define PM_GPE_CPU BIT(2) /* \_GPE._E02: vCPUs come or should go */
#define PM_TIMER_HZ 3579545
#define PM_SLEEP_S5 5  /* SLP_TYP of \_S5 */

struct pm {
	u64 wraps;       /* how often bit 31 of the timer had changed when it was last looked at */
	u16 status;      /* PM1_STS */
	u16 enable;      /* PM1_EN */
	u16 control;     /* PM1_CNT */
	u8 reset;        /* CF9h */
	u8 gpe_status;   /* GPE0_STS */
	u8 gpe_enable;   /* GPE0_EN */
};

void pm_attach(struct machine *m);
void pm_reset(struct machine *m);
u64 pm_deadline(const struct machine *m);
void pm_tick(struct machine *m, u64 now);

void pm_power_button(struct machine *m);

/* A general-purpose event: a bit of GPE0_STS. */
void pm_gpe(struct machine *m, u8 event);

/* The RTC's alarm went off. */
void pm_rtc_alarm(struct machine *m);

/* The reset register; the PCI model owns its port's neighbours and passes it on. */
void pm_reset_register(struct machine *m, struct access *a);

#endif
