/* The virtual machine control structure: encodings of its fields (SDM 3D appendix B), and the instructions
 * that reach it.  All act on this CPU's current VMCS.  A field that does not exist or an operand that is
 * wrong is our own bug, so that there is nothing to check: they trap. */
#ifndef ARCH_X86_64_VMX_VMCS_H
#define ARCH_X86_64_VMX_VMCS_H

#include "kernel/lib/types.h"

enum vmcs_field {
	VMCS_VPID = 0x0000,
	VMCS_GUEST_INTERRUPT_STATUS = 0x0810,
	VMCS_GUEST_ES = 0x0800, /* selectors in enum segment's order: es cs ss ds fs gs ldtr tr, two apart */
	VMCS_HOST_ES = 0x0c00, VMCS_HOST_CS = 0x0c02, VMCS_HOST_SS = 0x0c04, VMCS_HOST_DS = 0x0c06,
	VMCS_HOST_FS = 0x0c08, VMCS_HOST_GS = 0x0c0a, VMCS_HOST_TR = 0x0c0c,

	VMCS_MSR_BITMAP = 0x2004, VMCS_TSC_OFFSET = 0x2010, VMCS_VIRTUAL_APIC = 0x2012, VMCS_APIC_ACCESS = 0x2014,
	VMCS_EPTP = 0x201a,
	VMCS_EOI_EXIT0 = 0x201c, /* of vectors 0 to 63; four, two apart */
	VMCS_GUEST_PHYSICAL = 0x2400,
	VMCS_LINK_POINTER = 0x2800, VMCS_GUEST_DEBUGCTL = 0x2802, VMCS_GUEST_PAT = 0x2804,
	VMCS_GUEST_EFER = 0x2806, VMCS_GUEST_PDPTE0 = 0x280a,
	VMCS_HOST_PAT = 0x2c00, VMCS_HOST_EFER = 0x2c02,

	VMCS_PIN_CONTROLS = 0x4000, VMCS_PRIMARY_CONTROLS = 0x4002, VMCS_EXCEPTION_BITMAP = 0x4004,
	VMCS_FAULT_MASK = 0x4006, VMCS_FAULT_MATCH = 0x4008, VMCS_CR3_TARGETS = 0x400a,
	VMCS_EXIT_CONTROLS = 0x400c, VMCS_EXIT_MSR_STORES = 0x400e, VMCS_EXIT_MSR_LOADS = 0x4010,
	VMCS_ENTRY_CONTROLS = 0x4012, VMCS_ENTRY_MSR_LOADS = 0x4014, VMCS_ENTRY_EVENT = 0x4016,
	VMCS_ENTRY_ERROR = 0x4018, VMCS_ENTRY_INSN_LEN = 0x401a, VMCS_TPR_THRESHOLD = 0x401c,
	VMCS_SECONDARY_CONTROLS = 0x401e, VMCS_PLE_GAP = 0x4020, VMCS_PLE_WINDOW = 0x4022,
	VMCS_INSTRUCTION_ERROR = 0x4400, VMCS_EXIT_REASON = 0x4402, VMCS_EXIT_EVENT = 0x4404,
	VMCS_EXIT_ERROR = 0x4406, VMCS_VECTORING_EVENT = 0x4408, VMCS_VECTORING_ERROR = 0x440a,
	VMCS_EXIT_INSN_LEN = 0x440c,
	VMCS_GUEST_ES_LIMIT = 0x4800, VMCS_GUEST_GDTR_LIMIT = 0x4810, VMCS_GUEST_IDTR_LIMIT = 0x4812,
	VMCS_GUEST_ES_ACCESS = 0x4814, VMCS_GUEST_SHADOW = 0x4824, VMCS_GUEST_ACTIVITY = 0x4826,
	VMCS_GUEST_SYSENTER_CS = 0x482a, VMCS_PREEMPTION_TIMER = 0x482e,
	VMCS_HOST_SYSENTER_CS = 0x4c00,

	VMCS_CR0_MASK = 0x6000, VMCS_CR4_MASK = 0x6002, VMCS_CR0_SHADOW = 0x6004, VMCS_CR4_SHADOW = 0x6006,
	VMCS_QUALIFICATION = 0x6400, VMCS_GUEST_LINEAR = 0x640a,
	VMCS_GUEST_CR0 = 0x6800, VMCS_GUEST_CR3 = 0x6802, VMCS_GUEST_CR4 = 0x6804, VMCS_GUEST_ES_BASE = 0x6806,
	VMCS_GUEST_FS_BASE = 0x680e, VMCS_GUEST_GS_BASE = 0x6810,
	VMCS_GUEST_GDTR_BASE = 0x6816, VMCS_GUEST_IDTR_BASE = 0x6818, VMCS_GUEST_DR7 = 0x681a,
	VMCS_GUEST_RSP = 0x681c, VMCS_GUEST_RIP = 0x681e, VMCS_GUEST_RFLAGS = 0x6820,
	VMCS_GUEST_PENDING_DEBUG = 0x6822, VMCS_GUEST_SYSENTER_ESP = 0x6824, VMCS_GUEST_SYSENTER_EIP = 0x6826,
	VMCS_HOST_CR0 = 0x6c00, VMCS_HOST_CR3 = 0x6c02, VMCS_HOST_CR4 = 0x6c04, VMCS_HOST_FS_BASE = 0x6c06,
	VMCS_HOST_GS_BASE = 0x6c08, VMCS_HOST_TR_BASE = 0x6c0a, VMCS_HOST_GDTR_BASE = 0x6c0c,
	VMCS_HOST_IDTR_BASE = 0x6c0e, VMCS_HOST_SYSENTER_ESP = 0x6c10, VMCS_HOST_SYSENTER_EIP = 0x6c12,
	VMCS_HOST_RSP = 0x6c14, VMCS_HOST_RIP = 0x6c16,
};

/* Guest interruptibility, SDM 3C §25.4.2 */
#define SHADOW_STI BIT(0)
#define SHADOW_MOV_SS BIT(1)
#define SHADOW_SMI BIT(2)
#define SHADOW_NMI BIT(3)

/* Access rights of a segment, SDM 3C §25.4.1: the descriptor's bytes with a hole, and one more bit */
#define ACCESS_UNUSABLE BIT(16)

/* Events in entry and exit fields, SDM 3C §25.8.3 and §25.9.2 */
#define EVENT_TYPE_SHIFT 8
#define EVENT_ERROR BIT(11)
#define EVENT_NMI_UNBLOCKED BIT(12)
#define EVENT_VALID BIT(31)

/* CF or ZF after a VMX instruction says that it failed (SDM 3C §31.2): UD2 makes that a panic with a backtrace. */
#define VMX_TRAP "; ja 1f; ud2; 1:"

static inline u64 vmcs_read(enum vmcs_field field)
{
	u64 value;

	__asm__ volatile("vmread %1, %0" VMX_TRAP : "=r"(value) : "r"((u64)field) : "cc");
	return value;
}

static inline void vmcs_write(enum vmcs_field field, u64 value)
{
	__asm__ volatile("vmwrite %0, %1" VMX_TRAP : : "r"(value), "r"((u64)field) : "cc");
}

void vmcs_load(u64 address);  /* VMPTRLD: current and active from now on */
void vmcs_clear(u64 address); /* VMCLEAR: all of it is in memory */
void vmcs_vmxon(u64 address);
void vmcs_vmxoff(void);

#define INVEPT_SINGLE 1 /* SDM 3C §31.3, INVEPT */
#define INVEPT_ALL 2
void vmcs_invept(u64 type, u64 eptp);

#endif
