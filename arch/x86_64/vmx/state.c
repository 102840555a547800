/* Guest registers between the VMCS, the processor and the neutral form. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/lib/string.h"

#define ATTR_PRESENT BIT(7)
#define ATTR_CODE_OR_DATA BIT(4)
#define ATTR_ACCESSED BIT(0)
#define ATTR_LONG BIT(9)
#define ATTR_DEFAULT_32 BIT(10)

/* Consecutive fields are two apart. */
static enum vmcs_field nth(enum vmcs_field first, u32 n)
{
	return first + 2 * n;
}

/* CR0: NE must be 1; CD and NW are never loaded by an entry and the guest's memory is write-back anyway. */
u64 vmx_cr0_mask(void)
{
	return CR0_NE | CR0_CD | CR0_NW | (vmx_features.cr0_fixed0 & ~(CR0_PE | CR0_PG));
}

/* CR4: machine checks stay on, and a bit that the guest may not set is an exit, for its #GP. */
u64 vmx_cr4_mask(const struct virt_vcpu *v)
{
	return CR4_MCE | ~v->cr4_allowed | vmx_features.cr4_fixed0;
}

/* ---- segments ---- */

/* The neutral form is the VMCB's: twelve bits without the hole, and "not present" stands for unusable. */
static struct vcpu_segment read_segment(u32 n)
{
	u32 access = (u32)vmcs_read(nth(VMCS_GUEST_ES_ACCESS, n));
	u16 attr = (u16)((access & 0xff) | (access >> 4 & 0xf00));

	return (struct vcpu_segment){ .base = vmcs_read(nth(VMCS_GUEST_ES_BASE, n)),
		.limit = (u32)vmcs_read(nth(VMCS_GUEST_ES_LIMIT, n)),
		.selector = (u16)vmcs_read(nth(VMCS_GUEST_ES, n)),
		.attr = access & ACCESS_UNUSABLE ? (u16)(attr & ~ATTR_PRESENT) : attr };
}

static void write_segment(u32 n, const struct vcpu_segment *s)
{
	u32 access = (s->attr & 0xff) | (s->attr & 0xf00u) << 4;

	if (!(s->attr & ATTR_PRESENT))
		access |= ACCESS_UNUSABLE;
	else if (s->attr & ATTR_CODE_OR_DATA)
		access |= ATTR_ACCESSED; /* entries demand it; who loads a segment sets it */
	vmcs_write(nth(VMCS_GUEST_ES, n), s->selector);
	vmcs_write(nth(VMCS_GUEST_ES_BASE, n), s->base);
	vmcs_write(nth(VMCS_GUEST_ES_LIMIT, n), s->limit);
	vmcs_write(nth(VMCS_GUEST_ES_ACCESS, n), access);
}

static void read_segments(struct vcpu_state *s)
{
	for (u32 i = 0; i < SEG_COUNT; i++)
		s->seg[i] = read_segment(i);
	s->gdtr = (struct vcpu_segment){ .base = vmcs_read(VMCS_GUEST_GDTR_BASE),
					 .limit = (u32)vmcs_read(VMCS_GUEST_GDTR_LIMIT) };
	s->idtr = (struct vcpu_segment){ .base = vmcs_read(VMCS_GUEST_IDTR_BASE),
					 .limit = (u32)vmcs_read(VMCS_GUEST_IDTR_LIMIT) };
}

static void write_segments(const struct vcpu_state *s)
{
	for (u32 i = 0; i < SEG_COUNT; i++)
		write_segment(i, &s->seg[i]);
	vmcs_write(VMCS_GUEST_GDTR_BASE, s->gdtr.base);
	vmcs_write(VMCS_GUEST_GDTR_LIMIT, s->gdtr.limit & 0xffff);
	vmcs_write(VMCS_GUEST_IDTR_BASE, s->idtr.base);
	vmcs_write(VMCS_GUEST_IDTR_LIMIT, s->idtr.limit & 0xffff);
}

/* ---- control registers ---- */

static u64 seen(enum vmcs_field real, enum vmcs_field shadow, u64 mask)
{
	return (vmcs_read(real) & ~mask) | (vmcs_read(shadow) & mask);
}

static void read_control(struct virt_vcpu *v, struct vcpu_state *s)
{
	s->cr0 = seen(VMCS_GUEST_CR0, VMCS_CR0_SHADOW, vmx_cr0_mask());
	s->cr3 = vmcs_read(VMCS_GUEST_CR3);
	s->cr4 = seen(VMCS_GUEST_CR4, VMCS_CR4_SHADOW, vmx_cr4_mask(v));
	s->cr8 = v->apic[APIC_TPR] >> 4;
	s->efer = vmcs_read(VMCS_GUEST_EFER);
	if (vmx_is_here(v))
		s->cr2 = cr2_read();
}

/* LMA follows LME and CR0.PG, and the entry control follows LMA (SDM 3C §27.2.4); within the guest the
 * processor does both, and tells at the exit. */
static void write_control(struct virt_vcpu *v, const struct vcpu_state *s)
{
	bool long_mode = s->efer & EFER_LME && s->cr0 & CR0_PG;
	u64 efer = long_mode ? s->efer | EFER_LMA : s->efer & ~(u64)EFER_LMA;
	u64 fixed0 = vmx_features.cr0_fixed0 & ~(CR0_PE | CR0_PG);

	vmcs_write(VMCS_GUEST_CR0, (s->cr0 & ~vmx_cr0_mask()) | CR0_NE | CR0_ET | fixed0);
	vmcs_write(VMCS_CR0_SHADOW, s->cr0);
	vmcs_write(VMCS_GUEST_CR3, s->cr3);
	vmcs_write(VMCS_GUEST_CR4, (s->cr4 & ~vmx_cr4_mask(v)) | CR4_MCE | vmx_features.cr4_fixed0);
	vmcs_write(VMCS_CR4_SHADOW, s->cr4);
	vmcs_write(VMCS_GUEST_EFER, efer);
	vmcs_write(VMCS_ENTRY_CONTROLS, vmx_features.controls[CONTROL_ENTRY] | (long_mode ? ENTRY_IA32E : 0));
	if (vmx_is_here(v))
		cr2_write(s->cr2);
	v->state.cr2 = s->cr2;
	v->vpid_generation = 0; /* translations from under the old registers */
}

/* Another vCPU's paging would need a fresh VPID each time that ring 3 writes a state back unchanged. */
static bool control_differs(const struct vcpu_state *a, const struct vcpu_state *b)
{
	return a->cr0 != b->cr0 || a->cr2 != b->cr2 || a->cr3 != b->cr3 || a->cr4 != b->cr4 || a->efer != b->efer;
}

/* ---- all of it ---- */

void vmx_state_refresh(struct virt_vcpu *v, u32 groups)
{
	if (groups & VIRT_SEGMENTS)
		read_segments(&v->state);
	if (groups & VIRT_CONTROL)
		read_control(v, &v->state);
	if (groups & VIRT_DEBUG)
		vmx_debug_read(v);
	if (groups & VIRT_XCR0)
		v->state.xcr0 = vmx_is_here(v) ? fpu_get_xcr0(&v->fpu) : v->fpu.xcr0;
	v->valid |= groups;
}

/* Of a vCPU that is active on another CPU it gets what was read last. */
void vmx_state_get(struct virt_vcpu *v, struct vcpu_state *s, u32 groups)
{
	const struct vcpu_state *from = &v->state;

	if (vmx_is_here(v))
		vmx_state_refresh(v, groups & ~v->valid);
	if (groups & VIRT_SEGMENTS) {
		memcpy(s->seg, from->seg, sizeof(s->seg));
		s->gdtr = from->gdtr;
		s->idtr = from->idtr;
	}
	if (groups & VIRT_CONTROL) {
		s->cr0 = from->cr0, s->cr2 = from->cr2, s->cr3 = from->cr3, s->cr4 = from->cr4;
		s->cr8 = from->cr8;
		s->efer = from->efer;
	}
	if (groups & VIRT_DEBUG) {
		memcpy(s->dr, from->dr, sizeof(s->dr));
		s->dr6 = from->dr6, s->dr7 = from->dr7;
	}
	if (groups & VIRT_XCR0)
		s->xcr0 = from->xcr0;
}

void vmx_state_set(struct virt_vcpu *v, const struct vcpu_state *s, u32 groups)
{
	vmx_borrow(v);
	vmx_state_refresh(v, groups & ~v->valid);
	if (groups & VIRT_SEGMENTS)
		write_segments(s);
	if (groups & VIRT_CONTROL && control_differs(&v->state, s))
		write_control(v, s);
	if (groups & VIRT_DEBUG)
		vmx_debug_write(v, s);
	if (groups & VIRT_XCR0)
		fpu_set_xcr0(&v->fpu, s->xcr0);
	vmx_state_refresh(v, groups);
	vmx_return(v);
}

/* ---- single registers ---- */

u64 vmx_get_cr4(struct virt_vcpu *v)
{
	struct vcpu_state s;

	vmx_state_get(v, &s, VIRT_CONTROL);
	return s.cr4;
}

u64 vmx_get_xcr0(struct virt_vcpu *v)
{
	return vmx_is_here(v) ? fpu_get_xcr0(&v->fpu) : v->fpu.xcr0;
}

/* (Where the local APIC is live, TPR is there already.) */
void vmx_set_cr8(struct virt_vcpu *v, u8 value)
{
	if (!v->lapic)
		v->apic[APIC_TPR] = (u8)(value << 4);
}

void vmx_set_cr2(struct virt_vcpu *v, u64 value)
{
	v->state.cr2 = value;
	if (vmx_is_here(v))
		cr2_write(value);
}

/* Only what it needs is read: each exit of a device comes here. */
void vmx_code(struct virt_vcpu *v, const struct vcpu_page *page, struct virt_code *c)
{
	u64 base, cr0, efer;
	u32 attr;

	if (vmx_is_here(v) && (v->valid & (VIRT_SEGMENTS | VIRT_CONTROL)) != (VIRT_SEGMENTS | VIRT_CONTROL)) {
		attr = (u32)vmcs_read(VMCS_GUEST_ES_ACCESS + 2 * SEG_CS) >> 4;
		c->cpl = vmcs_read(VMCS_GUEST_ES_ACCESS + 2 * SEG_SS) >> 5 & 3;
		efer = vmcs_read(VMCS_GUEST_EFER);
		cr0 = vmcs_read(VMCS_GUEST_CR0);
		c->cr3 = vmcs_read(VMCS_GUEST_CR3);
		base = vmcs_read(VMCS_GUEST_ES_BASE + 2 * SEG_CS);
	} else {
		attr = v->state.seg[SEG_CS].attr;
		c->cpl = v->state.seg[SEG_SS].attr >> 5 & 3;
		efer = v->state.efer, cr0 = v->state.cr0, c->cr3 = v->state.cr3;
		base = v->state.seg[SEG_CS].base;
	}
	c->mode = attr & ATTR_LONG && efer & EFER_LMA ? MODE_LONG : !(cr0 & CR0_PE) ? MODE_REAL
		: page->rflags & RFLAGS_VM && !(efer & EFER_LMA) ? MODE_VM86
		: attr & ATTR_DEFAULT_32 ? MODE_PROT32 : MODE_PROT16;
	c->address = c->mode == MODE_LONG ? page->rip : (base + page->rip) & UINT32_MAX;
}

void vmx_set_tsc_offset(struct virt_vcpu *v, u64 offset)
{
	vmx_borrow(v);
	vmcs_write(VMCS_TSC_OFFSET, offset);
	vmx_return(v);
}
