/* MSRs of the guest that the VMCS or the processor holds. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/lib/error.h"

static const struct place {
	u32 msr;
	enum vmcs_field field;
} in_vmcs[] = {
	{ MSR_FS_BASE, VMCS_GUEST_FS_BASE },
	{ MSR_GS_BASE, VMCS_GUEST_GS_BASE },
	{ MSR_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS },
	{ MSR_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP },
	{ MSR_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP },
	{ MSR_PAT, VMCS_GUEST_PAT },
	{ MSR_DEBUGCTL, VMCS_GUEST_DEBUGCTL },
};

static const struct place *find_place(u32 msr)
{
	for (u32 i = 0; i < ARRAY_SIZE(in_vmcs); i++)
		if (in_vmcs[i].msr == msr)
			return &in_vmcs[i];
	return NULL;
}

/* SYSCALL's registers: of the loaded ones only KERNEL_GS_BASE can differ from our copy. */
static u64 *find_copy(struct virt_vcpu *v, u32 msr)
{
	switch (msr) {
	case MSR_STAR: return &v->msrs[VMX_STAR];
	case MSR_LSTAR: return &v->msrs[VMX_LSTAR];
	case MSR_SFMASK: return &v->msrs[VMX_SFMASK];
	case MSR_KERNEL_GS_BASE: return &v->msrs[VMX_KERNEL_GS_BASE];
	case MSR_CSTAR: return &v->cstar;
	}
	return NULL;
}

int vmx_msr_get(struct virt_vcpu *v, u32 msr, u64 *value)
{
	const struct place *place = find_place(msr);
	const u64 *copy = find_copy(v, msr);

	if (place) {
		vmx_borrow(v);
		*value = vmcs_read(place->field);
		vmx_return(v);
	} else if (copy) {
		*value = msr == MSR_KERNEL_GS_BASE && vmx_msrs_loaded(v) ? rdmsr(msr) : *copy;
	} else {
		return ERR_NOENT;
	}
	return 0;
}

int vmx_msr_set(struct virt_vcpu *v, u32 msr, u64 value)
{
	const struct place *place = find_place(msr);
	u64 *copy = find_copy(v, msr);

	if (place) {
		vmx_borrow(v);
		vmcs_write(place->field, value);
		if (!v->active)
			vmx_state_refresh(v, VIRT_SEGMENTS);
		else
			v->valid &= ~(u32)VIRT_SEGMENTS;
		vmx_return(v);
	} else if (copy) {
		*copy = value;
		if (msr != MSR_CSTAR && vmx_msrs_loaded(v))
			wrmsr(msr, value);
	} else if (msr == MSR_TSC_AUX && v->active) {
		vmx_tsc_aux(value);
	} else {
		return ERR_NOENT;
	}
	return 0;
}
