/* Events for the guest: when one can be delivered, and what the next entry injects (APM 2 §15.20, §15.21.4). */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/svm/svm.h"

static u64 event_word(const struct virt_event *e)
{
	return e->vector | (u64)e->type << EVENT_TYPE_SHIFT | (e->has_error ? EVENT_HAS_ERROR : 0) | EVENT_VALID |
		(u64)e->error << 32;
}

/* As a virtual interrupt (§15.21.4), which the processor takes like any other: one of the host that is pending comes
 * first.  For QEMU 7.2, which delivers one of EVENTINJ a second time, with IF = 0, if its budget of instructions or a
 * request from outside ends a translation block before the next exception does. */
static void inject_virtual(struct vmcb *b, u8 vector)
{
	b->vintr = (b->vintr & UINT32_MAX) | VINTR_IRQ | VINTR_IGNORE_TPR | (u64)vector << VINTR_VECTOR_SHIFT;
	b->intercept &= ~(u32)INTERCEPT_VINTR;
}

void svm_inject(struct virt_vcpu *v, const struct virt_event *e)
{
	if (e->type == INJECT_EXTERNAL && svm_features.tcg) {
		inject_virtual(v->vmcb, e->vector);
		return;
	}
	v->vmcb->event_inject = event_word(e);
	if (e->type == INJECT_NMI) {
		v->nmi_masked = true;
		v->vmcb->intercept |= INTERCEPT_IRET;
	}
}

void svm_take_back(struct vmcb *b, struct virt_event *e)
{
	if (svm_injects_interrupt(b))
		*e = (struct virt_event){ .valid = true, .type = INJECT_EXTERNAL,
					  .vector = (u8)(b->vintr >> VINTR_VECTOR_SHIFT) };
	b->vintr &= ~(u64)VINTR_IRQ;
}

void svm_cancel(struct virt_vcpu *v, struct virt_event *e)
{
	u64 word = v->vmcb->event_inject;

	svm_take_back(v->vmcb, e);
	if (!(word & EVENT_VALID))
		return;
	*e = (struct virt_event){ .valid = true, .vector = (u8)word, .type = word >> EVENT_TYPE_SHIFT & 7,
				  .has_error = word & EVENT_HAS_ERROR, .error = (u32)(word >> 32) };
	v->vmcb->event_inject = 0;
}

/* An instruction that was completed in software has taken the shadow with it. */
bool svm_shadow(struct virt_vcpu *v, const struct vcpu_page *page)
{
	return v->vmcb->interrupt_state & INTERRUPT_SHADOW && page->rip == v->vmcb->rip;
}

bool svm_can_interrupt(struct virt_vcpu *v, const struct vcpu_page *page)
{
	const struct vmcb *b = v->vmcb;

	return page->rflags & RFLAGS_IF && !svm_shadow(v, page) && !(b->event_inject & EVENT_VALID) &&
	       !svm_injects_interrupt(b);
}

bool svm_can_nmi(struct virt_vcpu *v, const struct vcpu_page *page)
{
	return !v->nmi_masked && !svm_shadow(v, page);
}

/* A virtual interrupt that would be taken as soon as one can be: its intercept is the window (§15.21.4).  Not while
 * one is injected, nor with an interrupt shadow that alone keeps it away: QEMU 7.2 ignores the shadow at VMRUN and
 * would exit for ever.  Nor for CR8, by V_INTR_PRIO: QEMU 7.2 lets a priority through that equals V_TPR. */
bool svm_window(struct virt_vcpu *v, const struct vcpu_page *page, enum virt_window interrupt, bool nmi)
{
	struct vmcb *b = v->vmcb;
	bool shadow = b->interrupt_state & INTERRUPT_SHADOW;

	b->intercept_cr_write = (u16)(INTERCEPT_CR4_WRITE | (interrupt == WINDOW_CR8 ? INTERCEPT_CR8_WRITE : 0));
	if (svm_injects_interrupt(b))
		return interrupt == WINDOW_ANY || (nmi && v->iret_rip);
	if (interrupt != WINDOW_ANY || (shadow && page->rflags & RFLAGS_IF)) {
		b->vintr &= ~(u64)(VINTR_IRQ | VINTR_IGNORE_TPR);
		b->intercept &= ~(u32)INTERCEPT_VINTR;
	} else {
		b->vintr |= VINTR_IRQ | VINTR_IGNORE_TPR;
		b->intercept |= INTERCEPT_VINTR;
	}
	return (shadow && (nmi || (interrupt == WINDOW_ANY && page->rflags & RFLAGS_IF))) || (nmi && v->iret_rip);
}
