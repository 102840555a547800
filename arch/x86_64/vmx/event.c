/* Events for the guest: when one can be delivered, and what the next entry injects (SDM 3C §25.8.3, §27.2.1.3). */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/vmx.h"

void vmx_inject(struct virt_vcpu *v, const struct virt_event *e)
{
	v->event = *e;
}

void vmx_cancel(struct virt_vcpu *v, struct virt_event *e)
{
	if (v->event.valid)
		*e = v->event;
	v->event.valid = false;
}

/* In real mode no error code is pushed, and the entry checks that (SDM 3C §27.2.1.3). */
void vmx_write_event(struct virt_vcpu *v)
{
	const struct virt_event *e = &v->event;
	bool error = e->has_error && vmcs_read(VMCS_GUEST_CR0) & CR0_PE;

	if (e->type == INJECT_NMI) /* interrupted by an exit its delivery has set this already */
		vmx_set_blocking(v, vmx_blocking(v) & ~(u32)SHADOW_NMI);
	if (error)
		vmcs_write(VMCS_ENTRY_ERROR, e->error);
	if (e->type >= INJECT_SOFTWARE)
		vmcs_write(VMCS_ENTRY_INSN_LEN, e->insn_len);
	vmcs_write(VMCS_ENTRY_EVENT, e->vector | (u64)e->type << EVENT_TYPE_SHIFT | (error ? EVENT_ERROR : 0) |
		   EVENT_VALID);
	v->event.valid = false;
}

/* An instruction that was completed in software has taken the shadow with it. */
bool vmx_shadow(struct virt_vcpu *v, const struct vcpu_page *page)
{
	return page->rip == v->rip && vmx_blocking(v) & (SHADOW_STI | SHADOW_MOV_SS);
}

bool vmx_can_interrupt(struct virt_vcpu *v, const struct vcpu_page *page)
{
	return page->rflags & RFLAGS_IF && !v->event.valid && !vmx_shadow(v, page);
}

bool vmx_can_nmi(struct virt_vcpu *v, const struct vcpu_page *page)
{
	return !v->event.valid && !(vmx_blocking(v) & SHADOW_NMI) && !vmx_shadow(v, page);
}

bool vmx_window(struct virt_vcpu *v, const struct vcpu_page *page, enum virt_window interrupt, bool nmi)
{
	u32 bits = (interrupt == WINDOW_ANY ? PRIMARY_INTERRUPT_WINDOW : 0) | (nmi ? PRIMARY_NMI_WINDOW : 0);

	v->primary_wanted = (v->primary_wanted & ~(u32)VMX_WINDOWS) | bits;
	v->cr8_window = interrupt == WINDOW_CR8;
	return false;
}
