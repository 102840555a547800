/* What SVM keeps for each host CPU: the host save area, its own VMCB for VMLOAD, and the ASIDs. */
#ifndef ARCH_X86_64_SVM_PERCPU_H
#define ARCH_X86_64_SVM_PERCPU_H

#include "kernel/lib/types.h"

struct virt_vcpu;

int svm_cpu_enable(void); /* 0 or ERR_NOMEM */

/* Physical address of the VMCB with this CPU's FS, GS, TR and SYSCALL registers. */
u64 svm_host_vmcb(void);

/* Gives v an ASID that is good here, and a fresh one when its translations are to be forgotten. */
void svm_asid(struct virt_vcpu *v, bool flush);

/* Loads TSC_AUX for RDTSCP, if it is not there yet. */
void svm_tsc_aux(u64 value);

#endif
