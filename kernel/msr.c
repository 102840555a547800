/* RDMSR and WRMSR of a guest.  A register that is not named here does not exist: #GP(0).
 *
 * Held elsewhere: by the back end (what the hardware switches), by the local APIC, by kvmclock, by hyperv*.c.  The
 * constants are what operating systems read or write without looking at CPUID first, because every processor
 * of that vendor has them; a #GP there would be a warning in the guest's log. */
#include "arch/x86_64/registers.h"
#include "kernel/cpuid.h"
#include "kernel/kvmclock.h"
#include "kernel/pv_eoi.h"
#include "kernel/steal.h"
#include "kernel/vcpu.h"

#define MSR_PLATFORM_ID 0x17u
#define MSR_UCODE_WRITE 0x79u
#define MSR_UCODE_REVISION 0x8bu
#define MSR_MCG_CAP 0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_PERF_STATUS 0x198u
#define MSR_PERF_CTL 0x199u
#define MSR_MISC_ENABLE 0x1a0u
#define MSR_LBR_FIRST 0x1dbu /* from, to, exception from, exception to */
#define MSR_MTRR_BASE0 0x200u
#define MSR_MTRR_FIX64K 0x250u
#define MSR_MTRR_FIX16K 0x258u
#define MSR_MTRR_FIX4K 0x268u
#define MSR_KVM_WALL_OLD 0x11u
#define MSR_KVM_SYSTEM_OLD 0x12u
#define MSR_KVM_WALL 0x4b564d00u
#define MSR_KVM_SYSTEM 0x4b564d01u
#define MSR_KVM_STEAL 0x4b564d03u
#define MSR_KVM_EOI 0x4b564d04u

#define MTRR_CAP 0x508     /* eight variable ranges, fixed ranges, write combining */
#define MTRR_ENABLE (1u << 11)
#define MTRR_FIXED_ENABLE (1u << 10)
#define MTRR_MASK_VALID (1u << 11)
#define MTRR_VARIABLE 8
#define TYPE_WB 6
#define PAT_RESET 0x0007040600070406ull /* APM 2 §7.8.1 */

#define MISC_FAST_STRINGS 1
#define MISC_NO_BTS_NO_PEBS (3u << 11)

/* ---- constants ---- */

enum who { ANY, AMD, INTEL };
enum written { FAULTS, IGNORED, ZERO_ONLY };

static const struct constant {
	u32 msr, count;
	u8 who, written;
	u64 value;
} constants[] = {
	{ MSR_PLATFORM_ID, 1, INTEL, FAULTS, 0 },
	{ MSR_UCODE_WRITE, 1, INTEL, IGNORED, 0 },
	{ MSR_UCODE_REVISION, 1, INTEL, IGNORED, 0x100000000 },
	{ MSR_UCODE_REVISION, 1, AMD, IGNORED, 0x01000065 },
	{ MSR_MTRR_CAP, 1, ANY, FAULTS, MTRR_CAP },
	{ MSR_MCG_CAP, 1, ANY, FAULTS, 0 }, /* no banks */
	{ MSR_MCG_STATUS, 1, ANY, ZERO_ONLY, 0 },
	{ MSR_PERF_STATUS, 1, INTEL, FAULTS, 0 },
	{ MSR_PERF_CTL, 1, INTEL, IGNORED, 0 },
	{ MSR_DEBUGCTL, 1, ANY, IGNORED, 0 },
	{ MSR_LBR_FIRST, 4, ANY, FAULTS, 0 },
	/* AMD's BIOS and Kernel Developer's Guides and Processor Programming References: */
	{ 0xc0010010, 1, AMD, IGNORED, 0 },         /* SYSCFG */
	{ 0xc0010015, 1, AMD, IGNORED, BIT(24) },   /* HWCR: the TSC counts at the P0 rate */
	{ 0xc001001f, 1, AMD, IGNORED, 0 },         /* NB_CFG */
	{ 0xc0010020, 1, AMD, IGNORED, 0 },         /* microcode loader */
	{ 0xc0010055, 1, AMD, IGNORED, 0 },         /* interrupt pending message */
	{ 0xc0010058, 1, AMD, IGNORED, 0 },         /* MMIO configuration base: none */
	{ 0xc0010112, 2, AMD, IGNORED, 0 },         /* TSEG address and mask */
	{ 0xc0011020, 4, AMD, IGNORED, 0 },         /* LS_CFG, IC_CFG, DC_CFG, BU_CFG */
	{ 0xc0011029, 1, AMD, IGNORED, BIT(1) },    /* DE_CFG: LFENCE is serialising */
	{ 0xc001102a, 1, AMD, IGNORED, 0 },         /* BU_CFG2 */
	{ 0xc001102c, 1, AMD, IGNORED, 0 },         /* EX_CFG */
};

static const struct constant *constant_find(u32 msr)
{
	for (u32 i = 0; i < ARRAY_SIZE(constants); i++) {
		const struct constant *c = &constants[i];

		if (msr - c->msr < c->count && (c->who == ANY || (c->who == AMD) == cpuid_is_amd()))
			return c;
	}
	return NULL;
}

static int constant_write(u32 msr, u64 value)
{
	const struct constant *c = constant_find(msr);

	if (!c || c->written == FAULTS || (c->written == ZERO_ONLY && value))
		return ERR_INVAL;
	return 0;
}

/* ---- MTRRs: stored and checked; stage 2 decides what memory is (APM 2 §7.7) ---- */

static u64 *mtrr_slot(struct vcpu *v, u32 msr)
{
	u32 variable = msr - MSR_MTRR_BASE0;

	if (variable < 2 * MTRR_VARIABLE)
		return variable & 1 ? &v->msrs.mtrr_mask[variable / 2] : &v->msrs.mtrr_base[variable / 2];
	if (msr == MSR_MTRR_FIX64K)
		return &v->msrs.mtrr_fixed[0];
	if (msr - MSR_MTRR_FIX16K < 2)
		return &v->msrs.mtrr_fixed[1 + msr - MSR_MTRR_FIX16K];
	if (msr - MSR_MTRR_FIX4K < 8)
		return &v->msrs.mtrr_fixed[3 + msr - MSR_MTRR_FIX4K];
	if (msr == MSR_MTRR_DEF_TYPE)
		return &v->msrs.mtrr_def_type;
	return NULL;
}

/* UC, WC, WT, WP, WB; with uncached_minus, PAT's type 7 too. */
static bool type_ok(u8 type, bool uncached_minus)
{
	return type < 8 && (uncached_minus ? 0xf3 : 0x73) >> type & 1;
}

static bool types_ok(u64 value, bool uncached_minus)
{
	for (u32 i = 0; i < 8; i++)
		if (!type_ok((u8)(value >> i * 8), uncached_minus))
			return false;
	return true;
}

static int mtrr_write(struct vcpu *v, u32 msr, u64 value)
{
	u64 beyond = ~(BIT(cpuid_phys_bits()) - 1);
	bool ok;

	if (msr == MSR_MTRR_DEF_TYPE)
		ok = !(value & ~(0xffull | MTRR_ENABLE | MTRR_FIXED_ENABLE)) && type_ok((u8)value, false);
	else if (msr - MSR_MTRR_BASE0 >= 2 * MTRR_VARIABLE)
		ok = types_ok(value, false);
	else if (msr & 1)
		ok = !(value & (beyond | 0x7ff));
	else
		ok = !(value & (beyond | 0xf00)) && type_ok((u8)value, false);
	if (!ok)
		return ERR_INVAL;
	*mtrr_slot(v, msr) = value;
	return 0;
}

/* What firmware would leave behind: everything write-back but the legacy video window.  Linux uses PAT only
 * when MTRRs are enabled. */
void msr_reset(struct vcpu *v)
{
	v->msrs = (struct vcpu_msrs){ 0 };
	v->msrs.mtrr_def_type = MTRR_ENABLE | MTRR_FIXED_ENABLE | TYPE_WB;
	for (u32 i = 0; i < ARRAY_SIZE(v->msrs.mtrr_fixed); i++)
		v->msrs.mtrr_fixed[i] = 0x0101010101010101 * TYPE_WB;
	v->msrs.mtrr_fixed[2] = 0; /* a0000h to bffffh */
	v->msrs.misc_enable = MISC_FAST_STRINGS | MISC_NO_BTS_NO_PEBS;
	virt->msr_set(v->hw, MSR_PAT, PAT_RESET);
}

/* ---- time ---- */

static void move_tsc(struct vcpu *v, u64 delta)
{
	vcpu_move_tsc(v, delta);
	lapic_timer_rearm(v);
	kvmclock_update(v);
	hyperv_clock_update(v);
}

/* TSC_ADJUST follows the TSC and moves it, SDM 3B §17.17.3. */
static void tsc_write(struct vcpu *v, u64 value)
{
	u64 delta = value - vcpu_tsc(v);

	v->msrs.tsc_adjust += delta;
	move_tsc(v, delta);
}

static void tsc_adjust_write(struct vcpu *v, u64 value)
{
	u64 delta = value - v->msrs.tsc_adjust;

	v->msrs.tsc_adjust = value;
	if (delta)
		move_tsc(v, delta); /* exactly: processors with equal values stay together */
}

/* ---- what the back end holds ---- */

static int efer_read(struct vcpu *v, u64 *value)
{
	struct vcpu_state s;

	virt->get(v->hw, &s, VIRT_CONTROL);
	*value = s.efer;
	return 0;
}

/* LMA is the processor's; LME does not change while paging is on (APM 2 §3.1.7). */
static int efer_write(struct vcpu *v, u64 value)
{
	struct vcpu_state s;

	virt->get(v->hw, &s, VIRT_CONTROL);
	if (value & ~cpuid_guest_efer(v))
		return ERR_INVAL;
	if ((value ^ s.efer) & EFER_LME && s.cr0 & CR0_PG)
		return ERR_INVAL;
	s.efer = (value & ~EFER_LMA) | (s.efer & EFER_LMA);
	virt->set(v->hw, &s, VIRT_CONTROL);
	return 0;
}

static bool is_canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;
}

static int hardware_write(struct vcpu *v, u32 msr, u64 value, bool ok)
{
	return ok && !virt->msr_set(v->hw, msr, value) ? 0 : ERR_INVAL;
}

/* RDTSCP's register: a back end that does not hold it leaves it to us. */
static int tsc_aux_write(struct vcpu *v, u64 value)
{
	if (!cpuid_has_tsc_aux() || value >> 32)
		return ERR_INVAL;
	v->msrs.tsc_aux = value;
	virt->msr_set(v->hw, MSR_TSC_AUX, value);
	return 0;
}

/* ---- the two instructions ---- */

static int stored_read(struct vcpu *v, u32 msr, u64 *value)
{
	const u64 *mtrr = mtrr_slot(v, msr);
	const struct constant *c = mtrr ? NULL : constant_find(msr);

	if (msr - HYPERV_MSR < HYPERV_MSRS)
		return hyperv_msr_read(v, msr, value);
	if (!mtrr && !c)
		return ERR_INVAL;
	*value = mtrr ? *mtrr : c->value;
	return 0;
}

int msr_other_read(struct vcpu *v, u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_TSC_DEADLINE: *value = v->lapic.tsc_deadline; return 0;
	case MSR_TSC: *value = vcpu_tsc(v); return 0;
	case MSR_TSC_ADJUST: *value = v->msrs.tsc_adjust; return 0;
	case MSR_APIC_BASE: *value = v->lapic.base; return 0;
	case MSR_MISC_ENABLE: *value = v->msrs.misc_enable; return 0;
	case MSR_KVM_WALL_OLD: case MSR_KVM_WALL: *value = v->msrs.kvm_wall_clock; return 0;
	case MSR_KVM_SYSTEM_OLD: case MSR_KVM_SYSTEM: *value = v->msrs.kvm_system_time; return 0;
	case MSR_KVM_STEAL: *value = v->msrs.kvm_steal; return 0;
	case MSR_KVM_EOI: *value = v->msrs.kvm_eoi; return 0;
	case MSR_EFER: return efer_read(v, value);
	case MSR_TSC_AUX:
		*value = v->msrs.tsc_aux;
		return cpuid_has_tsc_aux() ? 0 : ERR_INVAL;
	case MSR_SYSENTER_CS: case MSR_SYSENTER_ESP: case MSR_SYSENTER_EIP: case MSR_PAT:
	case MSR_STAR: case MSR_LSTAR: case MSR_CSTAR: case MSR_SFMASK:
	case MSR_FS_BASE: case MSR_GS_BASE: case MSR_KERNEL_GS_BASE:
		return virt->msr_get(v->hw, msr, value) ? ERR_INVAL : 0;
	default:
		return stored_read(v, msr, value);
	}
}

int msr_other_write(struct vcpu *v, u32 msr, u64 value)
{
	switch (msr) {
	case MSR_TSC_DEADLINE: lapic_deadline_write(v, value); return 0;
	case MSR_TSC: tsc_write(v, value); return 0;
	case MSR_TSC_ADJUST: tsc_adjust_write(v, value); return 0;
	case MSR_APIC_BASE: return lapic_base_write(v, value);
	case MSR_MISC_ENABLE: /* of what can be set there nothing else is virtualised */
		v->msrs.misc_enable = (value & MISC_FAST_STRINGS) | MISC_NO_BTS_NO_PEBS;
		return 0;
	case MSR_KVM_WALL_OLD: case MSR_KVM_WALL: return kvmclock_set_wall(v, value);
	case MSR_KVM_SYSTEM_OLD: case MSR_KVM_SYSTEM: return kvmclock_set_system(v, value);
	case MSR_KVM_STEAL: return steal_set(v, value);
	case MSR_KVM_EOI: return pv_eoi_set(v, value);
	case MSR_EFER: return efer_write(v, value);
	case MSR_TSC_AUX: return tsc_aux_write(v, value);
	case MSR_PAT: return hardware_write(v, msr, value, types_ok(value, true));
	case MSR_SYSENTER_CS: case MSR_STAR: case MSR_SFMASK: return hardware_write(v, msr, value, true);
	case MSR_SYSENTER_ESP: case MSR_SYSENTER_EIP: case MSR_LSTAR: case MSR_CSTAR:
	case MSR_FS_BASE: case MSR_GS_BASE: case MSR_KERNEL_GS_BASE:
		return hardware_write(v, msr, value, is_canonical(value));
	default:
		if (msr - HYPERV_MSR < HYPERV_MSRS)
			return hyperv_msr_write(v, msr, value);
		return mtrr_slot(v, msr) ? mtrr_write(v, msr, value) : constant_write(msr, value);
	}
}
