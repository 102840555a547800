/* One entry and its exit: APM 2 §15.5 and §15.6.  Each instruction here is part of every exit's cost. */
#include "arch/x86_64/svm/percpu.h"
#include "arch/x86_64/svm/svm.h"

/* enter.asm's svm_enter keeps RBP and RSP only; what it is called from has saved the others anyway. */
static inline void enter(const struct vmcb *vmcb, u64 *gpr, u64 host_vmcb)
{
	__asm__ volatile("call svm_enter" : "+D"(vmcb), "+S"(gpr), "+d"(host_vmcb) : : "rax", "rbx", "rcx", "r8", "r9",
			 "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
}

/* An IRET that ends an NMI was intercepted before it runs: NMIs stay masked until RIP has left it. */
static void follow_iret(struct virt_vcpu *v)
{
	struct vmcb *b = v->vmcb;

	if (b->exit_code == SVM_IRET) {
		b->intercept &= ~(u32)INTERCEPT_IRET;
		v->iret_rip = b->rip;
	} else if (v->iret_rip && v->iret_rip != b->rip) {
		v->iret_rip = 0;
		v->nmi_masked = false;
	}
}

static inline enum vcpu_reason reason_of(u64 code)
{
	if (code <= SVM_RDPRU)
		return svm_reasons[code];
	return code == SVM_NPF ? REASON_STAGE2 : REASON_OTHER;
}

static inline int take_exit(struct virt_vcpu *v, const struct vmcb *b, struct virt_exit *e)
{
	u64 code = b->exit_code;

	e->code = code;
	e->reason = reason_of(code);
	e->insn_len = e->insn_count = 0;
	if (svm_features.next_rip && b->next_rip > b->rip && b->next_rip - b->rip <= 15)
		e->insn_len = (u8)(b->next_rip - b->rip);
	if (b->vintr & VINTR_IRQ)
		svm_take_back(v->vmcb, &e->interrupted);
	if (b->exit_int_info & EVENT_VALID && !e->interrupted.valid)
		svm_take_interrupted(b, e);
	if (code == SVM_MSR && b->exit_info1)
		e->reason = REASON_MSR_WRITE;
	return SVM_DETAILED >> e->reason & 1 ? svm_take_details(v, e) : 0;
}

int svm_run(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *exit)
{
	struct vmcb *b = v->vmcb;

	if (v->entry_generation != v->cpu->generation)
		svm_asid_renew(v);
	b->rax = page->gpr[GPR_RAX];
	b->rsp = page->gpr[GPR_RSP];
	if (b->rip != page->rip) {
		b->interrupt_state &= ~INTERRUPT_SHADOW;
		b->rip = page->rip;
	}
	b->rflags = page->rflags;

	enter(b, page->gpr, v->cpu->host_vmcb);

	b = v->vmcb;
	page->gpr[GPR_RAX] = b->rax;
	page->gpr[GPR_RSP] = b->rsp;
	page->rip = b->rip;
	page->rflags = b->rflags;
	exit->cr8 = b->v_tpr & 15;
	b->event_inject = 0;
	if (v->nmi_masked)
		follow_iret(v);
	return take_exit(v, b, exit);
}
