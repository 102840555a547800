/* What SVM keeps for each host CPU: the host save area, its own VMCB for VMLOAD, and the ASIDs. */
#ifndef ARCH_X86_64_SVM_PERCPU_H
#define ARCH_X86_64_SVM_PERCPU_H

#include "arch/x86_64/cpu.h"
#include "kernel/lib/types.h"

struct virt_vcpu;

int svm_cpu_enable(void); /* 0 or ERR_NOMEM */

struct svm_cpu {
	u64 host_vmcb;  /* physical: this CPU's FS, GS, TR and SYSCALL registers */
	u64 generation; /* of ASIDs; from 1 */
	u32 next_asid;
	bool has_rdtscp;
	u64 tsc_aux;
};

static inline struct svm_cpu *svm_cpu_self(void)
{
	return cpu_self()->virt;
}

/* virt_ops' flush. */
void svm_flush(struct virt_vcpu *v);

/* Before an entry of v, which is loaded: an ASID that is good here, and the flush that was asked for. */
void svm_asid_renew(struct virt_vcpu *v);

/* Loads TSC_AUX for RDTSCP, if it is not there yet. */
void svm_tsc_aux(u64 value);

#endif
