/* One entry and its exit. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/lib/error.h"

static void write_changed(enum vmcs_field field, u64 *written, u64 value)
{
	if (*written == value)
		return;
	vmcs_write(field, value);
	*written = value;
}

/* The threshold is today's CR8: any smaller value exits. */
static void write_threshold(struct virt_vcpu *v)
{
	u32 threshold = v->cr8_window ? v->apic[APIC_TPR] >> 4 : 0;

	if (!vmx_has(CONTROL_PRIMARY, PRIMARY_TPR_SHADOW))
		return;
	if (v->tpr_threshold != threshold)
		vmcs_write(VMCS_TPR_THRESHOLD, threshold);
	v->tpr_threshold = threshold;
}

static void prepare(struct virt_vcpu *v, struct vcpu_page *page)
{
	vmx_msrs_load(v);
	vmx_translations(v);
	if (v->rip != page->rip) {
		vmx_set_blocking(v, vmx_blocking(v) & ~(u32)(SHADOW_STI | SHADOW_MOV_SS));
		write_changed(VMCS_GUEST_RIP, &v->rip, page->rip);
	}
	write_changed(VMCS_GUEST_RSP, &v->rsp, page->gpr[GPR_RSP]);
	write_changed(VMCS_GUEST_RFLAGS, &v->rflags, page->rflags);
	if (v->lapic)
		vmx_apic_enter(v);
	else
		write_threshold(v);
	if (v->event.valid)
		vmx_write_event(v);
	if (v->primary != v->primary_wanted)
		vmcs_write(VMCS_PRIMARY_CONTROLS, v->primary_wanted);
	v->primary = v->primary_wanted;
}

static int refused(struct virt_exit *exit, u64 code, const char *why)
{
	*exit = (struct virt_exit){ .reason = REASON_OTHER, .cr8 = exit->cr8, .code = code, .refusal = why };
	return ERR_STATE;
}

int vmx_run(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *exit)
{
	exit->cr8 = v->apic[APIC_TPR] >> 4;
	prepare(v, page);
	if (vmx_enter(page->gpr, v->launched))
		return refused(exit, vmcs_read(VMCS_INSTRUCTION_ERROR), "a control or the host's state is invalid");
	v->launched = true;
	v->valid = 0;
	v->primary_wanted &= ~(u32)VMX_WINDOWS; /* what waited may be gone, and nobody asks then: an exit for ever */
	v->cr8_window = false;
	v->blocking_known = false;
	page->rip = v->rip = vmcs_read(VMCS_GUEST_RIP);
	page->gpr[GPR_RSP] = v->rsp = vmcs_read(VMCS_GUEST_RSP);
	page->rflags = v->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	if (v->lapic)
		vmx_apic_exit(v);
	exit->cr8 = v->apic[APIC_TPR] >> 4;
	vmx_decode_exit(v, page, exit);
	if (exit->reason == REASON_NMI)
		__asm__ volatile("int $2" : : : "memory"); /* the exit took it; the handler's IRET lets others in */
	if (exit->reason == REASON_DR)
		vmx_dr_load(v);
	if (exit->code >> 31) {
		vmcs_write(VMCS_ENTRY_EVENT, 0);
		return refused(exit, exit->code, vmx_check_guest());
	}
	return 0;
}
