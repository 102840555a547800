/* A vCPU's life: its VMCS from the first field, and what it needs on each CPU that it comes to. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/tsc.h"
#include "arch/x86_64/virt_memory.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/lib/error.h"

#define DEFAULT_PAT 0x0007040600070406ull
#define EXCEPTION_DB 1
#define EXCEPTION_AC 17
#define EXCEPTION_MC 18
#define NO_VMCS UINT64_MAX /* link pointer without VMCS shadowing, SDM 3C §25.4.2 */
#define PAUSE_GAP 128      /* cycles between two PAUSEs of one loop, and how long a loop may be */
#define PAUSE_WINDOW 4096
#define STAY_MS 1          /* in the guest at a time: costs less than 0.1 % */

/* An interrupt ends a stay in the guest whatever its flags are, so a processor needs no bound.  Bochs 2.7 forgets
 * that where IF is clear at the entry, and such a guest would keep the CPU. */
static u64 preemption_ticks(void)
{
	return MIN(MAX(tsc_hz() / 1000 * STAY_MS >> vmx_features.preemption_shift, 1), UINT32_MAX);
}

static void write_controls(struct virt_vcpu *v)
{
	const u32 *c = vmx_features.controls;

	v->primary = v->primary_wanted = c[CONTROL_PRIMARY];
	vmcs_write(VMCS_PIN_CONTROLS, c[CONTROL_PIN]);
	vmcs_write(VMCS_PRIMARY_CONTROLS, c[CONTROL_PRIMARY]);
	vmcs_write(VMCS_SECONDARY_CONTROLS, vmx_secondary_base() & ~(v->lapic ? 0 : (u32)SECONDARY_APICV));
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
		vmcs_write(VMCS_MSR_BITMAP, (u64)vmx_msr_bitmap);
	if (vmx_has(CONTROL_PRIMARY, PRIMARY_TPR_SHADOW)) {
		vmcs_write(VMCS_VIRTUAL_APIC, (u64)v->apic);
		vmcs_write(VMCS_TPR_THRESHOLD, 0);
	}
	if (vmx_has(CONTROL_SECONDARY, SECONDARY_PAUSE_LOOP)) {
		vmcs_write(VMCS_PLE_GAP, PAUSE_GAP);
		vmcs_write(VMCS_PLE_WINDOW, PAUSE_WINDOW);
	}
	if (v->lapic)
		vmx_apic_create(v);
	if (vmx_has(CONTROL_PIN, PIN_PREEMPTION_TIMER))
		vmcs_write(VMCS_PREEMPTION_TIMER, preemption_ticks());
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

void vmx_vcpu_put(struct virt_vcpu *v)
{
	if (!v)
		return;
	virt_memory_free(v->vmcs, PAGE_SIZE);
	if (!v->lapic)
		virt_memory_free(v->apic, PAGE_SIZE);
	fpu_fini(&v->fpu);
	virt_memory_free(v, sizeof(*v));
}

int vmx_vcpu_create(struct virt_vcpu **out, u64 guest_cr4, struct virt_apic *apic)
{
	struct virt_vcpu *v = virt_memory_alloc(sizeof(*v));

	if (!v)
		return ERR_NOMEM;
	v->vmcs = virt_memory_alloc(PAGE_SIZE);
	apic->live = apic->live && vmx_has(CONTROL_SECONDARY, SECONDARY_VIRTUAL_INTERRUPTS);
	apic->frame = (hpa_t){ apic->live ? (u64)vmx_apic_frame : 0 };
	v->lapic = apic->live ? apic : NULL;
	v->apic = apic->live ? (u8 *)apic->page : virt_memory_alloc(PAGE_SIZE);
	if (!v->vmcs || !v->apic || fpu_init(&v->fpu)) {
		vmx_vcpu_put(v);
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

void vmx_load(struct virt_vcpu *v, hpa_t root, u64 tsc_aux)
{
	v->root = root;
	fpu_load(&v->fpu);
	vmx_activate(v);
	write_cpu();
	cr2_write(v->state.cr2);
	if (v->state.dr7 & 0xff)
		vmx_dr_load(v);
	vmx_tsc_aux(tsc_aux);
}

void vmx_leave(struct virt_vcpu *v)
{
	vmx_state_refresh(v, VIRT_ALL & ~v->valid);
	vmx_dr_save(v);
	vmx_msrs_store();
	fpu_save(&v->fpu);
	vmx_deactivate(v);
}
