/* Debug registers.  DR7 is the VMCS's; DR0 to DR3 and DR6 are the guest's in the processor only from its first
 * access to one, or with a breakpoint set, until it leaves the CPU. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/lib/string.h"

#define EXCEPTION_DB 1
#define DR6_ALWAYS 0xffff0ff0u
#define DR6_BREAKPOINTS 0xfu
#define DR6_BS BIT(14)

void vmx_dr_load(struct virt_vcpu *v)
{
	dr0_write(v->state.dr[0]);
	dr1_write(v->state.dr[1]);
	dr2_write(v->state.dr[2]);
	dr3_write(v->state.dr[3]);
	dr6_write(v->state.dr6);
	v->dr_loaded = true;
	v->primary_wanted &= ~(u32)PRIMARY_MOV_DR;
}

void vmx_debug_read(struct virt_vcpu *v)
{
	if (v->dr_loaded) {
		v->state.dr[0] = dr0_read();
		v->state.dr[1] = dr1_read();
		v->state.dr[2] = dr2_read();
		v->state.dr[3] = dr3_read();
		v->state.dr6 = dr6_read();
	}
	v->state.dr7 = vmcs_read(VMCS_GUEST_DR7);
}

void vmx_dr_save(struct virt_vcpu *v)
{
	vmx_debug_read(v);
	v->dr_loaded = false;
	v->primary_wanted |= (u32)PRIMARY_MOV_DR;
}

/* What a #DB does to DR6 (SDM 3B §18.2.3): the breakpoints' bits are this trap's, the others stay. */
void vmx_dr6_trap(struct virt_vcpu *v, u64 bits)
{
	if (v->dr_loaded)
		dr6_write((dr6_read() & ~(u64)DR6_BREAKPOINTS) | bits);
	else
		v->state.dr6 = (v->state.dr6 & ~(u64)DR6_BREAKPOINTS) | bits;
}

void vmx_debug_write(struct virt_vcpu *v, const struct vcpu_state *s)
{
	bool loaded = v->dr_loaded;

	memcpy(v->state.dr, s->dr, sizeof(s->dr));
	v->state.dr6 = (s->dr6 & UINT32_MAX) | DR6_ALWAYS;
	vmcs_write(VMCS_GUEST_DR7, (s->dr7 & UINT32_MAX) | BIT(10));
	if (loaded)
		vmx_dr_load(v);
}

void vmx_single_step(struct virt_vcpu *v, struct virt_event *e)
{
	vmx_dr6_trap(v, DR6_BS);
	*e = (struct virt_event){ .valid = true, .type = INJECT_EXCEPTION, .vector = EXCEPTION_DB };
}
