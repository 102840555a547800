/* The SVM back end's own: what its files share. */
#ifndef ARCH_X86_64_SVM_SVM_H
#define ARCH_X86_64_SVM_SVM_H

#include "arch/x86_64/fpu.h"
#include "arch/x86_64/svm/vmcb.h"
#include "arch/x86_64/virt.h"

struct svm_cpu;

struct virt_vcpu {
	struct vmcb *vmcb;
	struct fpu fpu;
	u64 dr[4];           /* DR0-3, while they are not in the processor */
	bool loaded;         /* on cpu */
	struct svm_cpu *cpu; /* where it is loaded or was last */
	u64 asid_generation; /* of that CPU, for which vmcb->asid is good; 0: none */
	u64 entry_generation; /* the same if nothing is to be flushed either: no need for svm_asid_renew; else 0 */
	bool flush;          /* this guest's translations are dropped before the next entry */
	bool dr_loaded;      /* DR0-3 are the guest's */
	bool nmi_masked;     /* from the delivery of an NMI to its IRET */
	u64 iret_rip;        /* an IRET at this RIP was intercepted: NMIs are let in behind it; 0: none */
};

struct svm_features { /* CPUID Fn8000_000A */
	u32 asid_count;
	bool next_rip, decode_assists, flush_by_asid, pause_filter, pause_threshold, rdpru;
	bool tcg; /* QEMU's emulation: event.c */
};

extern struct svm_features svm_features;

/* virt_ops' run (run.c). */
int svm_run(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *exit);

/* Reasons by exit code (exit.c). */
extern const u8 svm_reasons[SVM_RDPRU + 1];

/* Reasons that do not say all by themselves, or that may end in a report. */
#define SVM_DETAILED (BIT(REASON_IO) | BIT(REASON_STAGE2) | BIT(REASON_CR) | BIT(REASON_EXCEPTION) | BIT(REASON_DR) | \
		      BIT(REASON_TASK_SWITCH) | BIT(REASON_SHUTDOWN) | BIT(REASON_OTHER))

/* The rest of such an exit into *e, of which code and reason are there; loads the debug registers if it is about them.
 * 0 or ERR_STATE. */
int svm_take_details(struct virt_vcpu *v, struct virt_exit *e);

/* The delivery that the exit cut short, if any, into e->interrupted. */
void svm_take_interrupted(const struct vmcb *b, struct virt_exit *e);

/* ---- event.c ---- */
void svm_inject(struct virt_vcpu *v, const struct virt_event *e);
void svm_cancel(struct virt_vcpu *v, struct virt_event *e);
bool svm_shadow(struct virt_vcpu *v, const struct vcpu_page *page);
bool svm_can_interrupt(struct virt_vcpu *v, const struct vcpu_page *page);
bool svm_can_nmi(struct virt_vcpu *v, const struct vcpu_page *page);
bool svm_window(struct virt_vcpu *v, const struct vcpu_page *page, enum virt_window interrupt, bool nmi);

/* A virtual interrupt stands for one of two: what is injected, or, where it is intercepted, the window that is
 * waited for.  Between two runs there is at most the first. */
static inline bool svm_injects_interrupt(const struct vmcb *b)
{
	return b->vintr & VINTR_IRQ && !(b->intercept & INTERCEPT_VINTR);
}

/* The virtual interrupt was not taken: *e gets back what was injected by it.  (Where its delivery was cut short,
 * hardware tells so as of any other, §15.7.2.  QEMU 7.2 leaves V_IRQ set, and calls it an exception in EXITINTINFO.) */
void svm_take_back(struct vmcb *b, struct virt_event *e);

/* Registers (state.c): virt_ops' get and set, and DR0-3. */
void svm_state_get(struct virt_vcpu *v, struct vcpu_state *s, u32 groups);
void svm_state_set(struct virt_vcpu *v, const struct vcpu_state *s, u32 groups);
int svm_msr_get(struct virt_vcpu *v, u32 msr, u64 *value);
int svm_msr_set(struct virt_vcpu *v, u32 msr, u64 value);
void svm_set_cr2(struct virt_vcpu *v, u64 value);
void svm_dr_load(struct virt_vcpu *v);
void svm_dr_save(struct virt_vcpu *v);

#endif
