/* Per-CPU state of SVM.  Only its own CPU touches it. */
#include "arch/x86_64/svm/percpu.h"

#include "arch/x86_64/registers.h"
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/virt_memory.h"
#include "kernel/lib/error.h"

int svm_cpu_enable(void)
{
	struct svm_cpu *c = virt_memory_alloc(sizeof(*c));
	void *save = virt_memory_alloc(PAGE_SIZE), *host = virt_memory_alloc(PAGE_SIZE);

	if (!c || !save || !host)
		return ERR_NOMEM;
	wrmsr(MSR_VM_HSAVE_PA, (u64)save);
	c->host_vmcb = (u64)host;
	c->generation = 1;
	c->next_asid = 1;
	c->has_rdtscp = cpuid(0x80000001, 0).edx & BIT(27);
	if (c->has_rdtscp)
		wrmsr(MSR_TSC_AUX, 0);
	cpu_self()->virt = c;
	__asm__ volatile("vmsave" : : "a"(host) : "memory");
	return 0;
}

void svm_tsc_aux(u64 value)
{
	struct svm_cpu *c = svm_cpu_self();

	if (!c->has_rdtscp || c->tsc_aux == value)
		return;
	c->tsc_aux = value;
	wrmsr(MSR_TSC_AUX, value);
}

void svm_flush(struct virt_vcpu *v)
{
	v->flush = true;
	v->entry_generation = 0;
}

/* A flush is the next entry's alone: behind it this is called once more. */
void svm_asid_renew(struct virt_vcpu *v)
{
	struct svm_cpu *c = v->cpu;
	bool flush = v->flush;

	v->flush = false;
	v->entry_generation = 0;
	v->vmcb->tlb_control = TLB_NOTHING;
	if (v->asid_generation == c->generation && flush && svm_features.flush_by_asid) {
		v->vmcb->tlb_control = TLB_FLUSH_ASID;
		return;
	}
	if (v->asid_generation != c->generation || flush) {
		if (c->next_asid >= svm_features.asid_count) { /* all are used up: begin again with an empty TLB */
			c->generation++;
			c->next_asid = 1;
			v->vmcb->tlb_control = TLB_FLUSH_ALL;
		}
		v->vmcb->asid = c->next_asid++;
		v->asid_generation = c->generation;
	}
	if (v->vmcb->tlb_control == TLB_NOTHING)
		v->entry_generation = c->generation;
}
