/* What the processor's VMX can do, and the values of the control fields that follow: SDM 3D appendix A.
 * Constant after probe. */
#ifndef ARCH_X86_64_VMX_CONTROLS_H
#define ARCH_X86_64_VMX_CONTROLS_H

#include "arch/x86_64/virt_options.h"
#include "kernel/lib/types.h"

/* Pin-based controls, SDM 3C §25.6.1 */
#define PIN_INTERRUPT BIT(0)
#define PIN_NMI BIT(3)
#define PIN_VIRTUAL_NMI BIT(5)
#define PIN_PREEMPTION_TIMER BIT(6)

/* Primary processor-based controls, SDM 3C §25.6.2 */
#define PRIMARY_INTERRUPT_WINDOW BIT(2)
#define PRIMARY_TSC_OFFSET BIT(3)
#define PRIMARY_HLT BIT(7)
#define PRIMARY_MWAIT BIT(10)
#define PRIMARY_RDPMC BIT(11)
#define PRIMARY_CR3_LOAD BIT(15)
#define PRIMARY_CR3_STORE BIT(16)
#define PRIMARY_CR8_LOAD BIT(19)
#define PRIMARY_CR8_STORE BIT(20)
#define PRIMARY_TPR_SHADOW BIT(21)
#define PRIMARY_NMI_WINDOW BIT(22)
#define PRIMARY_MOV_DR BIT(23)
#define PRIMARY_IO BIT(24)
#define PRIMARY_MSR_BITMAP BIT(28)
#define PRIMARY_MONITOR BIT(29)
#define PRIMARY_SECONDARY BIT(31)

/* Secondary processor-based controls */
#define SECONDARY_APIC_ACCESSES BIT(0)
#define SECONDARY_EPT BIT(1)
#define SECONDARY_RDTSCP BIT(3)
#define SECONDARY_X2APIC BIT(4)
#define SECONDARY_VPID BIT(5)
#define SECONDARY_WBINVD BIT(6)
#define SECONDARY_UNRESTRICTED BIT(7)
#define SECONDARY_APIC_REGISTERS BIT(8)
#define SECONDARY_VIRTUAL_INTERRUPTS BIT(9)
#define SECONDARY_PAUSE_LOOP BIT(10)
#define SECONDARY_INVPCID BIT(12)

/* Without one of these the local APIC is not left to the processor at all. */
#define SECONDARY_APICV (SECONDARY_APIC_ACCESSES | SECONDARY_X2APIC | SECONDARY_APIC_REGISTERS | \
			 SECONDARY_VIRTUAL_INTERRUPTS)

/* VM-exit controls, SDM 3C §25.7.1; VM-entry controls, §25.8.1 */
#define EXIT_SAVE_DEBUG BIT(2)
#define EXIT_HOST_64 BIT(9)
#define EXIT_LOAD_PAT BIT(19)
#define EXIT_SAVE_EFER BIT(20)
#define EXIT_LOAD_EFER BIT(21)
#define ENTRY_LOAD_DEBUG BIT(2)
#define ENTRY_IA32E BIT(9)
#define ENTRY_LOAD_PAT BIT(14)
#define ENTRY_LOAD_EFER BIT(15)

enum vmx_control {
	CONTROL_PIN, CONTROL_PRIMARY, CONTROL_SECONDARY, CONTROL_EXIT, CONTROL_ENTRY, CONTROL_COUNT,
};

struct vmx_features {
	u32 controls[CONTROL_COUNT]; /* of a vCPU; vmx_secondary_base for the secondary ones */
	u32 revision;                /* first word of a VMCS */
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* bits that must be 1; that may be 1 */
	bool ept_ad, ept_2m, ept_1g, invept_single;
	bool stale_vectoring;        /* Bochs: see exit.c */
	u32 preemption_shift; /* the preemption timer counts TSC >> this */
};

extern struct vmx_features vmx_features;

/* Fills *f from the capability MSRs and what the operator said of them.  0, or ERR_UNSUPPORTED with the missing
 * control's name in *missing.  read: rdmsr, or a test's. */
int vmx_controls_choose(struct vmx_features *f, const struct virt_options *said, u64 (*read)(u32 msr),
			const char **missing) must_check;

/* Names of the optional controls that are used, each with a blank before it. */
void vmx_controls_describe(const struct vmx_features *f, char *to, size_t len);

static inline bool vmx_has(enum vmx_control group, u64 bit)
{
	return vmx_features.controls[group] & bit;
}

/* Of the two ways to a local APIC a vCPU has at most one at a time, by its APIC's mode. */
static inline u32 vmx_secondary_base(void)
{
	return vmx_features.controls[CONTROL_SECONDARY] & ~(u32)(SECONDARY_APIC_ACCESSES | SECONDARY_X2APIC);
}

#endif
