/* Timers of a CPU, in host TSC time.  A callback runs in ring 0 on the CPU that the timer was armed on, with
 * no lock held.  Lock: LOCK_TIMER of that CPU. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include "kernel/host_cpu.h"
#include "kernel/lib/list.h"

#define TIMER_NEVER UINT64_MAX

struct timer {
	struct link link;
	u64 deadline;          /* host TSC */
	struct host_cpu *cpu;  /* where it is armed, NULL: never was */
	void (*expired)(struct timer *t);
};

/* (Re)arms t on this CPU; TIMER_NEVER disarms. */
void timer_arm(struct timer *t, u64 deadline);

/* Afterwards t's callback neither runs on another CPU nor will: its memory may go.  Called without any lock
 * that the callback takes. */
void timer_cancel(struct timer *t);

/* The timer interrupt: calls what is due and programs the next. */
void timer_interrupt(void);

/* Programs the local APIC for the earlier of this CPU's first timer and slice_end. */
void timer_program(struct host_cpu *cpu);

#endif
