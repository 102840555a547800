/* The clock.  Its few numbers are written once, by the boot CPU, before the others run. */
#include "arch/x86_64/registers.h"
#include "kernel/clock.h"

#define NS_PER_S 1000000000ull

static struct clock_scale scale; /* c */
static u64 base, hz, epoch_s;    /* c */

struct clock_scale clock_scale_of(u64 tsc_hz)
{
	struct clock_scale s;

	s.mul = (NS_PER_S << 32) / tsc_hz;
	/* In two parts: from 4.29 GHz on tsc_hz << 32 does not fit. */
	s.inverse = (tsc_hz / NS_PER_S << 32) + (tsc_hz % NS_PER_S << 32) / NS_PER_S;
	return s;
}

/* The two factors are not exact inverses: after a day a timer set by inverse alone would fire 20 us before
 * clock_ns gets there, and be set again and again.  So what is missing is added in a second step.  Both are
 * rounded down, so the first step never overshoots. */
u64 clock_unscaled(const struct clock_scale *s, u64 ns)
{
	u64 cycles = clock_scaled(ns, s->inverse);
	u64 missing = ns - clock_scaled(cycles, s->mul);

	return cycles + clock_scaled(missing, s->inverse) + (s->inverse >> 32) + 1;
}

void clock_init(u64 tsc_base, u64 tsc_hz, u64 epoch)
{
	base = tsc_base;
	hz = tsc_hz;
	epoch_s = epoch;
	scale = clock_scale_of(tsc_hz);
}

u64 clock_ns_at(u64 tsc)
{
	u64 cycles = tsc - base;

	return (s64)cycles < 0 ? 0 : clock_scaled(cycles, scale.mul);
}

u64 clock_ns(void)
{
	return clock_ns_at(rdtsc());
}

u64 clock_tsc(u64 ns)
{
	u64 cycles;

	if (ns >> 60) /* 36 years */
		return CLOCK_NEVER;
	cycles = clock_unscaled(&scale, ns);
	return cycles > CLOCK_NEVER - base ? CLOCK_NEVER : base + cycles;
}

u64 clock_duration_ns(u64 cycles)
{
	return clock_scaled(cycles, scale.mul);
}

s64 clock_difference_ns(s64 cycles)
{
	return cycles < 0 ? -(s64)clock_duration_ns(-(u64)cycles) : (s64)clock_duration_ns((u64)cycles);
}

u64 clock_cycles(u64 ns)
{
	return clock_unscaled(&scale, ns);
}

u64 clock_hz(void)
{
	return hz;
}

u64 clock_epoch(void)
{
	return epoch_s;
}

void clock_abi(struct abi_info *abi)
{
	abi->tsc_hz = hz;
	abi->tsc_base = base;
	abi->tsc_mul = scale.mul;
}
