/* Time since Quire took over the machine, from the time stamp counter.  The conversion is the one that
 * struct abi_info promises to processes. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include "kernel/abi.h"
#include "kernel/lib/types.h"

#define CLOCK_NEVER UINT64_MAX

/* Starts it: 0 ns was at TSC tsc_base, when the wall clock showed epoch (seconds since 1970). */
void clock_init(u64 tsc_base, u64 tsc_hz, u64 epoch);

u64 clock_ns(void);              /* now; 0 before clock_init */
u64 clock_ns_at(u64 tsc);        /* 0 for a TSC before clock 0 */
u64 clock_tsc(u64 ns);           /* a TSC at which clock_ns has just reached ns; CLOCK_NEVER stays that */
u64 clock_duration_ns(u64 cycles); /* TSC cycles to nanoseconds */
s64 clock_difference_ns(s64 cycles); /* the same with a sign */
u64 clock_cycles(u64 ns);        /* a duration in TSC cycles, never too short */
u64 clock_hz(void);              /* 0 before clock_init */
u64 clock_epoch(void);           /* wall clock at clock 0, seconds since 1970 */
void clock_abi(struct abi_info *abi); /* tsc_hz, tsc_base, tsc_mul */

/* ---- pure ---- */

struct clock_scale {
	u64 mul;     /* nanoseconds a cycle, 32 fraction bits, rounded down */
	u64 inverse; /* cycles a nanosecond, 32 fraction bits, rounded down */
};

/* tsc_hz: 10 MHz to 1 THz. */
struct clock_scale clock_scale_of(u64 tsc_hz);

static inline u64 clock_scaled(u64 value, u64 mul)
{
	return (u64)((unsigned __int128)value * mul >> 32);
}

/* The inverse: the least number of cycles, to within 3 ns, that clock_scaled turns into ns or more. */
u64 clock_unscaled(const struct clock_scale *s, u64 ns);

#endif
