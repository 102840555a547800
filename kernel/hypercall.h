/* KVM's hypercalls (Linux: Documentation/virt/kvm/x86/hypercalls.rst). */
#ifndef KERNEL_HYPERCALL_H
#define KERNEL_HYPERCALL_H

#include "kernel/vcpu.h"

/* Carries out the call in v's registers.  What RAX returns. */
s64 hypercall(struct vcpu *v);

#endif
