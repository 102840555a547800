/* A guest's weight, cap and pins. */
#ifndef KERNEL_GUEST_SCHED_H
#define KERNEL_GUEST_SCHED_H

#include "kernel/guest.h"

/* For a guest that is not OFF or DYING: weight and cap (percent of a CPU, all vCPUs together; 0: none) from now
 * on; the CPUs that vCPU index may use.  0, or ERR_INVAL; ERR_STATE: it has one of its own. */
int guest_schedule(struct guest *g, u32 weight, u32 cap) must_check;
int guest_pin(struct guest *g, u32 index, const struct cpu_set *set) must_check;

/* The cap alone; its end must come before the vCPUs go. */
void guest_cap(struct guest *g, u32 percent);
void guest_cap_end(struct guest *g);

/* CPU time of all vCPU threads, machine process's part included, in host TSC cycles, up to now. */
u64 guest_run_cycles(struct guest *g);

#endif
