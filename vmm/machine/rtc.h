/* The MC146818 clock and its CMOS memory: ports 70h, 71h, IRQ 8. */
#ifndef VMM_MACHINE_RTC_H
#define VMM_MACHINE_RTC_H

#include "kernel/lib/types.h"

struct machine;

struct rtc {
	u64 base;     /* seconds as rtc_time.h counts them = base + (machine time + phase) / 1 s */
	u64 phase;    /* ns, below 1 s: where in a machine second the clock's second begins */
	u64 seen;     /* machine time up to which register C is right */
	u8 index;
	u8 cmos[128]; /* the time's registers are only right after rtc.c refreshed them */
};

void rtc_attach(struct machine *m);
void rtc_reset(struct machine *m); /* info, clock_base are set: the wall clock starts from them */
u64 rtc_deadline(const struct machine *m);
void rtc_tick(struct machine *m, u64 now);

#endif
