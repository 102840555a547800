/* The parts of bench.elf. */
#ifndef GUESTS_BENCH_H
#define GUESTS_BENCH_H

#include "tests/guests/lib/guest.h"

/* Without a fence: what is measured is counted in instructions. */
static inline u64 now(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

void bench_writes(void);

/* Waits for a byte on COM1 first, for the operator to pin its two vCPUs. */
void bench_ipi(void);

#endif
