/* Guest registers between the VMCB and the neutral form. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/svm/percpu.h"
#include "arch/x86_64/svm/svm.h"

#define DR_INTERCEPTS 0xffff

static struct vmcb_segment *segment_of(struct vmcb *b, u32 index)
{
	struct vmcb_segment *const all[SEG_COUNT] = { &b->es, &b->cs, &b->ss, &b->ds, &b->fs, &b->gs, &b->ldtr, &b->tr };

	return all[index];
}

static struct vcpu_segment from_vmcb(const struct vmcb_segment *s)
{
	return (struct vcpu_segment){ .base = s->base, .limit = s->limit, .selector = s->selector, .attr = s->attr };
}

static struct vmcb_segment to_vmcb(const struct vcpu_segment *s)
{
	return (struct vmcb_segment){ .base = s->base, .limit = s->limit, .selector = s->selector,
				      .attr = s->attr & 0xfff };
}

void svm_dr_load(struct virt_vcpu *v)
{
	dr0_write(v->dr[0]);
	dr1_write(v->dr[1]);
	dr2_write(v->dr[2]);
	dr3_write(v->dr[3]);
	v->dr_loaded = true;
	v->vmcb->intercept_dr_read = v->vmcb->intercept_dr_write = 0;
}

void svm_dr_save(struct virt_vcpu *v)
{
	if (!v->dr_loaded)
		return;
	v->dr[0] = dr0_read();
	v->dr[1] = dr1_read();
	v->dr[2] = dr2_read();
	v->dr[3] = dr3_read();
	v->dr_loaded = false;
	v->vmcb->intercept_dr_read = v->vmcb->intercept_dr_write = DR_INTERCEPTS;
}

static void get_control(struct vmcb *b, struct vcpu_state *s)
{
	s->cr0 = b->cr0;
	s->cr2 = b->cr2;
	s->cr3 = b->cr3;
	s->cr4 = b->cr4;
	s->cr8 = b->v_tpr & 0xf;
	s->efer = b->efer & ~EFER_SVME;
}

/* In this CPU's registers?  The monitor asks for vCPUs that are in another's: it gets what was saved last. */
static bool here(const struct virt_vcpu *v)
{
	return v->loaded && v->cpu == svm_cpu_self();
}

/* VMRUN loads it; but Bochs 2.7's does not, and there it stays from load on, since ring 0 has no page faults. */
void svm_set_cr2(struct virt_vcpu *v, u64 value)
{
	v->vmcb->cr2 = value;
	if (here(v))
		cr2_write(value);
}

void svm_state_get(struct virt_vcpu *v, struct vcpu_state *s, u32 groups)
{
	struct vmcb *b = v->vmcb;

	if (groups & VIRT_SEGMENTS) {
		for (u32 i = 0; i < SEG_COUNT; i++)
			s->seg[i] = from_vmcb(segment_of(b, i));
		s->seg[SEG_SS].attr = (u16)((s->seg[SEG_SS].attr & ~0x60) | b->cpl << 5);
		s->gdtr = from_vmcb(&b->gdtr);
		s->idtr = from_vmcb(&b->idtr);
	}
	if (groups & VIRT_CONTROL)
		get_control(b, s);
	if (groups & VIRT_DEBUG) {
		if (v->dr_loaded && here(v))
			svm_dr_save(v);
		for (u32 i = 0; i < 4; i++)
			s->dr[i] = v->dr[i];
		s->dr6 = b->dr6;
		s->dr7 = b->dr7;
	}
	if (groups & VIRT_XCR0)
		s->xcr0 = here(v) ? fpu_get_xcr0(&v->fpu) : v->fpu.xcr0;
}

/* EFER.SVME must be set for VMRUN; the guest does not see it. */
void svm_state_set(struct virt_vcpu *v, const struct vcpu_state *s, u32 groups)
{
	struct vmcb *b = v->vmcb;

	if (groups & VIRT_SEGMENTS) {
		for (u32 i = 0; i < SEG_COUNT; i++)
			*segment_of(b, i) = to_vmcb(&s->seg[i]);
		b->gdtr = to_vmcb(&s->gdtr);
		b->idtr = to_vmcb(&s->idtr);
		b->cpl = s->seg[SEG_SS].attr >> 5 & 3;
	}
	if (groups & VIRT_CONTROL) {
		b->cr0 = s->cr0;
		svm_set_cr2(v, s->cr2);
		b->cr3 = s->cr3;
		b->cr4 = s->cr4;
		b->efer = s->efer | EFER_SVME;
	}
	if (groups & VIRT_DEBUG) {
		svm_dr_save(v);
		for (u32 i = 0; i < 4; i++)
			v->dr[i] = s->dr[i];
		b->dr6 = s->dr6;
		b->dr7 = s->dr7;
	}
	if (groups & VIRT_XCR0)
		fpu_set_xcr0(&v->fpu, s->xcr0);
}

static u64 *msr_place(struct vmcb *b, u32 msr)
{
	switch (msr) {
	case MSR_STAR: return &b->star;
	case MSR_LSTAR: return &b->lstar;
	case MSR_CSTAR: return &b->cstar;
	case MSR_SFMASK: return &b->sfmask;
	case MSR_FS_BASE: return &b->fs.base;
	case MSR_GS_BASE: return &b->gs.base;
	case MSR_KERNEL_GS_BASE: return &b->kernel_gs_base;
	case MSR_SYSENTER_CS: return &b->sysenter_cs;
	case MSR_SYSENTER_ESP: return &b->sysenter_esp;
	case MSR_SYSENTER_EIP: return &b->sysenter_eip;
	case MSR_PAT: return &b->pat;
	case MSR_DEBUGCTL: return &b->debug_ctl;
	}
	return NULL;
}

int svm_msr_get(struct virt_vcpu *v, u32 msr, u64 *value)
{
	const u64 *place = msr_place(v->vmcb, msr);

	if (!place)
		return ERR_NOENT;
	*value = *place;
	return 0;
}

int svm_msr_set(struct virt_vcpu *v, u32 msr, u64 value)
{
	u64 *place = msr_place(v->vmcb, msr);

	if (msr == MSR_TSC_AUX && v->loaded) { /* RDTSCP reads the processor's own; load sets it too */
		svm_tsc_aux(value);
		return 0;
	}
	if (!place)
		return ERR_NOENT;
	*place = value;
	return 0;
}
