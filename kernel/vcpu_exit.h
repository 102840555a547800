/* What an exit means: the policy above the back ends. */
#ifndef KERNEL_VCPU_EXIT_H
#define KERNEL_VCPU_EXIT_H

#include "kernel/thread.h"
#include "kernel/vcpu.h"

/* Handles it: STEP_AGAIN (t->step says whether in ring 3 or in the guest), or what the scheduler is to do. */
enum step vcpu_exit(struct thread *t, struct vcpu *v, struct virt_exit *exit);

/* The processor refused the entry: the guest's state is none that it can run. */
enum step vcpu_exit_refused(struct vcpu *v, const struct virt_exit *exit);

#endif
