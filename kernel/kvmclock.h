/* KVM's paravirtual clock (Linux: Documentation/virt/kvm/x86/msr.rst): the guest computes its time from the
 * TSC and a scale in its own memory, without an exit.  Own thread only. */
#ifndef KERNEL_KVMCLOCK_H
#define KERNEL_KVMCLOCK_H

#include "kernel/vcpu.h"

/* The guest wrote the MSR.  0 or ERR_INVAL. */
int kvmclock_set_system(struct vcpu *v, u64 value) must_check;
int kvmclock_set_wall(struct vcpu *v, u64 value) must_check;

/* Writes the vCPU's time structure again, if it has one: after its TSC offset or the clock changed. */
void kvmclock_update(struct vcpu *v);

/* The same, and says that the guest did not run for a while. */
void kvmclock_resumed(struct vcpu *v);

#endif
