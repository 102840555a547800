/* The SVM back end: detection, the vCPU's VMCB, and the run. */
#include "arch/x86_64/svm/svm.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/svm/percpu.h"
#include "arch/x86_64/table_format.h"
#include "arch/x86_64/virt_memory.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define VM_CR_SVMDIS BIT(4) /* APM 2 §15.30.1 */
#define FEATURE_NPT BIT(0)  /* CPUID Fn8000_000A EDX */
#define FEATURE_NEXT_RIP BIT(3)
#define FEATURE_FLUSH_ASID BIT(6)
#define FEATURE_DECODE BIT(7)
#define FEATURE_PAUSE_FILTER BIT(10)
#define FEATURE_PAUSE_THRESHOLD BIT(12)
#define PAUSE_GAP 128    /* cycles between two PAUSEs of one loop, where the threshold is known */
#define PAUSE_COUNT 3000 /* as many in a loop, or in a stay in the guest, are a wait for another vCPU */
#define IOPM_SIZE (12 * KIB)
#define MSRPM_SIZE (8 * KIB)
#define DEFAULT_PAT 0x0007040600070406ull

#define EXCEPTION_DB 1
#define EXCEPTION_AC 17
#define EXCEPTION_MC 18

struct svm_features svm_features;
static u8 *iopm, *msrpm; /* c: one for all guests */

/* ---- detection ---- */

static int missing(char *to, size_t len, const char *what)
{
	str_copy(to, len, what);
	return ERR_UNSUPPORTED;
}

static bool present(void)
{
	return cpuid(0x80000000, 0).eax >= 0x8000000a && cpuid(0x80000001, 0).ecx & BIT(2);
}

/* QEMU's emulation names itself, CPUID 40000000h. */
static bool is_tcg(void)
{
	struct cpuid c = cpuid(1, 0).ecx & BIT(31) ? cpuid(0x40000000, 0) : (struct cpuid){ 0 };

	return c.ebx == 0x54474354 && c.ecx == 0x43544743 && c.edx == 0x47435447; /* "TCGTCGTCGTCG" */
}

static int probe(const struct virt_options *said, char *why, size_t why_len, char *features, size_t features_len)
{
	struct cpuid svm;
	u32 edx;

	if (!present())
		return missing(why, why_len, "the processor has no SVM");
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		return missing(why, why_len, "SVM is locked off: enable \"SVM Mode\" in the firmware's setup");
	svm = cpuid(0x8000000a, 0);
	edx = svm.edx & ~(said->off & VIRT_SVM_NRIP_SAVE ? FEATURE_NEXT_RIP : 0u) &
		~(said->off & VIRT_SVM_FLUSH_BY_ASID ? FEATURE_FLUSH_ASID : 0u) &
		~(said->off & VIRT_SVM_DECODE_ASSISTS ? FEATURE_DECODE : 0u) &
		~(said->off & VIRT_SVM_PAUSE_FILTER ? FEATURE_PAUSE_FILTER : 0u);
	if (!(edx & FEATURE_NPT))
		return missing(why, why_len, "the processor has no nested paging (NPT)");
	svm_features.asid_count = svm.ebx;
	svm_features.next_rip = edx & FEATURE_NEXT_RIP;
	svm_features.flush_by_asid = edx & FEATURE_FLUSH_ASID;
	svm_features.decode_assists = edx & FEATURE_DECODE;
	svm_features.pause_filter = edx & FEATURE_PAUSE_FILTER;
	svm_features.pause_threshold = edx & FEATURE_PAUSE_THRESHOLD;
	svm_features.tcg = is_tcg();
	svm_features.rdpru = cpuid(0x80000000, 0).eax >= 0x80000008 && cpuid(0x80000008, 0).ebx & BIT(4);
	fmt_print(features, features_len, "npt %u-asids%s%s%s%s", svm.ebx, edx & FEATURE_NEXT_RIP ? " nrip-save" : "",
		  edx & FEATURE_DECODE ? " decode-assists" : "", edx & FEATURE_FLUSH_ASID ? " flush-by-asid" : "",
		  edx & FEATURE_PAUSE_FILTER ? " pause-filter" : "");
	return 0;
}

/* ---- permission maps ---- */

/* Lets the guest read and write the MSR by itself: two bits an MSR (APM 2 §15.11). */
static void msr_pass(u32 msr)
{
	u32 base = msr >= 0xc0010000 ? 0x1000 : msr >= 0xc0000000 ? 0x800 : 0, index = msr & 0x1fff;

	msrpm[base + index / 4] &= (u8)~(3 << index % 4 * 2);
}

static int make_maps(void)
{
	static const u32 passed[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_CSTAR,
		MSR_SFMASK, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP };

	iopm = virt_memory_alloc(IOPM_SIZE);
	msrpm = virt_memory_alloc(MSRPM_SIZE);
	if (!iopm || !msrpm)
		return ERR_NOMEM;
	memset(iopm, 0xff, IOPM_SIZE);
	memset(msrpm, 0xff, MSRPM_SIZE);
	for (u32 i = 0; i < ARRAY_SIZE(passed); i++)
		msr_pass(passed[i]);
	return 0;
}

static int cpu_enable(void)
{
	if (!msrpm && make_maps())
		return ERR_NOMEM;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	cr0_write(cr0_read() | CR0_TS);
	return svm_cpu_enable();
}

static void cpu_disable(void)
{
	wrmsr(MSR_VM_HSAVE_PA, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
}

/* ---- vCPUs ---- */

static void vcpu_put(struct virt_vcpu *v)
{
	if (!v)
		return;
	virt_memory_free(v->vmcb, sizeof(*v->vmcb));
	fpu_fini(&v->fpu);
	virt_memory_free(v, sizeof(*v));
}

static void vmcb_init(struct vmcb *b)
{
	b->intercept_cr_write = INTERCEPT_CR4_WRITE;
	b->intercept_dr_read = b->intercept_dr_write = 0xffff;
	b->intercept_exceptions = BIT(EXCEPTION_AC) | BIT(EXCEPTION_DB) | BIT(EXCEPTION_MC);
	b->intercept = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_RDPMC | INTERCEPT_CPUID |
		INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA | INTERCEPT_IOIO | INTERCEPT_MSR |
		(u32)INTERCEPT_SHUTDOWN;
	b->intercept2 = INTERCEPT2_VMRUN | INTERCEPT2_VMMCALL | INTERCEPT2_VMLOAD | INTERCEPT2_VMSAVE |
		INTERCEPT2_STGI | INTERCEPT2_CLGI | INTERCEPT2_SKINIT | INTERCEPT2_WBINVD | INTERCEPT2_MONITOR |
		INTERCEPT2_MWAIT | INTERCEPT2_XSETBV | (svm_features.rdpru ? (u32)INTERCEPT2_RDPRU : 0);
	if (svm_features.pause_filter) {
		b->intercept |= INTERCEPT_PAUSE;
		b->pause_count = PAUSE_COUNT;
		b->pause_threshold = svm_features.pause_threshold ? PAUSE_GAP : 0;
	}
	b->iopm = (u64)iopm;
	b->msrpm = (u64)msrpm;
	b->vintr = VINTR_MASKING;
	b->nested = 1;
	b->pat = DEFAULT_PAT;
	b->efer = EFER_SVME;
}

/* Every MOV to CR4 is intercepted, so that the kernel looks at the bits. */
static int vcpu_create(struct virt_vcpu **out, u64 guest_cr4, struct virt_apic *apic)
{
	struct virt_vcpu *v = virt_memory_alloc(sizeof(*v));

	if (!v)
		return ERR_NOMEM;
	v->vmcb = virt_memory_alloc(sizeof(*v->vmcb));
	if (!v->vmcb || fpu_init(&v->fpu)) {
		vcpu_put(v);
		return ERR_NOMEM;
	}
	vmcb_init(v->vmcb);
	apic->live = false;
	*out = v;
	return 0;
}

static void load(struct virt_vcpu *v, hpa_t root, u64 tsc_aux)
{
	struct svm_cpu *c = svm_cpu_self();

	if (v->cpu != c)
		v->asid_generation = v->entry_generation = 0;
	v->cpu = c;
	v->vmcb->nested_cr3 = root.v;
	fpu_load(&v->fpu);
	cr2_write(v->vmcb->cr2);
	if (v->vmcb->dr7 & 0xff)
		svm_dr_load(v);
	svm_tsc_aux(tsc_aux);
	v->loaded = true;
}

static void leave(struct virt_vcpu *v)
{
	svm_dr_save(v);
	fpu_save(&v->fpu);
	v->loaded = false;
}

static void single_step(struct virt_vcpu *v, struct virt_event *e)
{
	v->vmcb->dr6 |= BIT(14);
	*e = (struct virt_event){ .valid = true, .type = INJECT_EXCEPTION, .vector = EXCEPTION_DB };
}

static u64 get_cr4(struct virt_vcpu *v) { return v->vmcb->cr4; }
static u64 get_xcr0(struct virt_vcpu *v) { return fpu_get_xcr0(&v->fpu); }
static void set_cr8(struct virt_vcpu *v, u8 value) { v->vmcb->v_tpr = value; }
static void set_tsc_offset(struct virt_vcpu *v, u64 offset) { v->vmcb->tsc_offset = offset; }

/* The faults of MOV to CR4 that do not come from reserved bits (APM 3, MOV CRn), and its TLB flush. */
static int set_cr4(struct virt_vcpu *v, u64 value)
{
	struct vmcb *b = v->vmcb;
	u64 changed = b->cr4 ^ value;

	if (b->efer & EFER_LMA && !(value & CR4_PAE))
		return ERR_INVAL;
	if (changed & value & CR4_PCIDE && (!(b->efer & EFER_LMA) || b->cr3 & 0xfff))
		return ERR_INVAL;
	b->cr4 = value;
	if (changed & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_PCIDE | CR4_SMEP | CR4_SMAP))
		v->asid_generation = v->entry_generation = 0;
	return 0;
}

static void code(struct virt_vcpu *v, const struct vcpu_page *page, struct virt_code *c)
{
	const struct vmcb *b = v->vmcb;

	c->cr3 = b->cr3;
	c->cpl = b->cpl;
	c->address = page->rip;
	if (b->cs.attr & BIT(9) && b->efer & EFER_LMA) {
		c->mode = MODE_LONG;
		return;
	}
	c->address = (b->cs.base + page->rip) & UINT32_MAX;
	c->mode = !(b->cr0 & CR0_PE) ? MODE_REAL : page->rflags & RFLAGS_VM && !(b->efer & EFER_LMA) ? MODE_VM86
		: b->cs.attr & BIT(10) ? MODE_PROT32 : MODE_PROT16;
}

const struct virt_ops svm_ops = {
	.name = "SVM", .stage2 = &table_format_npt, .present = present, .probe = probe,
	.cpu_enable = cpu_enable, .cpu_disable = cpu_disable,
	.vcpu_create = vcpu_create, .vcpu_put = vcpu_put, .load = load, .leave = leave,
	.run = svm_run, .flush = svm_flush, .get = svm_state_get, .set = svm_state_set,
	.can_interrupt = svm_can_interrupt, .can_nmi = svm_can_nmi,
	.inject = svm_inject, .cancel = svm_cancel, .window = svm_window, .shadow = svm_shadow,
	.single_step = single_step, .cr4 = get_cr4, .xcr0 = get_xcr0, .set_cr2 = svm_set_cr2,
	.set_cr8 = set_cr8, .set_cr4 = set_cr4, .code = code, .set_tsc_offset = set_tsc_offset,
	.msr_get = svm_msr_get, .msr_set = svm_msr_set,
};
