/* What VMX keeps for each host CPU: the VMXON region, the current VMCS, VPIDs, and whose SYSCALL MSRs the
 * processor holds.  Only its own CPU touches it. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/virt_memory.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/lib/error.h"

#define VPIDS 65536
#define EPTP_WB 6ull /* SDM 3C §25.6.11 */
#define EPTP_WALK_4 (3ull << 3)
#define EPTP_AD BIT(6)

struct vmx_cpu {
	u32 *vmxon;
	struct virt_vcpu *current; /* whose VMCS is current; NULL: none */
	struct virt_vcpu *msrs_of; /* whose SYSCALL MSRs are in the processor; NULL: the host's */
	u64 host_msrs[VMX_MSRS];
	bool gdt_open;             /* the GDT's limit is an exit's */
	u32 next_vpid;
	u64 generation;            /* of VPIDs; from 1 */
	u64 tsc_aux;
	bool has_rdtscp;
};

static const u32 msr_numbers[VMX_MSRS] = { MSR_STAR, MSR_LSTAR, MSR_SFMASK, MSR_KERNEL_GS_BASE };

static struct vmx_cpu *self(void)
{
	return cpu_self()->virt;
}

/* Firmware that did not decide leaves it to us; it is locked so that nothing changes it (SDM 3C §24.7). */
static int open_lock(void)
{
	u64 control = rdmsr(MSR_FEATURE_CONTROL);

	if (!(control & FEATURE_CONTROL_LOCKED))
		wrmsr(MSR_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX);
	return rdmsr(MSR_FEATURE_CONTROL) & FEATURE_CONTROL_VMX ? 0 : ERR_UNSUPPORTED;
}

int vmx_cpu_enable(void)
{
	struct vmx_cpu *c = virt_memory_alloc(sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->vmxon = virt_memory_alloc(PAGE_SIZE);
	if (!c->vmxon)
		return ERR_NOMEM;
	if (open_lock())
		return ERR_UNSUPPORTED;
	*c->vmxon = vmx_features.revision;
	c->generation = 1;
	c->next_vpid = 1; /* 0 is the host's */
	c->has_rdtscp = vmx_has(CONTROL_SECONDARY, SECONDARY_RDTSCP);
	if (c->has_rdtscp)
		wrmsr(MSR_TSC_AUX, 0);
	for (u32 i = 0; i < VMX_MSRS; i++)
		c->host_msrs[i] = rdmsr(msr_numbers[i]);
	cpu_self()->virt = c;
	cr0_write(cr0_read() | CR0_TS | vmx_features.cr0_fixed0);
	cr4_write(cr4_read() | CR4_VMXE | vmx_features.cr4_fixed0);
	vmcs_vmxon((u64)c->vmxon);
	return 0;
}

void vmx_cpu_disable(void)
{
	vmcs_vmxoff();
	cr4_write(cr4_read() & ~CR4_VMXE);
}

/* ---- the current VMCS ---- */

bool vmx_is_here(const struct virt_vcpu *v)
{
	return v->active && v->cpu == cpu_self()->index;
}

void vmx_activate(struct virt_vcpu *v)
{
	vmcs_load((u64)v->vmcs);
	self()->current = v;
	v->cpu = cpu_self()->index;
	v->active = true;
	v->launched = false;
}

void vmx_deactivate(struct virt_vcpu *v)
{
	vmcs_clear((u64)v->vmcs);
	self()->current = NULL;
	v->active = false;
}

void vmx_borrow(struct virt_vcpu *v)
{
	if (!v->active)
		vmcs_load((u64)v->vmcs);
}

void vmx_return(struct virt_vcpu *v)
{
	struct vmx_cpu *c = self();

	if (v->active)
		return;
	vmcs_clear((u64)v->vmcs);
	if (c->current)
		vmcs_load((u64)c->current->vmcs);
}

/* ---- MSRs and tables that are switched late ---- */

bool vmx_msrs_loaded(const struct virt_vcpu *v)
{
	return v->active && self()->msrs_of == v;
}

void vmx_msrs_load(struct virt_vcpu *v)
{
	struct vmx_cpu *c = self();

	c->gdt_open = true; /* it comes before an entry */
	if (c->msrs_of == v)
		return;
	for (u32 i = 0; i < VMX_MSRS; i++)
		wrmsr(msr_numbers[i], v->msrs[i]);
	c->msrs_of = v;
}

/* The guest writes only KERNEL_GS_BASE without an exit. */
void vmx_msrs_store(void)
{
	struct vmx_cpu *c = self();

	if (!c->msrs_of)
		return;
	c->msrs_of->msrs[VMX_KERNEL_GS_BASE] = rdmsr(MSR_KERNEL_GS_BASE);
	for (u32 i = 0; i < VMX_MSRS; i++)
		wrmsr(msr_numbers[i], c->host_msrs[i]);
	c->msrs_of = NULL;
}

void vmx_tsc_aux(u64 value)
{
	struct vmx_cpu *c = self();

	if (!c->has_rdtscp || c->tsc_aux == value)
		return;
	c->tsc_aux = value;
	wrmsr(MSR_TSC_AUX, value);
}

void vmx_ring3(void)
{
	struct cpu *cpu = cpu_self();
	struct vmx_cpu *c = cpu->virt;

	vmx_msrs_store();
	if (c->gdt_open) {
		lgdt(&(struct descriptor_pointer){ sizeof(cpu->gdt) - 1, (u64)cpu->gdt });
		c->gdt_open = false;
	}
}

/* ---- translations ---- */

/* A fresh VPID has no translations yet; when all are used up the TLB is emptied and they begin again. */
static void give_vpid(struct virt_vcpu *v)
{
	struct vmx_cpu *c = self();

	if (v->vpid_generation == c->generation && v->vpid_cpu == cpu_self()->index)
		return;
	if (c->next_vpid == VPIDS) {
		c->generation++;
		c->next_vpid = 1;
		vmcs_invept(INVEPT_ALL, 0);
	}
	vmcs_write(VMCS_VPID, c->next_vpid++);
	v->vpid_generation = c->generation;
	v->vpid_cpu = cpu_self()->index;
}

void vmx_flush(struct virt_vcpu *v)
{
	v->flush = true;
}

/* Translations that come from EPT alone are not the VPID's but the EPT pointer's: they may be left from an
 * earlier stay on this CPU, or from another guest whose root was this frame. */
void vmx_translations(struct virt_vcpu *v)
{
	u64 eptp = v->root.v | EPTP_WALK_4 | EPTP_WB | (vmx_features.ept_ad ? EPTP_AD : 0);
	u32 here = cpu_self()->index + 1;

	if (v->host_cr3 != cr3_read())
		vmcs_write(VMCS_HOST_CR3, v->host_cr3 = cr3_read());
	if (eptp != v->eptp) {
		vmcs_write(VMCS_EPTP, eptp);
		v->eptp = eptp;
		v->flush = true;
	}
	if (v->flush || v->translations_cpu != here) {
		vmcs_invept(vmx_features.invept_single ? INVEPT_SINGLE : INVEPT_ALL,
			    vmx_features.invept_single ? eptp : 0);
		v->translations_cpu = here;
		v->flush = false;
	}
	if (vmx_has(CONTROL_SECONDARY, SECONDARY_VPID))
		give_vpid(v);
}
