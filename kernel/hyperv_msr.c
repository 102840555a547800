/* Hyper-V's MSRs (TLFS appendix F), and those of them that are no other file's: who the guest is, its hypercall page,
 * reset and crash, the local APIC by MSR, the assist page. */
#include "kernel/hyperv.h"

#include "kernel/cpuid.h"
#include "kernel/guest.h"
#include "kernel/lapic_regs.h"
#include "kernel/lib/string.h"
#include "kernel/pv_eoi.h"

enum hyperv_msr {
	OS_ID, HYPERCALL, VP_INDEX, RESET, REFERENCE_COUNT = 0x20, REFERENCE_TSC, TSC_FREQUENCY, APIC_FREQUENCY,
	END_OF_INTERRUPT = 0x70, INTERRUPT_COMMAND, TASK_PRIORITY, VP_ASSIST, SYNIC_FIRST = 0x80, SYNIC_LAST = 0x9f,
	TIMER_FIRST = 0xb0, TIMER_LAST = 0xb7, CRASH_FIRST = 0x100, CRASH_LAST = 0x104, CRASH_CONTROL,
};

#define RESET_NOW 1
#define CRASH_NOTIFY BIT(63)
#define X2APIC_ICR (MSR_X2APIC_FIRST + REG_ICR)

int hyperv_page_write(struct vcpu *v, u64 value, const void *from, size_t len)
{
	gpa_t gpa = { value & PAGE_MASK };

	if (!(value & HYPERV_ENABLE))
		return 0;
	return guest_phys_write(v->guest, gpa, from, len) ? ERR_INVAL : 0;
}

int hyperv_page_clear(struct vcpu *v, u64 value)
{
	static const u8 zeroes[PAGE_SIZE];

	return hyperv_page_write(v, value, zeroes, sizeof(zeroes));
}

void hyperv_reset(struct vcpu *v)
{
	struct hyperv_vcpu *h = &v->hyperv;

	if (!guest_hyperv(v->guest))
		return;
	hyperv_timers_stop(v);
	memset(h, 0, sizeof(*h));
	for (u32 i = 0; i < HYPERV_SINTS; i++)
		h->sint[i] = HYPERV_SINT_MASKED;
	for (u32 i = 0; i < HYPERV_TIMERS; i++)
		h->timer[i].due = UINT64_MAX;
}

/* ---- the guest's identity and its hypercalls ---- */

/* Who is nobody makes no hypercalls, TLFS §3.13. */
static void set_os_id(struct hyperv_guest *h, u64 value)
{
	__atomic_store_n(&h->os_id, value, __ATOMIC_RELAXED);
	if (!value)
		__atomic_and_fetch(&h->hypercall, ~HYPERV_ENABLE, __ATOMIC_RELAXED);
}

/* The page's code: VMCALL or VMMCALL, RET. */
static int set_hypercall(struct vcpu *v, u64 value)
{
	struct hyperv_guest *h = guest_hyperv(v->guest);
	u8 code[] = { 0x0f, 0x01, cpuid_is_amd() ? 0xd9 : 0xc1, 0xc3 };

	if (!__atomic_load_n(&h->os_id, __ATOMIC_RELAXED))
		value &= ~HYPERV_ENABLE;
	if (hyperv_page_write(v, value, code, sizeof(code)))
		return ERR_INVAL;
	__atomic_store_n(&h->hypercall, value, __ATOMIC_RELAXED);
	return 0;
}

/* ---- its end ---- */

static int reset(struct vcpu *v, u64 value)
{
	if (value & RESET_NOW)
		guest_stop(v->guest, STOP_REBOOT, "it reset itself");
	return 0;
}

static int crash(struct vcpu *v, u64 value)
{
	const u64 *p = guest_hyperv(v->guest)->crash;

	if (value & CRASH_NOTIFY)
		guest_stop(v->guest, STOP_CRASH, "crash %lx %lx %lx %lx %lx", (unsigned long)p[0],
			   (unsigned long)p[1], (unsigned long)p[2], (unsigned long)p[3], (unsigned long)p[4]);
	return 0;
}

/* ---- the local APIC ---- */

static int apic_read(struct vcpu *v, u32 reg, u64 *value)
{
	*value = lapic_read(v, reg * 16);
	if (reg == REG_ICR)
		*value |= (u64)reg_get(v, REG_ICR_HIGH) << 32;
	return 0;
}

static int apic_write(struct vcpu *v, u32 reg, u64 value)
{
	if (reg == REG_ICR && v->lapic.base & LAPIC_BASE_X2)
		return lapic_msr_write(v, X2APIC_ICR, value);
	if (reg == REG_TPR && value > 0xff)
		return ERR_INVAL;
	if (reg == REG_ICR)
		lapic_write(v, REG_ICR_HIGH * 16, (u32)(value >> 32));
	lapic_write(v, reg * 16, (u32)value);
	return 0;
}

/* TLFS §10.3.5: its first word's bit 0 says that no EOI is needed, as KVM's does. */
static int set_assist(struct vcpu *v, u64 value)
{
	static const u32 needed;

	if (hyperv_page_write(v, value, &needed, sizeof(needed)))
		return ERR_INVAL;
	v->hyperv.assist = value;
	pv_eoi_place(v, (value & PAGE_MASK) | (value & HYPERV_ENABLE));
	return 0;
}

/* ---- the two instructions ---- */

int hyperv_msr_read(struct vcpu *v, u32 msr, u64 *value)
{
	struct hyperv_guest *h = guest_hyperv(v->guest);
	u32 n = msr - HYPERV_MSR;

	if (!h)
		return ERR_INVAL;
	switch (n) {
	case OS_ID: *value = h->os_id; return 0;
	case HYPERCALL: *value = h->hypercall; return 0;
	case VP_INDEX: *value = v->index; return 0;
	case RESET: *value = 0; return 0;
	case REFERENCE_COUNT: *value = hyperv_time(v); return 0;
	case REFERENCE_TSC: *value = h->reference_tsc; return 0;
	case TSC_FREQUENCY: *value = vcpu_tsc_hz(); return 0;
	case APIC_FREQUENCY: *value = LAPIC_BUS_HZ; return 0;
	case INTERRUPT_COMMAND: return apic_read(v, REG_ICR, value);
	case TASK_PRIORITY: return apic_read(v, REG_TPR, value);
	case VP_ASSIST: *value = v->hyperv.assist; return 0;
	case SYNIC_FIRST ... SYNIC_LAST: return hyperv_synic_read(v, n, value);
	case TIMER_FIRST ... TIMER_LAST: return hyperv_timer_read(v, n, value);
	case CRASH_FIRST ... CRASH_LAST: *value = h->crash[n - CRASH_FIRST]; return 0;
	case CRASH_CONTROL: *value = CRASH_NOTIFY; return 0;
	default: return ERR_INVAL;
	}
}

int hyperv_msr_write(struct vcpu *v, u32 msr, u64 value)
{
	struct hyperv_guest *h = guest_hyperv(v->guest);
	u32 n = msr - HYPERV_MSR;

	if (!h)
		return ERR_INVAL;
	switch (n) {
	case OS_ID: set_os_id(h, value); return 0;
	case HYPERCALL: return set_hypercall(v, value);
	case RESET: return reset(v, value);
	case REFERENCE_TSC: return hyperv_clock_set(v, value);
	case END_OF_INTERRUPT: return apic_write(v, REG_EOI, value);
	case INTERRUPT_COMMAND: return apic_write(v, REG_ICR, value);
	case TASK_PRIORITY: return apic_write(v, REG_TPR, value);
	case VP_ASSIST: return set_assist(v, value);
	case SYNIC_FIRST ... SYNIC_LAST: return hyperv_synic_write(v, n, value);
	case TIMER_FIRST ... TIMER_LAST: return hyperv_timer_write(v, n, value);
	case CRASH_FIRST ... CRASH_LAST:
		__atomic_store_n(&h->crash[n - CRASH_FIRST], value, __ATOMIC_RELAXED);
		return 0;
	case CRASH_CONTROL: return crash(v, value);
	default: return ERR_INVAL;
	}
}
