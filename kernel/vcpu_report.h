/* The full register report of a vCPU that cannot go on, for the log. */
#ifndef KERNEL_VCPU_REPORT_H
#define KERNEL_VCPU_REPORT_H

#include "kernel/vcpu.h"

void vcpu_report(struct vcpu *v, const struct virt_exit *exit);

#endif
