/* The local APIC's registers as the guest reads and writes them, by MMIO and by x2APIC MSR, and
 * IA32_APIC_BASE (APM 2 §16.3 and §16.9, SDM 3A §11.4 and §11.12).  Own thread only.
 *
 * Offsets and values are hostile.  In xAPIC mode a reserved register sets ESR and a reserved bit is dropped;
 * in x2APIC mode both are #GP. */
#include "kernel/lapic_regs.h"

#include "kernel/cpuid.h"
#include "kernel/pv_eoi.h"

#define X2APIC_MSR 0x800
#define ICR_BITS 0xccfffu    /* vector to trigger mode, shorthand; without the delivery status */
#define ICR_STATUS (1u << 12) /* read-only; Linux writes back what it read */

/* Writable bits of the LVT entries, SDM 3A figure 11-8. */
#define LVT_BITS 0x107ffu
#define LVT_TIMER_BITS 0x700ffu
#define LVT_ERROR_BITS 0x100ffu
#define LVT_LINT_BITS 0x1a7ffu

static u32 lvt_mask(u32 reg)
{
	switch (reg) {
	case REG_LVT_TIMER: return LVT_TIMER_BITS;
	case REG_LVT_ERROR: return LVT_ERROR_BITS;
	case REG_LVT_LINT0: case REG_LVT_LINT1: return LVT_LINT_BITS;
	default: return LVT_BITS;
	}
}

/* Registers that can be read: bit n for register n. */
#define READABLE_X2 (BIT(REG_ID) | BIT(REG_VERSION) | BIT(REG_TPR) | BIT(REG_PPR) | BIT(REG_LDR) | \
	BIT(REG_SVR) | 0xffffffull << REG_ISR | BIT(REG_ESR) | BIT(REG_ICR) | 0xffull << REG_LVT_TIMER | \
	BIT(REG_DIVIDE))
#define READABLE (READABLE_X2 | BIT(REG_APR) | BIT(REG_EOI) | BIT(REG_RRD) | BIT(REG_DFR) | BIT(REG_ICR_HIGH))

/* Registers that are as they were stored. */
#define STORED (BIT(REG_ID) | BIT(REG_VERSION) | BIT(REG_TPR) | BIT(REG_PPR) | BIT(REG_LDR) | BIT(REG_SVR) | \
	BIT(REG_ESR) | 0x7full << REG_LVT_TIMER)

static u32 reg_read(struct vcpu *v, u32 reg)
{
	switch (reg) {
	case REG_COUNT:
		return lapic_timer_count(v);
	case REG_APR: /* arbitration is by PPR here, see lapic_route.c */
		return reg_get(v, REG_PPR);
	default:
		if (reg >= REG_TMR && reg < REG_ESR)
			lapic_drain(v);
		return reg_get(v, reg);
	}
}

u32 lapic_read(struct vcpu *v, u32 offset)
{
	u32 reg = offset / 16;

	if (reg >= 64 || !(READABLE & BIT(reg))) {
		lapic_error(v, ESR_REGISTER);
		return 0;
	}
	return offset % 16 ? 0 : reg_read(v, reg);
}

static void write_svr(struct vcpu *v, u32 value)
{
	reg_set(v, REG_SVR, value & 0x3ff);
	if (!(value & SVR_ENABLE))
		for (u32 reg = REG_LVT_TIMER; reg <= REG_LVT_ERROR; reg++) {
			u32 lvt = reg_get(v, reg) | LVT_MASKED;

			if (reg == REG_LVT_TIMER)
				lapic_timer_set_lvt(v, lvt);
			else
				reg_set(v, reg, lvt);
		}
	lapic_publish(v);
}

/* While the APIC is disabled in SVR its entries stay masked, SDM 3A §11.4.7.2. */
static void write_lvt(struct vcpu *v, u32 reg, u32 value)
{
	value &= lvt_mask(reg);
	if (!(reg_get(v, REG_SVR) & SVR_ENABLE))
		value |= LVT_MASKED;
	if (reg == REG_LVT_TIMER)
		lapic_timer_set_lvt(v, value);
	else
		reg_set(v, reg, value);
}

static void eoi(struct vcpu *v)
{
	pv_eoi_withdraw(v);
	lapic_eoi(v);
}

/* The registers that both modes have; false if reg is not one of them. */
static bool reg_write(struct vcpu *v, u32 reg, u32 value)
{
	switch (reg) {
	case REG_TPR:
		lapic_set_tpr(v, value);
		return true;
	case REG_EOI:
		eoi(v);
		return true;
	case REG_SVR:
		write_svr(v, value);
		return true;
	case REG_ESR: /* latches what gathered since the last write */
		reg_set(v, REG_ESR, __atomic_exchange_n(&v->lapic.error, 0, __ATOMIC_RELAXED));
		return true;
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		write_lvt(v, reg, value);
		return true;
	case REG_COUNT_INITIAL:
		lapic_timer_set_count(v, value);
		return true;
	case REG_DIVIDE:
		lapic_timer_set_divide(v, value & 0xb);
		return true;
	}
	return false;
}

void lapic_write(struct vcpu *v, u32 offset, u32 value)
{
	u32 reg = offset / 16;

	if (offset % 16 || reg_write(v, reg, value))
		return;
	switch (reg) {
	case REG_LDR:
		reg_set(v, REG_LDR, value & 0xff000000);
		lapic_publish(v);
		break;
	case REG_DFR:
		reg_set(v, REG_DFR, value | 0x0fffffff);
		lapic_publish(v);
		break;
	case REG_ICR:
		reg_set(v, REG_ICR, value & ICR_BITS & ~ICR_STATUS);
		lapic_send(v, value & ICR_BITS, reg_get(v, REG_ICR_HIGH) >> 24, false);
		break;
	case REG_ICR_HIGH:
		reg_set(v, REG_ICR_HIGH, value & 0xff000000);
		break;
	default: /* read-only registers ignore it */
		if (reg >= 64 || !(READABLE & BIT(reg)))
			lapic_error(v, ESR_REGISTER);
	}
}

static void self_ipi(struct vcpu *v, u32 vector)
{
	if (vector < 16)
		lapic_error(v, ESR_SEND_VECTOR);
	else
		lapic_raise(v, (u8)vector);
}

void lapic_written(struct vcpu *v, u32 offset)
{
	u32 reg = offset / 16, value = reg_get(v, reg % ARRAY_SIZE(v->lapic.hw.page));

	if (reg == REG_ID)
		reg_set(v, REG_ID, v->index << 24);
	else if (reg == REG_SELF_IPI)
		self_ipi(v, (u8)value); /* x2APIC's only one; the processor did it, but for a vector that is none */
	else
		lapic_write(v, reg * 16, value); /* the page has the whole of a register that was written in part */
}

/* ---- x2APIC ---- */

#define LVT_READ_ONLY (1u << 12 | 1u << 14) /* delivery status, remote IRR: taken, and nothing done */

/* Bits that a register takes in x2APIC mode; 0 for those that cannot be written or only with 0. */
static const u64 x2_masks[64] = {
	[REG_TPR] = 0xff, [REG_SELF_IPI] = 0xff, [REG_SVR] = 0x3ff, [REG_ICR] = 0xffffffff00000000 | ICR_BITS | ICR_STATUS,
	[REG_LVT_TIMER] = LVT_TIMER_BITS | LVT_READ_ONLY,
	[REG_LVT_TIMER + 1 ... REG_LVT_LINT0 - 1] = LVT_BITS | LVT_READ_ONLY,
	[REG_LVT_LINT0] = LVT_LINT_BITS | LVT_READ_ONLY, [REG_LVT_LINT1] = LVT_LINT_BITS | LVT_READ_ONLY,
	[REG_LVT_ERROR] = LVT_ERROR_BITS | LVT_READ_ONLY, [REG_COUNT_INITIAL] = 0xffffffff, [REG_DIVIDE] = 0xb,
};

static __attribute__((noinline)) u64 x2_read(struct vcpu *v, u32 reg)
{
	return reg_read(v, reg) | (reg == REG_ICR ? (u64)reg_get(v, REG_ICR_HIGH) << 32 : 0);
}

int lapic_msr_read(struct vcpu *v, u32 msr, u64 *value)
{
	u32 reg = msr - X2APIC_MSR;

	if (!(v->lapic.base & LAPIC_BASE_X2) || reg >= 64 || !(READABLE_X2 & BIT(reg)))
		return ERR_INVAL;
	*value = STORED & BIT(reg) ? reg_get(v, reg) : x2_read(v, reg);
	return 0;
}

int lapic_msr_write(struct vcpu *v, u32 msr, u64 value)
{
	u32 reg = msr - X2APIC_MSR;

	if (!(v->lapic.base & LAPIC_BASE_X2) || reg >= 64 || value & ~x2_masks[reg])
		return ERR_INVAL;
	if (reg == REG_EOI) /* the two most frequent ones: the short way */
		return eoi(v), 0;
	if (reg == REG_TPR)
		return lapic_set_tpr(v, (u32)value), 0;
	if (reg == REG_ICR) {
		reg_set(v, REG_ICR, (u32)value & ~ICR_STATUS);
		reg_set(v, REG_ICR_HIGH, (u32)(value >> 32));
		lapic_send(v, (u32)value, (u32)(value >> 32), true);
		return 0;
	}
	if (reg == REG_SELF_IPI) {
		self_ipi(v, (u32)value);
		return 0;
	}
	return reg_write(v, reg, (u32)value) ? 0 : ERR_INVAL;
}

/* ---- IA32_APIC_BASE ---- */

/* SDM 3A figure 11-27: into x2APIC only from xAPIC, out of it only to disabled.  A disabled APIC comes back
 * as after reset. */
int lapic_base_write(struct vcpu *v, u64 value)
{
	struct lapic *l = &v->lapic;
	u64 mode = LAPIC_BASE_ENABLE | LAPIC_BASE_X2, from = l->base & mode, to = value & mode;
	u64 reserved = ~(BIT(cpuid_phys_bits()) - 1) | 0x2ff;

	if (value & reserved || to == LAPIC_BASE_X2)
		return ERR_INVAL;
	if (to == mode && from == 0)
		return ERR_INVAL;
	if (from == mode && to == LAPIC_BASE_ENABLE)
		return ERR_INVAL;

	l->base = value;
	if (from == to) {
		lapic_publish(v);
		return 0;
	}
	if (to == mode) {
		reg_set(v, REG_ID, v->index);
		reg_set(v, REG_LDR, (v->index >> 4) << 16 | 1u << (v->index & 15));
		reg_set(v, REG_ICR_HIGH, 0);
		lapic_publish(v);
	} else {
		lapic_reset(v, false);
	}
	return 0;
}

bool lapic_mmio(const struct vcpu *v, u64 *gpa)
{
	*gpa = v->lapic.base & PAGE_MASK;
	return (v->lapic.base & (LAPIC_BASE_ENABLE | LAPIC_BASE_X2)) == LAPIC_BASE_ENABLE;
}
