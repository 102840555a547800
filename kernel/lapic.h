/* A guest's local APIC: a 4 KiB page in the hardware's layout (APM 2 §16.3, SDM 3A §11.4), fed by an atomic
 * posted set that is drained before entry.  xAPIC and x2APIC modes; timer in all three modes.
 *
 * Only the own vCPU's thread touches the page; others use lapic_post and read id, ldr, dfr and mode. */
#ifndef KERNEL_LAPIC_H
#define KERNEL_LAPIC_H

#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

struct vcpu;
struct guest;

struct lapic {
	u32 page[256][4];      /* register n (offset n * 16) in [n][0] */
	u64 base;              /* IA32_APIC_BASE */
	u32 posted[8];         /* a: vectors that arrived and are not in IRR yet */
	u32 posted_level[8];   /* a: of them (and of those in IRR, ISR via TMR) which are level-triggered */
	u32 posted_any;        /* a: 1 when posted may hold something */
	u64 timer_start;       /* guest TSC when the count was written */
	u64 timer_deadline;    /* guest TSC of the next expiry, UINT64_MAX: none */
	u64 tsc_deadline;      /* IA32_TSC_DEADLINE as the guest reads it */
};

enum lapic_delivery { LAPIC_FIXED, LAPIC_LOWEST, LAPIC_SMI, LAPIC_READ, LAPIC_NMI, LAPIC_INIT, LAPIC_SIPI, LAPIC_EXTINT };

/* Power-on or INIT state; the base register (enabled, xAPIC, BSP flag for vCPU 0) only at power-on. */
void lapic_reset(struct vcpu *v, bool power_on);

/* A register access by its offset (MMIO, size checked by the caller: aligned 32 bit) or by x2APIC MSR.
 * The MSR forms return 0 or ERR_INVAL (#GP). */
u32 lapic_read(struct vcpu *v, u32 offset);
void lapic_write(struct vcpu *v, u32 offset, u32 value);
int lapic_msr_read(struct vcpu *v, u32 msr, u64 *value) must_check;
int lapic_msr_write(struct vcpu *v, u32 msr, u64 value) must_check;
int lapic_base_write(struct vcpu *v, u64 value) must_check; /* IA32_APIC_BASE, transitions checked */
void lapic_deadline_write(struct vcpu *v, u64 value);       /* IA32_TSC_DEADLINE */

/* True if MMIO at the local APIC's page reaches it (xAPIC mode, enabled); gpa of that page. */
bool lapic_mmio(const struct vcpu *v, u64 *gpa);

u32 lapic_tpr(const struct vcpu *v);            /* 0-255; CR8 = TPR >> 4 */
void lapic_set_tpr(struct vcpu *v, u32 tpr);

/* Vector fixed interrupt for v, from any CPU: true if delivered, false if coalesced with a pending one. */
bool lapic_post(struct vcpu *v, u8 vector, bool level);

/* An MSI message to the guest's local APICs: 1 delivered, 0 coalesced or nobody there. */
int lapic_msi(struct guest *g, u64 address, u32 data);

/* Own thread, before entry.  lapic_pending drains the posted set and gives the highest vector that beats
 * PPR, or -1.  lapic_accept moves it from IRR to ISR.  lapic_wants_extint: LINT0 (or APIC off) lets the PIC in. */
int lapic_pending(struct vcpu *v);
void lapic_accept(struct vcpu *v, u8 vector);
bool lapic_wants_extint(const struct vcpu *v);

/* A level-triggered vector whose EOI the machine process must hear (it was level-triggered), or -1; taken
 * once.  EOI itself is done at the register write. */
int lapic_take_eoi(struct vcpu *v);

/* REQUEST_TIMER arrived: posts the timer's interrupt if its deadline passed, and arms the next. */
void lapic_timer(struct vcpu *v);

/* The vCPU's timer is armed again (after its TSC was changed). */
void lapic_timer_rearm(struct vcpu *v);

#endif
