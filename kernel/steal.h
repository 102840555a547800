/* KVM's steal time (Linux: Documentation/virt/kvm/x86/msr.rst, MSR_KVM_STEAL_TIME): the guest sees in its own
 * memory how long its vCPU was ready and did not run, whether it is running now, and may leave it a flush of its TLB.
 * Own thread only. */
#ifndef KERNEL_STEAL_H
#define KERNEL_STEAL_H

#include "kernel/vcpu.h"

/* The guest wrote the MSR.  0 or ERR_INVAL. */
int steal_set(struct vcpu *v, u64 value) must_check;

/* Before an entry, after the vCPU was away from its CPU (v->steal_due).  ERR_NOMEM: it must not be entered yet, for the
 * guest may still take it for preempted. */
int steal_update(struct vcpu *v) must_check;

/* It leaves its CPU although it could run. */
void steal_preempted(struct vcpu *v);

#endif
