/* Between the files of the local APIC: register numbers and access.  Register numbers are the offset / 16,
 * which is also the x2APIC MSR - 0x800 (APM 2 table 16-2 and §16.11, SDM 3A table 11-1 and 11-6). */
#ifndef KERNEL_LAPIC_REGS_H
#define KERNEL_LAPIC_REGS_H

#include "kernel/vcpu.h"

enum lapic_reg {
	REG_ID = 0x02, REG_VERSION, REG_TPR = 0x08, REG_APR, REG_PPR, REG_EOI, REG_RRD, REG_LDR, REG_DFR, REG_SVR,
	REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20, REG_ESR = 0x28, REG_ICR = 0x30, REG_ICR_HIGH,
	REG_LVT_TIMER, REG_LVT_THERMAL, REG_LVT_PERF, REG_LVT_LINT0, REG_LVT_LINT1, REG_LVT_ERROR,
	REG_COUNT_INITIAL, REG_COUNT, REG_DIVIDE = 0x3e, REG_SELF_IPI,
};

#define LVT_MASKED (1u << 16)
#define LVT_MODE(lvt) (((lvt) >> 8) & 7) /* enum lapic_delivery */
#define LVT_TIMER_MODE(lvt) (((lvt) >> 17) & 3)
enum lapic_timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE };

#define SVR_ENABLE (1u << 8)

/* Error status register, SDM 3A §11.5.3. */
#define ESR_SEND_VECTOR (1u << 5)
#define ESR_RECEIVE_VECTOR (1u << 6)
#define ESR_REGISTER (1u << 7)

/* Plain moves; atomic so that a sender on another CPU may look at the few registers that it needs. */
static inline u32 reg_get(const struct vcpu *v, u32 reg)
{
	return __atomic_load_n(&v->lapic.hw.page[reg][0], __ATOMIC_RELAXED);
}

static inline void reg_set(struct vcpu *v, u32 reg, u32 value)
{
	__atomic_store_n(&v->lapic.hw.page[reg][0], value, __ATOMIC_RELAXED);
}

static inline u64 lapic_host_tsc(const struct vcpu *v)
{
	return vcpu_tsc(v) - v->tsc_offset;
}

/* lapic.c.  All but lapic_error on the own thread. */
void lapic_publish(struct vcpu *v);               /* identity and mode follow base, LDR, DFR, SVR */
void lapic_drain(struct vcpu *v);                 /* posted to IRR */
void lapic_raise(struct vcpu *v, u8 vector);      /* an edge-triggered interrupt of its own, to IRR */
void lapic_eoi(struct vcpu *v);
void lapic_error(struct vcpu *v, u32 bits);       /* any thread: ESR bits and the error interrupt */

/* lapic_timer.c */
void lapic_timer_stop(struct vcpu *v);
void lapic_timer_set_count(struct vcpu *v, u32 count);
u32 lapic_timer_count(struct vcpu *v);
void lapic_timer_set_lvt(struct vcpu *v, u32 lvt); /* already masked to its writable bits */
void lapic_timer_set_divide(struct vcpu *v, u32 divide);

/* lapic_route.c: ICR was written with icr; wide: dest has 32 bits (x2APIC). */
void lapic_send(struct vcpu *v, u32 icr, u32 dest, bool wide);

#endif
