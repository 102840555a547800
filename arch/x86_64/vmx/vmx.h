/* The VMX back end's own: what its files share.
 *
 * A VMCS can be read only on the CPU where it is active, from load to leave.  So each vCPU has a copy of its
 * state in memory: the groups in valid are right, the others are read when they are asked for.  While it is
 * inactive all are right. */
#ifndef ARCH_X86_64_VMX_VMX_H
#define ARCH_X86_64_VMX_VMX_H

#include "arch/x86_64/fpu.h"
#include "arch/x86_64/virt.h"
#include "arch/x86_64/vmx/controls.h"
#include "arch/x86_64/vmx/vmcs.h"

#define APIC_TPR 0x80 /* in the virtual-APIC page */
#define VMX_WINDOWS (PRIMARY_INTERRUPT_WINDOW | PRIMARY_NMI_WINDOW)

/* MSRs that VMX does not switch: SYSCALL's and SWAPGS's. */
enum vmx_msr { VMX_STAR, VMX_LSTAR, VMX_SFMASK, VMX_KERNEL_GS_BASE, VMX_MSRS };

struct virt_vcpu {
	u32 *vmcs;              /* a page; its address is the VMCS pointer */
	u8 *apic;               /* the virtual-APIC page, with CR8: the local APIC's where it is live, else our own */
	struct virt_apic *lapic; /* where it is live, else NULL */
	struct fpu fpu;
	struct vcpu_state state; /* groups in valid; DR0-3, DR6 and CR2 while they are not in the processor */
	u32 valid;              /* enum virt_state */
	bool active;            /* on CPU cpu, from load to leave */
	u32 cpu;
	bool launched;          /* since VMCLEAR: the next entry is VMRESUME */
	bool dr_loaded;         /* DR0-3 and DR6 are the guest's */

	u64 cr4_allowed;        /* what the guest may set */
	u32 primary, primary_wanted; /* controls in the VMCS, and for the next entry */
	u32 tpr_threshold;      /* in the VMCS */
	u32 interrupt_status;   /* the same, and so the next */
	u8 apic_mode;           /* enum virt_apic_mode */
	bool cr8_window;        /* exit when CR8 falls */
	u64 rip, rsp, rflags, host_cr3, eptp; /* in the VMCS */
	u32 blocking;           /* the VMCS's interruptibility, if blocking_known */
	bool blocking_known;
	struct virt_event event; /* what the next entry injects */

	hpa_t root;             /* of the guest's stage 2 */
	bool flush;             /* the guest's translations are dropped before the next entry */
	u32 translations_cpu;   /* the CPU that this vCPU's translations were last cared for on, +1 */
	u32 vpid_cpu;           /* the CPU and generation for which the VPID is good */
	u64 vpid_generation;
	u64 msrs[VMX_MSRS];     /* while they are not in the processor */
	u64 cstar;              /* never in the processor: Intel's SYSCALL is 64-bit mode's */
};

extern u8 *vmx_apic_frame; /* c: what stands for local APICs in stage 2; nothing is ever in it */
extern u8 *vmx_msr_bitmap, *vmx_msr_bitmap_x2apic; /* c: for all guests */

/* ---- vcpu.c ---- */
int vmx_vcpu_create(struct virt_vcpu **out, u64 guest_cr4, struct virt_apic *apic);
void vmx_vcpu_put(struct virt_vcpu *v);
void vmx_load(struct virt_vcpu *v, hpa_t root, u64 tsc_aux);
void vmx_leave(struct virt_vcpu *v);

/* ---- run.c, enter.asm ---- */
int vmx_run(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *exit);
u64 vmx_enter(u64 *gpr, bool launched); /* 0: it was entered and left; 1: the instruction failed */
void vmx_exit(void);

/* ---- event.c ---- */
void vmx_inject(struct virt_vcpu *v, const struct virt_event *e);
void vmx_cancel(struct virt_vcpu *v, struct virt_event *e);
void vmx_write_event(struct virt_vcpu *v); /* the pending event into the VMCS */
bool vmx_shadow(struct virt_vcpu *v, const struct vcpu_page *page);
bool vmx_can_interrupt(struct virt_vcpu *v, const struct vcpu_page *page);
bool vmx_can_nmi(struct virt_vcpu *v, const struct vcpu_page *page);
bool vmx_window(struct virt_vcpu *v, const struct vcpu_page *page, enum virt_window interrupt, bool nmi);

/* ---- apic.c: only of a vCPU whose local APIC is live ---- */
void vmx_apic_create(struct virt_vcpu *v);
void vmx_apic_enter(struct virt_vcpu *v); /* before an entry: what the processor goes on from */
void vmx_apic_exit(struct virt_vcpu *v);  /* after an exit: where it has got to */

/* ---- percpu.c ---- */

int vmx_cpu_enable(void);
void vmx_cpu_disable(void);

/* Makes v's VMCS current here for as long as this vCPU is loaded; and the end of it. */
void vmx_activate(struct virt_vcpu *v);
void vmx_deactivate(struct virt_vcpu *v);

/* The same for a moment, around reads and writes of a VMCS that may be active here or nowhere. */
void vmx_borrow(struct virt_vcpu *v);
void vmx_return(struct virt_vcpu *v);

/* Is it in this CPU's registers? */
bool vmx_is_here(const struct virt_vcpu *v);

/* SYSCALL's MSRs: the guest's from its entry until ring 3 is entered or the vCPU leaves. */
void vmx_msrs_load(struct virt_vcpu *v);
void vmx_msrs_store(void);
bool vmx_msrs_loaded(const struct virt_vcpu *v);
void vmx_tsc_aux(u64 value);

/* After an exit the GDT's limit is FFFFh: ring 3 must not see what lies behind it. */
void vmx_ring3(void);

/* The host's page tables, EPT pointer, VPID and the flushes that are due before an entry. */
void vmx_translations(struct virt_vcpu *v);
void vmx_flush(struct virt_vcpu *v);

/* ---- state.c ---- */
void vmx_state_get(struct virt_vcpu *v, struct vcpu_state *s, u32 groups);
void vmx_state_set(struct virt_vcpu *v, const struct vcpu_state *s, u32 groups);
void vmx_state_refresh(struct virt_vcpu *v, u32 groups);
u64 vmx_cr0_mask(void);                         /* bits of CR0 that the guest only thinks it sets */
u64 vmx_cr4_mask(const struct virt_vcpu *v);
u64 vmx_get_cr4(struct virt_vcpu *v);
u64 vmx_get_xcr0(struct virt_vcpu *v);
void vmx_set_cr2(struct virt_vcpu *v, u64 value);
void vmx_set_cr8(struct virt_vcpu *v, u8 value);
void vmx_set_tsc_offset(struct virt_vcpu *v, u64 offset);
void vmx_code(struct virt_vcpu *v, const struct vcpu_page *page, struct virt_code *c);

/* ---- debug.c ---- */
void vmx_dr_load(struct virt_vcpu *v);
void vmx_dr_save(struct virt_vcpu *v);
void vmx_debug_read(struct virt_vcpu *v);
void vmx_debug_write(struct virt_vcpu *v, const struct vcpu_state *s);
void vmx_dr6_trap(struct virt_vcpu *v, u64 bits);
void vmx_single_step(struct virt_vcpu *v, struct virt_event *e);

/* ---- msr.c ---- */
int vmx_msr_get(struct virt_vcpu *v, u32 msr, u64 *value);
int vmx_msr_set(struct virt_vcpu *v, u32 msr, u64 value);

/* ---- exit.c, cr.c, check.c ---- */
void vmx_decode_exit(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *exit);
void vmx_cr_exit(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *exit);

/* The first broken rule of SDM 3C §27.3.1 in the current VMCS, or "unknown". */
const char *vmx_check_guest(void);

static inline u32 vmx_blocking(struct virt_vcpu *v)
{
	if (!v->blocking_known) {
		v->blocking = (u32)vmcs_read(VMCS_GUEST_SHADOW);
		v->blocking_known = true;
	}
	return v->blocking;
}

static inline void vmx_set_blocking(struct virt_vcpu *v, u32 value)
{
	if (vmx_blocking(v) != value)
		vmcs_write(VMCS_GUEST_SHADOW, value);
	v->blocking = value;
}

#endif
