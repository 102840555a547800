/* A guest's local APIC: a 4 KiB page in the hardware's layout (APM 2 §16.3, SDM 3A §11.4), fed by an atomic
 * posted set that is drained before entry.  The processor may work on the page in the guest (struct virt_apic).
 * xAPIC and x2APIC modes; timer in all three modes, on a bus clock of LAPIC_BUS_HZ.  The APIC ID is
 * the vCPU's index and read-only, as SDM 3A §11.4.6 allows.
 *
 * Only the own vCPU's thread touches the page; others use lapic_post and read identity, PPR, IRR and the
 * error LVT (single words, relaxed).
 * lapic.c: interrupt state; lapic_regs.c: registers; lapic_timer.c: timer; lapic_route.c: IPIs, MSIs. */
#ifndef KERNEL_LAPIC_H
#define KERNEL_LAPIC_H

#include "arch/x86_64/virt.h"
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

struct vcpu;
struct guest;

#define LAPIC_ADDRESS 0xfee00000u /* of the page at power-on; a guest may move it */
#define LAPIC_BUS_HZ 1000000000ull /* the timer's count is in nanoseconds, times the divider */

struct lapic {
	struct virt_apic hw;   /* first, for its page's alignment */
	u64 base;              /* IA32_APIC_BASE */
	u32 identity;          /* a: enum lapic_identity; what senders need to know, in one word */
	u32 error;             /* a: ESR bits since the guest latched them last */
	u32 eoi_words;         /* bit n: eoi[n] is not 0 */
	u64 eoi_place;         /* pv_eoi.c: where the guest may end an interrupt, bit 0: it may */
	bool eoi_offered;      /* pv_eoi.c: the guest may have ended the interrupt in service without an exit */
	u32 posted[8];         /* a: vectors that arrived and are not in IRR yet */
	u32 posted_level[8];   /* a: 1 if that vector was last sent level-triggered (TMR's next value) */
	u32 eoi[8];            /* level-triggered vectors that ended and that lapic_take_eoi has not told */
	u64 timer_deadline;    /* host TSC of the next expiry, UINT64_MAX: none.  Host, so that a guest that
	                        * writes its TSC does not move one-shot and periodic timers */
	u64 timer_period;      /* of the initial count, in TSC ticks */
	u32 timer_lvt;         /* as the timer obeys them: in the page may be what the guest has just written */
	u32 timer_divide;
	u64 tsc_deadline;      /* IA32_TSC_DEADLINE as the guest reads it */
};

enum lapic_delivery {
	LAPIC_FIXED, LAPIC_LOWEST, LAPIC_SMI, LAPIC_READ, LAPIC_NMI, LAPIC_INIT, LAPIC_SIPI, LAPIC_EXTINT,
};

enum lapic_identity {
	LAPIC_LDR = 0xff,            /* xAPIC mode's logical ID */
	LAPIC_CLUSTER = 1 << 8,      /* DFR: cluster model */
	LAPIC_ENABLED = 1 << 9,      /* in IA32_APIC_BASE */
	LAPIC_X2 = 1 << 10,
	LAPIC_SOFTWARE = 1 << 11,    /* enabled in SVR */
};

/* Bits of IA32_APIC_BASE, APM 2 §16.3.1. */
#define LAPIC_BASE_BSP (1u << 8)
#define LAPIC_BASE_X2 (1u << 10)
#define LAPIC_BASE_ENABLE (1u << 11)

/* Power-on or INIT state; the base register (enabled, xAPIC, BSP flag for vCPU 0) only at power-on.  Nobody
 * runs the guest's firmware, so at power-on LINT0 of vCPU 0 already lets the PIC through (virtual wire). */
void lapic_reset(struct vcpu *v, bool power_on);

/* A register access by its offset (MMIO, size checked by the caller: aligned 32 bit) or by x2APIC MSR.
 * Any offset is survived.  The MSR forms return 0 or ERR_INVAL (#GP). */
u32 lapic_read(struct vcpu *v, u32 offset);
void lapic_write(struct vcpu *v, u32 offset, u32 value);
void lapic_written(struct vcpu *v, u32 offset); /* the processor stored the guest's value in the page already */
static inline bool lapic_has_msr(u32 msr) { return msr - 0x800 < 0x100; }
int lapic_msr_read(struct vcpu *v, u32 msr, u64 *value) must_check;
int lapic_msr_write(struct vcpu *v, u32 msr, u64 value) must_check;
int lapic_base_write(struct vcpu *v, u64 value) must_check; /* IA32_APIC_BASE, transitions checked */
void lapic_deadline_write(struct vcpu *v, u64 value);       /* IA32_TSC_DEADLINE */

/* True if MMIO at the local APIC's page reaches it (xAPIC mode, enabled); gpa of that page. */
bool lapic_mmio(const struct vcpu *v, u64 *gpa);

/* CR8's view of TPR: the priority class, 0 to 15. */
static inline u8 lapic_class(const struct lapic *l) { return (u8)(l->hw.page[8][0] >> 4 & 15); }

u32 lapic_tpr(const struct vcpu *v);            /* 0-255; CR8 = TPR >> 4 */
void lapic_set_tpr(struct vcpu *v, u32 tpr);

/* Vector fixed interrupt for v, from any CPU: true if delivered, false if coalesced with a pending one (or
 * an illegal vector). */
bool lapic_post(struct vcpu *v, u8 vector, bool level);

/* An MSI message to the guest's local APICs: 1 delivered, 0 coalesced or nobody there.  The message's level
 * bit is ignored: a message is an assertion. */
int lapic_msi(struct guest *g, u64 address, u32 data);

/* Own thread, before entry.  lapic_pending drains the posted set and gives the highest vector that beats
 * PPR, or -1.  lapic_to_inject: the same, but -1 where the processor delivers it.  lapic_accept moves it from IRR
 * to ISR.  lapic_wants_extint: LINT0 (or APIC off) lets the PIC in. */
int lapic_pending(struct vcpu *v);
int lapic_to_inject(struct vcpu *v);
void lapic_accept(struct vcpu *v, u8 vector);
/* When nothing is to be injected: the priority class of the highest vector that only TPR keeps away, or 0. */
u32 lapic_masked_class(const struct vcpu *v);
bool lapic_wants_extint(const struct vcpu *v);

/* A level-triggered vector whose EOI the machine process must hear (it was level-triggered), or -1; taken
 * once.  EOI itself is done at the register write, or by the processor: lapic_ended. */
int lapic_take_eoi(struct vcpu *v);
void lapic_ended(struct vcpu *v, u8 vector);

/* REQUEST_TIMER arrived: posts the timer's interrupt if its deadline passed, and arms the next. */
void lapic_timer(struct vcpu *v);

/* The vCPU's timer is armed again (after its TSC was changed). */
void lapic_timer_rearm(struct vcpu *v);

#endif
