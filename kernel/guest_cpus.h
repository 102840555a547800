/* CPUs that are a guest's alone (dedicated = yes): one for each of its vCPUs, from its start to its end. */
#ifndef KERNEL_GUEST_CPUS_H
#define KERNEL_GUEST_CPUS_H

#include "kernel/guest.h"

/* All or nothing, for a guest whose vCPUs were made and have not run; nothing without params.dedicated.  CPU 0 stays
 * everybody's, and so does the last one that a pinned vCPU may use.  ERR_NOMEM: so many are not left; admission tells
 * how many are.  The monitor's calls only. */
int guest_take_cpus(struct guest *g, struct admission *admission) must_check;

/* Everybody may use them again.  Fine when there are none. */
void guest_release_cpus(struct guest *g);

/* May the vCPU run on that host CPU? */
bool guest_vcpu_may_use(const struct vcpu *v, u32 index);

#endif
