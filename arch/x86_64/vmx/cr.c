/* Accesses to control registers that exit: SDM 3C §28.2.1, table 28-3.
 *
 * The guest owns CR0 and CR4 but for masked bits, of which it sees a shadow; an exit means that a masked bit
 * differs from its shadow.  So the shadow is changed and the guest executes the instruction again: this time
 * the processor completes it with all that it does and checks. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/vmx.h"

#define VECTOR_GP 13
#define ACCESS_MOV_TO 0
#define ACCESS_CS_LONG BIT(13)

static void raise_gp(struct virt_exit *e)
{
	e->reason = REASON_EXCEPTION;
	e->exception = (struct virt_event){ .valid = true, .type = INJECT_EXCEPTION, .vector = VECTOR_GP,
					    .has_error = true };
}

static bool in_64_bit_mode(void)
{
	return vmcs_read(VMCS_GUEST_EFER) & EFER_LMA &&
	       vmcs_read(VMCS_GUEST_ES_ACCESS + 2 * SEG_CS) & ACCESS_CS_LONG;
}

static void write_shadow(struct virt_exit *e, enum vmcs_field shadow, u64 value, bool valid)
{
	if (!valid) {
		raise_gp(e);
		return;
	}
	vmcs_write(shadow, value);
	e->cr.done = true;
}

void vmx_cr_exit(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *e)
{
	u64 info = e->info1, value;
	u32 kind = info >> 4 & 3;

	e->cr.number = info & 15;
	e->cr.gpr = info >> 8 & 15;
	e->cr.write = kind == ACCESS_MOV_TO;
	e->cr.decoded = true;
	e->cr.done = false;
	e->cr.wide = in_64_bit_mode();
	value = e->cr.wide ? page->gpr[e->cr.gpr] : (u32)page->gpr[e->cr.gpr];
	if (e->cr.number == 8)
		return;
	if (kind != ACCESS_MOV_TO)
		e->reason = REASON_OTHER; /* no bit that LMSW or CLTS reach is masked */
	else if (e->cr.number == 0)
		write_shadow(e, VMCS_CR0_SHADOW, value, !(value & CR0_NW) || value & CR0_CD);
	else if (e->cr.number == 4)
		write_shadow(e, VMCS_CR4_SHADOW, value, !(value & ~v->cr4_allowed));
	else
		e->reason = REASON_OTHER;
}
