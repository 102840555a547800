/* The local APIC that the processor works on (struct virt_apic, live): SDM 3C §30.
 *
 * Invariant: v->interrupt_status, v->apic_mode and the EOI-exit bitmap of TMR are what the VMCS has.  The status names
 * the highest vectors of IRR and ISR; the processor follows them from there, and a byte of 0 means an empty set. */
#include "arch/x86_64/vmx/vmx.h"

#define APIC_ISR 0x10 /* registers, by offset / 16 */
#define APIC_TMR 0x18
#define APIC_IRR 0x20
#define APIC_SETS 8 /* words in each of them */

static u32 word(const struct virt_apic *a, u32 reg)
{
	return a->page[reg][0];
}

static u32 highest(const struct virt_apic *a, u32 reg, u32 words)
{
	u32 n;

	if (!words)
		return 0;
	n = (u32)__builtin_clz(words) ^ 31;
	return n * 32 + ((u32)__builtin_clz(word(a, reg + n)) ^ 31);
}

static u32 sum_up(const struct virt_apic *a, u32 reg)
{
	u32 words = 0;

	for (u32 n = 0; n < APIC_SETS; n++)
		words |= (u32)!!word(a, reg + n) << n;
	return words;
}

/* What else a mode needs than the processor's part in delivery. */
static u32 controls_of(u8 mode)
{
	return mode == VIRT_APIC_MSRS ? SECONDARY_X2APIC : mode == VIRT_APIC_MMIO ? SECONDARY_APIC_ACCESSES : 0;
}

static void write_changes(struct virt_vcpu *v)
{
	const struct virt_apic *a = v->lapic;

	for (u32 n = 0; n < APIC_SETS; n += 2)
		vmcs_write(VMCS_EOI_EXIT0 + n, word(a, APIC_TMR + n) | (u64)word(a, APIC_TMR + n + 1) << 32);
	if (a->mode == v->apic_mode)
		return;
	v->apic_mode = a->mode;
	vmcs_write(VMCS_SECONDARY_CONTROLS, vmx_secondary_base() | controls_of(a->mode));
	vmcs_write(VMCS_MSR_BITMAP, (u64)(a->mode == VIRT_APIC_MSRS ? vmx_msr_bitmap_x2apic : vmx_msr_bitmap));
}

void vmx_apic_create(struct virt_vcpu *v)
{
	for (u32 i = 0; i < 4; i++)
		vmcs_write(VMCS_EOI_EXIT0 + 2 * i, 0);
	vmcs_write(VMCS_GUEST_INTERRUPT_STATUS, 0);
	vmcs_write(VMCS_APIC_ACCESS, (u64)vmx_apic_frame);
}

void vmx_apic_enter(struct virt_vcpu *v)
{
	struct virt_apic *a = v->lapic;
	u32 status = highest(a, APIC_IRR, a->irr_words) | highest(a, APIC_ISR, a->isr_words) << 8;

	if (status != v->interrupt_status)
		vmcs_write(VMCS_GUEST_INTERRUPT_STATUS, status);
	v->interrupt_status = status;
	if (a->changed)
		write_changes(v);
	a->changed = false;
}

void vmx_apic_exit(struct virt_vcpu *v)
{
	struct virt_apic *a = v->lapic;
	u32 status = (u32)vmcs_read(VMCS_GUEST_INTERRUPT_STATUS);

	v->interrupt_status = status;
	a->irr_words = status & 0xff ? sum_up(a, APIC_IRR) : 0;
	a->isr_words = status >> 8 ? sum_up(a, APIC_ISR) : 0;
}
