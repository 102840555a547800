/* The time stamp counter's rate, found once at boot. */
#ifndef ARCH_X86_64_TSC_H
#define ARCH_X86_64_TSC_H

#include "kernel/lib/types.h"

struct tsc_rates {
	u64 tsc_hz;
	u64 measured_hz;     /* before it was matched with CPUID; 0: nothing to measure against */
	u64 apic_timer_hz;   /* at divide by 1 */
	const char *against; /* what it was measured against */
};

/* Boot CPU, after apic_enable: measures TSC and APIC timer for some milliseconds against the HPET (address or
 * 0), else the ACPI PM timer (port or 0), else the PIT, and tells apic.c its timer's rate.  Without any of
 * them CPUID is believed.  ERR_UNSUPPORTED if that has nothing to say either. */
int tsc_calibrate(u64 hpet, u32 pm_timer_port, struct tsc_rates *out) must_check;

/* Pure: the rate to use.  measured may be 0 (unknown); cpuid_hz and base_mhz are what leaves 15h and 16h say,
 * 0 if nothing.  A claim counts only when the measurement does not contradict it. */
u64 tsc_choose(u64 measured, u64 cpuid_hz, u32 base_mhz);

/* Cycles a second; a guess before tsc_calibrate. */
u64 tsc_hz(void);

/* Waits for at least us microseconds. */
void tsc_delay(u64 us);

#endif
