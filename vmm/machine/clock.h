/* Machine time (ns) to and from the ticks of a fixed frequency: exact at any age of the machine, because
 * whole seconds and the rest are converted apart and nothing is accumulated. */
#ifndef VMM_MACHINE_CLOCK_H
#define VMM_MACHINE_CLOCK_H

#include "kernel/lib/types.h"

#define NS_PER_SECOND 1000000000ull

/* Whole ticks of hz (at most 4 GHz) that have passed at ns. */
static inline u64 clock_ticks(u64 ns, u64 hz)
{
	return ns / NS_PER_SECOND * hz + ns % NS_PER_SECOND * hz / NS_PER_SECOND;
}

/* The first ns at which clock_ticks() is ticks; UINT64_MAX if that is beyond 64 bits. */
static inline u64 clock_ns(u64 ticks, u64 hz)
{
	u64 seconds = ticks / hz, rest = ticks % hz;

	if (seconds >= UINT64_MAX / NS_PER_SECOND)
		return UINT64_MAX;
	return seconds * NS_PER_SECOND + (rest * NS_PER_SECOND + hz - 1) / hz;
}

#endif
