/* vCPUs that wait for each other. */
#ifndef KERNEL_SPIN_H
#define KERNEL_SPIN_H

#include "kernel/vcpu.h"

/* v, which runs, was found in a PAUSE loop: calls a vCPU of its guest that was preempted, for it may hold what
 * v waits for.  False: v should let others run meanwhile. */
bool spin_wait(struct vcpu *v);

/* v begins to run: calls those of its guest with which it waited lately, so that they run at the same time. */
void spin_gather(struct vcpu *v);

#endif
