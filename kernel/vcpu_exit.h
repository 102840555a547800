/* What an exit means: the policy above the back ends. */
#ifndef KERNEL_VCPU_EXIT_H
#define KERNEL_VCPU_EXIT_H

#include "kernel/thread.h"
#include "kernel/vcpu.h"

/* Handle it, by reason: STEP_AGAIN (into the guest), VCPU_RING3, or what the scheduler is to do. */
extern enum step (*const vcpu_exits[REASON_COUNT])(struct thread *t, struct vcpu *v, struct virt_exit *exit);

/* The guest's run ends, since there is no way on: the processor refused the entry (why: the broken rule, where it is
 * known), or nobody knows what to do about the exit (NULL). */
enum step vcpu_exit_refused(struct vcpu *v, const struct virt_exit *exit, const char *why);

#endif
