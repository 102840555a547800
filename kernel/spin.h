/* vCPUs that wait in PAUSE loops. */
#ifndef KERNEL_SPIN_H
#define KERNEL_SPIN_H

#include "kernel/vcpu.h"

/* v, which runs, was found in a PAUSE loop and is about to yield: lets a vCPU of its guest go first that was preempted,
 * for it may hold what v waits for. */
void spin_yield(struct vcpu *v);

#endif
