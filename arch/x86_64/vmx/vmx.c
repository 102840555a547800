/* The VMX back end: detection, a vCPU's VMCS, and the run. */
#include "arch/x86_64/vmx/vmx.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/table_format.h"
#include "arch/x86_64/virt_memory.h"
#include "kernel/lib/error.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define DEFAULT_PAT 0x0007040600070406ull
#define EXCEPTION_DB 1
#define EXCEPTION_AC 17
#define EXCEPTION_MC 18
#define DR6_BS BIT(14)
#define ATTR_LONG BIT(9) /* of a code segment, as in struct vcpu_segment */
#define ATTR_DEFAULT_32 BIT(10)
#define APIC_TPR 0x80
#define NO_VMCS UINT64_MAX /* link pointer without VMCS shadowing, SDM 3C §25.4.2 */
#define PAUSE_GAP 128      /* cycles between two PAUSEs of one loop, and how long a loop may be */
#define PAUSE_WINDOW 4096
#define BITMAP_HIGH 0x400  /* MSR bitmap, SDM 3C §25.6.9: reads of c0000000h on; writes lie 800h behind */
#define BITMAP_WRITE 0x800

struct vmx_features vmx_features;
static struct table_format stage2; /* c: EPT's, without what the processor lacks */
static u8 *msr_bitmap;             /* c: one for all guests */

u64 vmx_enter(u64 *gpr, bool launched);
void vmx_exit(void);

/* ---- detection ---- */

static bool present(void)
{
	return cpuid(0, 0).ebx == 0x756e6547 && cpuid(1, 0).ecx & BIT(5); /* "Genu" */
}

static int probe(u64 off, char *why, size_t why_len, char *features, size_t features_len)
{
	u64 control = rdmsr(MSR_FEATURE_CONTROL);
	const char *missing;

	if (control & FEATURE_CONTROL_LOCKED && !(control & FEATURE_CONTROL_VMX)) {
		str_copy(why, why_len, "VMX is locked off: turn on \"Intel Virtualization Technology\" in the "
			 "firmware's setup");
		return ERR_UNSUPPORTED;
	}
	if (vmx_controls_choose(&vmx_features, off, rdmsr, &missing)) {
		fmt_print(why, why_len, "the processor's VMX lacks %s", missing);
		return ERR_UNSUPPORTED;
	}
	stage2 = table_format_ept;
	if (!vmx_features.ept_ad)
		stage2.accessed = stage2.dirty = 0;
	vmx_controls_describe(&vmx_features, features, features_len);
	return 0;
}

/* ---- the MSR bitmap ---- */

static void msr_pass(u32 msr)
{
	u32 base = msr >= 0xc0000000 ? BITMAP_HIGH : 0, index = msr & 0x1fff;

	msr_bitmap[base + index / 8] &= (u8)~BIT(index % 8);
	msr_bitmap[base + BITMAP_WRITE + index / 8] &= (u8)~BIT(index % 8);
}

/* SYSCALL's MSRs are written seldom and are not the guest's all the time, so they exit. */
static int make_bitmap(void)
{
	static const u32 passed[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS,
		MSR_SYSENTER_ESP, MSR_SYSENTER_EIP };

	msr_bitmap = virt_memory_alloc(PAGE_SIZE);
	if (!msr_bitmap)
		return ERR_NOMEM;
	memset(msr_bitmap, 0xff, PAGE_SIZE);
	for (u32 i = 0; i < ARRAY_SIZE(passed); i++)
		msr_pass(passed[i]);
	return 0;
}

static int cpu_enable(void)
{
	if (!msr_bitmap && make_bitmap())
		return ERR_NOMEM;
	return vmx_cpu_enable();
}

/* ---- a vCPU's life ---- */

static void write_controls(struct virt_vcpu *v)
{
	const u32 *c = vmx_features.controls;

	v->primary = v->primary_wanted = c[CONTROL_PRIMARY];
	vmcs_write(VMCS_PIN_CONTROLS, c[CONTROL_PIN]);
	vmcs_write(VMCS_PRIMARY_CONTROLS, c[CONTROL_PRIMARY]);
	vmcs_write(VMCS_SECONDARY_CONTROLS, c[CONTROL_SECONDARY]);
	vmcs_write(VMCS_EXIT_CONTROLS, c[CONTROL_EXIT]);
	vmcs_write(VMCS_ENTRY_CONTROLS, c[CONTROL_ENTRY]);
	vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(EXCEPTION_DB) | BIT(EXCEPTION_AC) | BIT(EXCEPTION_MC));
	vmcs_write(VMCS_FAULT_MASK, 0);
	vmcs_write(VMCS_FAULT_MATCH, 0);
	vmcs_write(VMCS_CR3_TARGETS, 0);
	vmcs_write(VMCS_EXIT_MSR_STORES, 0);
	vmcs_write(VMCS_EXIT_MSR_LOADS, 0);
	vmcs_write(VMCS_ENTRY_MSR_LOADS, 0);
	vmcs_write(VMCS_ENTRY_EVENT, 0);
	vmcs_write(VMCS_CR0_MASK, vmx_cr0_mask());
	vmcs_write(VMCS_CR4_MASK, vmx_cr4_mask(v));
	if (vmx_has(CONTROL_PRIMARY, PRIMARY_MSR_BITMAP))
		vmcs_write(VMCS_MSR_BITMAP, (u64)msr_bitmap);
	if (vmx_has(CONTROL_PRIMARY, PRIMARY_TPR_SHADOW)) {
		vmcs_write(VMCS_VIRTUAL_APIC, (u64)v->apic);
		vmcs_write(VMCS_TPR_THRESHOLD, 0);
	}
	if (vmx_has(CONTROL_SECONDARY, SECONDARY_PAUSE_LOOP)) {
		vmcs_write(VMCS_PLE_GAP, PAUSE_GAP);
		vmcs_write(VMCS_PLE_WINDOW, PAUSE_WINDOW);
	}
}

/* Host state that is the same on all CPUs. */
static void write_host(void)
{
	static const enum vmcs_field zero[] = { VMCS_HOST_ES, VMCS_HOST_DS, VMCS_HOST_FS, VMCS_HOST_GS,
		VMCS_HOST_FS_BASE, VMCS_HOST_SYSENTER_CS, VMCS_HOST_SYSENTER_ESP, VMCS_HOST_SYSENTER_EIP };

	for (u32 i = 0; i < ARRAY_SIZE(zero); i++)
		vmcs_write(zero[i], 0);
	vmcs_write(VMCS_HOST_CS, SELECTOR_KERNEL_CODE);
	vmcs_write(VMCS_HOST_SS, SELECTOR_KERNEL_DATA);
	vmcs_write(VMCS_HOST_TR, SELECTOR_TSS);
	vmcs_write(VMCS_HOST_RIP, (u64)vmx_exit);
}

/* What no other function writes: the kernel sets registers next. */
static void write_guest(void)
{
	static const enum vmcs_field zero[] = { VMCS_GUEST_DEBUGCTL, VMCS_GUEST_SHADOW, VMCS_GUEST_ACTIVITY,
		VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_SYSENTER_CS, VMCS_GUEST_SYSENTER_ESP,
		VMCS_GUEST_SYSENTER_EIP, VMCS_GUEST_RIP, VMCS_GUEST_RSP, VMCS_GUEST_RFLAGS,
		VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE0 + 2, VMCS_GUEST_PDPTE0 + 4, VMCS_GUEST_PDPTE0 + 6 };

	for (u32 i = 0; i < ARRAY_SIZE(zero); i++)
		vmcs_write(zero[i], 0);
	vmcs_write(VMCS_LINK_POINTER, NO_VMCS);
	vmcs_write(VMCS_GUEST_PAT, DEFAULT_PAT);
}

static void vcpu_put(struct virt_vcpu *v)
{
	if (!v)
		return;
	virt_memory_free(v->vmcs, PAGE_SIZE);
	virt_memory_free(v->apic, PAGE_SIZE);
	fpu_fini(&v->fpu);
	virt_memory_free(v, sizeof(*v));
}

static int vcpu_create(struct virt_vcpu **out, u64 guest_cr4)
{
	struct virt_vcpu *v = virt_memory_alloc(sizeof(*v));

	if (!v)
		return ERR_NOMEM;
	v->vmcs = virt_memory_alloc(PAGE_SIZE);
	v->apic = virt_memory_alloc(PAGE_SIZE);
	if (!v->vmcs || !v->apic || fpu_init(&v->fpu)) {
		vcpu_put(v);
		return ERR_NOMEM;
	}
	*v->vmcs = vmx_features.revision;
	v->cr4_allowed = guest_cr4 & vmx_features.cr4_fixed1;
	vmcs_clear((u64)v->vmcs);
	vmx_borrow(v);
	write_controls(v);
	write_host();
	write_guest();
	vmx_state_refresh(v, VIRT_ALL);
	vmx_return(v);
	*out = v;
	return 0;
}

/* ---- coming to a CPU and leaving it ---- */

static void write_cpu(void)
{
	struct cpu *cpu = cpu_self();
	struct descriptor_pointer idtr;

	sidt(&idtr);
	vmcs_write(VMCS_HOST_CR0, cr0_read()); /* TS is clear: the guest's FPU stays at an exit */
	vmcs_write(VMCS_HOST_CR4, cr4_read());
	vmcs_write(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmcs_write(VMCS_HOST_PAT, rdmsr(MSR_PAT));
	vmcs_write(VMCS_HOST_GS_BASE, (u64)cpu);
	vmcs_write(VMCS_HOST_TR_BASE, (u64)&cpu->tss);
	vmcs_write(VMCS_HOST_GDTR_BASE, (u64)cpu->gdt);
	vmcs_write(VMCS_HOST_IDTR_BASE, idtr.base);
}

static void load(struct virt_vcpu *v, u64 tsc_aux)
{
	fpu_load(&v->fpu);
	vmx_activate(v);
	write_cpu();
	cr2_write(v->state.cr2);
	if (v->state.dr7 & 0xff)
		vmx_dr_load(v);
	vmx_tsc_aux(tsc_aux);
}

static void leave(struct virt_vcpu *v)
{
	vmx_state_refresh(v, VIRT_ALL & ~v->valid);
	vmx_dr_save(v);
	vmx_msrs_store();
	fpu_save(&v->fpu);
	vmx_deactivate(v);
}

/* ---- events ---- */

static void inject(struct virt_vcpu *v, const struct virt_event *e)
{
	v->event = *e;
}

static void cancel(struct virt_vcpu *v, struct virt_event *e)
{
	if (v->event.valid)
		*e = v->event;
	v->event.valid = false;
}

/* In real mode no error code is pushed, and the entry checks that (SDM 3C §27.2.1.3). */
static void write_event(struct virt_vcpu *v)
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
static bool shadow(struct virt_vcpu *v, const struct vcpu_page *page)
{
	return page->rip == v->rip && vmx_blocking(v) & (SHADOW_STI | SHADOW_MOV_SS);
}

static bool can_interrupt(struct virt_vcpu *v, const struct vcpu_page *page)
{
	return page->rflags & RFLAGS_IF && !v->event.valid && !shadow(v, page);
}

static bool can_nmi(struct virt_vcpu *v, const struct vcpu_page *page)
{
	return !v->event.valid && !(vmx_blocking(v) & SHADOW_NMI) && !shadow(v, page);
}

static bool window(struct virt_vcpu *v, const struct vcpu_page *page, enum virt_window interrupt, bool nmi)
{
	u32 bits = (interrupt == WINDOW_ANY ? PRIMARY_INTERRUPT_WINDOW : 0) | (nmi ? PRIMARY_NMI_WINDOW : 0);

	v->primary_wanted = (v->primary_wanted & ~(u32)(PRIMARY_INTERRUPT_WINDOW | PRIMARY_NMI_WINDOW)) | bits;
	v->cr8_window = interrupt == WINDOW_CR8;
	return false;
}

static void single_step(struct virt_vcpu *v, struct virt_event *e)
{
	vmx_dr6_trap(v, DR6_BS);
	*e = (struct virt_event){ .valid = true, .type = INJECT_EXCEPTION, .vector = EXCEPTION_DB };
}

/* ---- the run ---- */

static void write_changed(enum vmcs_field field, u64 *written, u64 value)
{
	if (*written == value)
		return;
	vmcs_write(field, value);
	*written = value;
}

/* The threshold is today's CR8: any smaller value exits. */
static void write_cr8(struct virt_vcpu *v, u8 cr8)
{
	u32 threshold = v->cr8_window ? cr8 : 0;

	if (!vmx_has(CONTROL_PRIMARY, PRIMARY_TPR_SHADOW))
		return;
	v->apic[APIC_TPR] = (u8)(cr8 << 4);
	if (v->tpr_threshold != threshold)
		vmcs_write(VMCS_TPR_THRESHOLD, threshold);
	v->tpr_threshold = threshold;
}

static void prepare(struct virt_vcpu *v, struct vcpu_page *page, hpa_t root, bool flush, u8 cr8)
{
	vmx_msrs_load(v);
	vmx_translations(v, root, flush);
	write_changed(VMCS_HOST_CR3, &v->host_cr3, cr3_read());
	if (v->rip != page->rip) {
		vmx_set_blocking(v, vmx_blocking(v) & ~(u32)(SHADOW_STI | SHADOW_MOV_SS));
		write_changed(VMCS_GUEST_RIP, &v->rip, page->rip);
	}
	write_changed(VMCS_GUEST_RSP, &v->rsp, page->gpr[GPR_RSP]);
	write_changed(VMCS_GUEST_RFLAGS, &v->rflags, page->rflags);
	write_cr8(v, cr8);
	if (v->event.valid)
		write_event(v);
	if (v->primary != v->primary_wanted)
		vmcs_write(VMCS_PRIMARY_CONTROLS, v->primary_wanted);
	v->primary = v->primary_wanted;
}

static int refused(struct virt_exit *exit, u64 code, const char *why)
{
	*exit = (struct virt_exit){ .reason = REASON_OTHER, .code = code, .refusal = why };
	return ERR_STATE;
}

static int run(struct virt_vcpu *v, struct vcpu_page *page, hpa_t root, bool flush, u8 *cr8,
	       struct virt_exit *exit)
{
	prepare(v, page, root, flush, *cr8);
	if (vmx_enter(page->gpr, v->launched))
		return refused(exit, vmcs_read(VMCS_INSTRUCTION_ERROR), "a control or the host's state is invalid");
	v->launched = true;
	v->valid = 0;
	v->blocking_known = false;
	page->rip = v->rip = vmcs_read(VMCS_GUEST_RIP);
	page->gpr[GPR_RSP] = v->rsp = vmcs_read(VMCS_GUEST_RSP);
	page->rflags = v->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	if (vmx_has(CONTROL_PRIMARY, PRIMARY_TPR_SHADOW))
		*cr8 = v->apic[APIC_TPR] >> 4;
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

/* ---- single registers ---- */

static u64 get_cr4(struct virt_vcpu *v)
{
	struct vcpu_state s;

	vmx_state_get(v, &s, VIRT_CONTROL);
	return s.cr4;
}

static u64 get_xcr0(struct virt_vcpu *v)
{
	return vmx_is_here(v) ? fpu_get_xcr0(&v->fpu) : v->fpu.xcr0;
}

static void set_cr2(struct virt_vcpu *v, u64 value)
{
	v->state.cr2 = value;
	if (vmx_is_here(v))
		cr2_write(value);
}

/* The guest executes MOV to CR4 itself: see cr.c. */
static int set_cr4(struct virt_vcpu *v, u64 value)
{
	return ERR_INVAL;
}

/* Only what it needs is read: each exit of a device comes here. */
static void code(struct virt_vcpu *v, const struct vcpu_page *page, struct virt_code *c)
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

static void set_tsc_offset(struct virt_vcpu *v, u64 offset)
{
	vmx_borrow(v);
	vmcs_write(VMCS_TSC_OFFSET, offset);
	vmx_return(v);
}

const struct virt_ops vmx_ops = {
	.name = "VMX", .stage2 = &stage2, .present = present, .probe = probe,
	.cpu_enable = cpu_enable, .cpu_disable = vmx_cpu_disable, .ring3 = vmx_ring3,
	.vcpu_create = vcpu_create, .vcpu_put = vcpu_put, .load = load, .leave = leave, .run = run,
	.get = vmx_state_get, .set = vmx_state_set, .can_interrupt = can_interrupt, .can_nmi = can_nmi,
	.inject = inject, .cancel = cancel, .window = window, .shadow = shadow,
	.single_step = single_step, .cr4 = get_cr4, .xcr0 = get_xcr0, .set_cr2 = set_cr2,
	.set_cr4 = set_cr4, .code = code, .set_tsc_offset = set_tsc_offset,
	.msr_get = vmx_msr_get, .msr_set = vmx_msr_set,
};
