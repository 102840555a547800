/* The local APIC's interrupt state: posted set, IRR, ISR, TMR and priorities (APM 2 §16.6).
 *
 * No lock.  A sender sets posted[n], then bit n of posted_any, and kicks only if posted_any was 0: whoever
 * found it 0 kicks for all who come before the drain.  The owner clears posted_any before it reads posted,
 * and sets IRR before it clears posted: a pending vector is seen in one of the two at every moment, so a
 * sender is never told "delivered" for an interrupt that was merged into an earlier one. */
#include "kernel/lapic_regs.h"
#include "kernel/lib/string.h"

static u32 top_bit(u32 word)
{
	return (u32)__builtin_clz(word) ^ 31; /* a single BSR */
}

/* The highest vector of the 256 bits at reg, whose words are summed up in words (not 0). */
static u32 highest(const struct vcpu *v, u32 reg, u32 words)
{
	u32 n = top_bit(words);

	return n * 32 + top_bit(reg_get(v, reg + n));
}

static void set_bits(struct vcpu *v, u32 reg, u32 n, u32 bits, u32 *words)
{
	reg_set(v, reg + n, reg_get(v, reg + n) | bits);
	*words |= 1u << n;
}

static void clear_vector(struct vcpu *v, u32 reg, u32 vector, u32 *words)
{
	u32 n = vector / 32;
	u32 left = reg_get(v, reg + n) & ~(1u << vector % 32);

	reg_set(v, reg + n, left);
	if (!left)
		*words &= ~(1u << n);
}

static void set_tmr(struct vcpu *v, u32 n, u32 value)
{
	if (reg_get(v, REG_TMR + n) == value)
		return;
	reg_set(v, REG_TMR + n, value);
	v->lapic.hw.changed = true;
}

static void update_ppr(struct vcpu *v)
{
	u32 tpr = reg_get(v, REG_TPR), ppr = tpr;

	if (v->lapic.hw.isr_words) {
		u32 service = highest(v, REG_ISR, v->lapic.hw.isr_words) & 0xf0;

		if (service > (tpr & 0xf0))
			ppr = service;
	}
	reg_set(v, REG_PPR, ppr);
}

static u8 mode_of(u64 base)
{
	if (!(base & LAPIC_BASE_ENABLE))
		return VIRT_APIC_OFF;
	if (base & LAPIC_BASE_X2)
		return VIRT_APIC_MSRS;
	return (base & PAGE_MASK) == LAPIC_ADDRESS ? VIRT_APIC_MMIO : VIRT_APIC_OFF;
}

/* The page in stage 2 is all vCPUs': it is gone before one enters that does not have its APIC there. */
static void set_mode(struct vcpu *v, u8 mode)
{
	struct virt_apic *a = &v->lapic.hw;

	if (a->mode == mode)
		return;
	a->mode = mode;
	a->changed = true;
	if (a->live && mode != VIRT_APIC_MMIO)
		guest_lapic_left(v->guest);
}

void lapic_publish(struct vcpu *v)
{
	u32 identity = reg_get(v, REG_LDR) >> 24;

	if (reg_get(v, REG_DFR) >> 28 == 0)
		identity |= LAPIC_CLUSTER;
	if (v->lapic.base & LAPIC_BASE_ENABLE)
		identity |= LAPIC_ENABLED;
	if (v->lapic.base & LAPIC_BASE_X2)
		identity |= LAPIC_X2;
	if (reg_get(v, REG_SVR) & SVR_ENABLE)
		identity |= LAPIC_SOFTWARE;
	__atomic_store_n(&v->lapic.identity, identity, __ATOMIC_RELEASE);
	set_mode(v, mode_of(v->lapic.base));
}

static void clear_posted(struct lapic *l)
{
	__atomic_store_n(&l->hw.posted_any, 0, __ATOMIC_RELAXED);
	for (u32 n = 0; n < 8; n++)
		__atomic_store_n(&l->posted[n], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&l->error, 0, __ATOMIC_RELAXED);
	l->hw.irr_words = l->hw.isr_words = l->eoi_words = 0;
	l->hw.changed = true;
	l->eoi_offered = false;
	memset(l->eoi, 0, sizeof(l->eoi));
}

void lapic_reset(struct vcpu *v, bool power_on)
{
	struct lapic *l = &v->lapic;
	u32 index = v->index;

	if (power_on)
		l->base = LAPIC_ADDRESS | LAPIC_BASE_ENABLE | (index ? 0 : LAPIC_BASE_BSP);
	lapic_timer_stop(v);
	for (u32 reg = 0; reg < ARRAY_SIZE(l->hw.page); reg++)
		reg_set(v, reg, 0);
	virt->set_cr8(v->hw, 0);
	clear_posted(l);
	v->msrs.kvm_eoi = l->eoi_place = 0; /* as KVM does: what runs after INIT may not know of it */

	reg_set(v, REG_VERSION, 0x50014); /* six LVT entries; no EOI broadcast suppression */
	reg_set(v, REG_SVR, 0xff);
	for (u32 reg = REG_LVT_TIMER; reg <= REG_LVT_ERROR; reg++)
		reg_set(v, reg, LVT_MASKED);
	l->timer_lvt = LVT_MASKED;
	l->timer_divide = 0;
	if (power_on && index == 0)
		reg_set(v, REG_LVT_LINT0, LAPIC_EXTINT << 8);
	if (l->base & LAPIC_BASE_X2) {
		reg_set(v, REG_ID, index);
		reg_set(v, REG_LDR, (index >> 4) << 16 | 1u << (index & 15));
	} else {
		reg_set(v, REG_ID, index << 24);
		reg_set(v, REG_DFR, ~0u);
	}
	lapic_publish(v);
}

u32 lapic_tpr(const struct vcpu *v)
{
	return reg_get(v, REG_TPR);
}

void lapic_set_tpr(struct vcpu *v, u32 tpr)
{
	if (reg_get(v, REG_TPR) == (tpr & 0xff))
		return;
	reg_set(v, REG_TPR, tpr & 0xff);
	virt->set_cr8(v->hw, lapic_class(&v->lapic));
	update_ppr(v);
}

bool lapic_post(struct vcpu *v, u8 vector, bool level)
{
	struct lapic *l = &v->lapic;
	u32 n = vector / 32, bit = 1u << vector % 32;

	if (vector < 16) {
		lapic_error(v, ESR_RECEIVE_VECTOR);
		return false;
	}
	if (level)
		__atomic_fetch_or(&l->posted_level[n], bit, __ATOMIC_RELAXED);
	else if (__atomic_load_n(&l->posted_level[n], __ATOMIC_RELAXED) & bit)
		__atomic_fetch_and(&l->posted_level[n], ~bit, __ATOMIC_RELAXED);

	bool pending = __atomic_fetch_or(&l->posted[n], bit, __ATOMIC_ACQ_REL) & bit;

	if (pending)
		return false;
	pending = reg_get(v, REG_IRR + n) & bit;
	if (!__atomic_fetch_or(&l->hw.posted_any, 1u << n, __ATOMIC_ACQ_REL))
		vcpu_request(v, REQUEST_KICK);
	return !pending;
}

void lapic_drain(struct vcpu *v)
{
	struct lapic *l = &v->lapic;
	u32 any = __atomic_exchange_n(&l->hw.posted_any, 0, __ATOMIC_ACQ_REL);

	for (; any; any &= any - 1) {
		u32 n = (u32)__builtin_ctz(any);
		u32 bits = __atomic_load_n(&l->posted[n], __ATOMIC_ACQUIRE);

		if (!bits)
			continue;

		u32 level = __atomic_load_n(&l->posted_level[n], __ATOMIC_RELAXED);

		set_tmr(v, n, (reg_get(v, REG_TMR + n) & ~bits) | (level & bits));
		set_bits(v, REG_IRR, n, bits, &l->hw.irr_words);
		__atomic_fetch_and(&l->posted[n], ~bits, __ATOMIC_RELEASE);
	}
}

int lapic_pending(struct vcpu *v)
{
	struct lapic *l = &v->lapic;

	if (__atomic_load_n(&l->hw.posted_any, __ATOMIC_RELAXED))
		lapic_drain(v);
	if (!l->hw.irr_words)
		return -1;

	u32 vector = highest(v, REG_IRR, l->hw.irr_words);

	return vector >> 4 > reg_get(v, REG_PPR) >> 4 ? (int)vector : -1;
}

int lapic_to_inject(struct vcpu *v)
{
	int vector = lapic_pending(v);

	return v->lapic.hw.live ? -1 : vector;
}

u32 lapic_masked_class(const struct vcpu *v)
{
	const struct lapic *l = &v->lapic;
	u32 class = l->hw.irr_words ? highest(v, REG_IRR, l->hw.irr_words) >> 4 : 0;
	u32 in_service = l->hw.isr_words ? highest(v, REG_ISR, l->hw.isr_words) >> 4 : 0;

	return class > in_service && !l->hw.live ? class : 0;
}

void lapic_accept(struct vcpu *v, u8 vector)
{
	struct lapic *l = &v->lapic;

	clear_vector(v, REG_IRR, vector, &l->hw.irr_words);
	set_bits(v, REG_ISR, vector / 32, 1u << vector % 32, &l->hw.isr_words);
	update_ppr(v);
}

void lapic_ended(struct vcpu *v, u8 vector)
{
	v->lapic.eoi[vector / 32] |= 1u << vector % 32;
	v->lapic.eoi_words |= 1u << vector / 32;
}

void lapic_eoi(struct vcpu *v)
{
	struct lapic *l = &v->lapic;

	if (!l->hw.isr_words)
		return;

	u32 vector = highest(v, REG_ISR, l->hw.isr_words);

	clear_vector(v, REG_ISR, vector, &l->hw.isr_words);
	update_ppr(v);
	if (reg_get(v, REG_TMR + vector / 32) & 1u << vector % 32)
		lapic_ended(v, (u8)vector);
}

int lapic_take_eoi(struct vcpu *v)
{
	struct lapic *l = &v->lapic;

	if (!l->eoi_words)
		return -1;

	u32 n = top_bit(l->eoi_words), bit = top_bit(l->eoi[n]);

	l->eoi[n] &= ~(1u << bit);
	if (!l->eoi[n])
		l->eoi_words &= ~(1u << n);
	return (int)(n * 32 + bit);
}

void lapic_raise(struct vcpu *v, u8 vector)
{
	u32 n = vector / 32, bit = 1u << vector % 32;

	if (vector < 16) {
		lapic_error(v, ESR_RECEIVE_VECTOR);
		return;
	}
	set_tmr(v, n, reg_get(v, REG_TMR + n) & ~bit);
	set_bits(v, REG_IRR, n, bit, &v->lapic.hw.irr_words);
}

/* Ends although the error vector may be illegal itself: the bit is set by then. */
void lapic_error(struct vcpu *v, u32 bits)
{
	u32 old = __atomic_fetch_or(&v->lapic.error, bits, __ATOMIC_RELAXED);
	u32 lvt = reg_get(v, REG_LVT_ERROR);

	if ((old & bits) != bits && !(lvt & LVT_MASKED))
		lapic_post(v, (u8)lvt, false);
}

bool lapic_wants_extint(const struct vcpu *v)
{
	u32 lvt = reg_get(v, REG_LVT_LINT0);

	if (!(v->lapic.base & LAPIC_BASE_ENABLE))
		return true;
	return !(lvt & LVT_MASKED) && LVT_MODE(lvt) == LAPIC_EXTINT;
}
