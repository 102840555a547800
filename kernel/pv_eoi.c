/* Paravirtual EOI.  Invariant: lapic.eoi_offered while the guest's bit may be 1.  At every exit it is looked whether
 * the guest cleared it, so that between an exit and the next entry the local APIC's registers tell the truth.  No
 * lock: only the vCPU's own thread comes here. */
#include "kernel/pv_eoi.h"

#include "kernel/lapic_regs.h"

#define ENABLE 1
#define RESERVED 2 /* the bit is in a 32-bit word that is aligned */
#define OFFERED 1

static gpa_t place(const struct vcpu *v)
{
	return (gpa_t){ v->lapic.eoi_place & ~3ull };
}

/* Where memory is short the old bit stays. */
static bool write(struct vcpu *v, u8 bit)
{
	return !guest_phys_write(v->guest, place(v), &bit, sizeof(bit));
}

/* Exactly one in service, which no device waits for, and nothing behind it. */
static bool may_offer(const struct vcpu *v)
{
	const struct lapic *l = &v->lapic;
	u32 words = l->hw.isr_words, n, vectors;

	if (!words || words & (words - 1) || l->hw.irr_words || l->hw.posted_any)
		return false;
	n = (u32)__builtin_ctz(words);
	vectors = reg_get(v, REG_ISR + n);
	return !(vectors & (vectors - 1)) && !(reg_get(v, REG_TMR + n) & vectors);
}

void pv_eoi_offer(struct vcpu *v)
{
	if (v->lapic.eoi_place & ENABLE && may_offer(v))
		v->lapic.eoi_offered = write(v, OFFERED);
}

void pv_eoi_settle(struct vcpu *v)
{
	u8 bit;

	if (guest_phys_read(v->guest, place(v), &bit, sizeof(bit)) || bit & OFFERED)
		return;
	v->lapic.eoi_offered = false;
	v->pv_eois++;
	lapic_eoi(v);
}

void pv_eoi_take_back(struct vcpu *v)
{
	if (write(v, 0))
		v->lapic.eoi_offered = false;
}

void pv_eoi_place(struct vcpu *v, u64 place)
{
	pv_eoi_withdraw(v);
	v->lapic.eoi_offered = false; /* what is at another place is not looked at any more */
	v->lapic.eoi_place = place;
}

int pv_eoi_set(struct vcpu *v, u64 value)
{
	if (value & RESERVED)
		return ERR_INVAL;
	pv_eoi_place(v, value);
	v->msrs.kvm_eoi = value;
	return 0;
}
