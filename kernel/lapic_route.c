/* Where an interrupt message goes: IPIs from the interrupt command register and MSIs, physical and logical
 * destinations (APM 2 §16.5 and §16.6, SDM 3A §11.6 and §11.12.10).  Any thread. */
#include "kernel/lapic_regs.h"

#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

struct message {
	u32 dest;
	bool wide;      /* dest has 32 bits, else 8 */
	bool logical;
	bool level;     /* level-triggered */
	u8 delivery;    /* enum lapic_delivery */
	u8 vector;
};

static bool is_broadcast(const struct message *m)
{
	return m->dest == (m->wide ? 0xffffffff : 0xff);
}

/* An 8 bit logical destination means cluster 0 to an APIC in x2APIC mode. */
static bool match_logical(const struct message *m, u32 index, u32 identity)
{
	u32 ldr = identity & LAPIC_LDR;

	if (is_broadcast(m))
		return true;
	if (identity & LAPIC_X2)
		return index >> 4 == m->dest >> 16 && (m->dest & 1u << (index & 15));
	if (m->dest > 0xff)
		return false;
	if (identity & LAPIC_CLUSTER)
		return ldr >> 4 == m->dest >> 4 && ldr & m->dest & 0xf;
	return ldr & m->dest;
}

static bool match(const struct vcpu *v, const struct message *m, u32 identity)
{
	if (!(identity & LAPIC_ENABLED))
		return false;
	if (m->logical)
		return match_logical(m, v->index, identity);
	return m->dest == v->index || is_broadcast(m);
}

static u32 identity_of(const struct vcpu *v)
{
	return __atomic_load_n(&v->lapic.identity, __ATOMIC_ACQUIRE);
}

/* A software-disabled APIC takes only NMI, INIT and SIPI, SDM 3A §11.4.7.2. */
static bool deliver(struct vcpu *v, const struct message *m, u32 identity)
{
	switch (m->delivery) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		return identity & LAPIC_SOFTWARE && lapic_post(v, m->vector, m->level);
	case LAPIC_NMI:
		vcpu_request(v, REQUEST_NMI);
		return true;
	case LAPIC_INIT:
		vcpu_request(v, REQUEST_INIT);
		return true;
	case LAPIC_SIPI:
		__atomic_store_n(&v->sipi_vector, m->vector, __ATOMIC_RELEASE);
		vcpu_request(v, REQUEST_SIPI);
		return true;
	default: /* SMI: no SMM here; ExtINT: only by the PIC's line */
		return false;
	}
}

/* The match with the lowest processor priority; the search begins at a place that depends on the vector,
 * which spreads interrupts over equals. */
static bool deliver_lowest(struct guest *g, const struct message *m)
{
	u32 count = guest_vcpu_count(g), best_ppr = 0x100, best_identity = 0;
	struct vcpu *best = NULL;

	for (u32 i = 0; i < count; i++) {
		struct vcpu *v = guest_vcpu(g, (m->vector + i) % count);
		u32 identity = v ? identity_of(v) : 0;

		if (!v || !(identity & LAPIC_SOFTWARE) || !match(v, m, identity))
			continue;

		u32 ppr = reg_get(v, REG_PPR) & 0xf0;

		if (ppr < best_ppr) {
			best = v;
			best_ppr = ppr;
			best_identity = identity;
		}
	}
	return best && deliver(best, m, best_identity);
}

/* To every match but except; true if any of them took it. */
static bool route(struct guest *g, const struct message *m, const struct vcpu *except)
{
	bool any = false;

	if (!m->logical && !is_broadcast(m)) {
		struct vcpu *v = guest_vcpu(g, m->dest);
		u32 identity = v ? identity_of(v) : 0;

		return identity & LAPIC_ENABLED && deliver(v, m, identity);
	}
	if (m->delivery == LAPIC_LOWEST)
		return deliver_lowest(g, m);
	for (u32 i = 0; i < guest_vcpu_count(g); i++) {
		struct vcpu *v = guest_vcpu(g, i);
		u32 identity = v ? identity_of(v) : 0;

		if (v && v != except && match(v, m, identity))
			any |= deliver(v, m, identity);
	}
	return any;
}

static void send_self(struct vcpu *v, const struct message *m)
{
	if (m->delivery == LAPIC_NMI)
		vcpu_request(v, REQUEST_NMI);
	else if (m->delivery <= LAPIC_LOWEST && identity_of(v) & LAPIC_SOFTWARE)
		lapic_raise(v, m->vector);
}

void lapic_send(struct vcpu *v, u32 icr, u32 dest, bool wide)
{
	struct message m = {
		.dest = dest, .wide = wide, .logical = icr & ICR_LOGICAL, .delivery = icr >> 8 & 7, .vector = (u8)icr,
	};
	enum shorthand to = icr >> 18 & 3;

	/* IPIs are edge-triggered whatever the trigger bit says, but for INIT, whose level de-assert form does
	 * nothing since the Pentium 4 (SDM 3A §11.6.1). */
	if (m.delivery == LAPIC_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
		return;
	if (m.delivery <= LAPIC_LOWEST && m.vector < 16) {
		lapic_error(v, ESR_SEND_VECTOR);
		return;
	}
	switch (to) {
	case TO_DESTINATION:
		route(v->guest, &m, NULL);
		return;
	case TO_SELF:
		send_self(v, &m);
		return;
	case TO_ALL:
		send_self(v, &m); /* INIT and SIPI to oneself are not valid with a shorthand */
		/* fall through */
	case TO_OTHERS:
		m.dest = wide ? 0xffffffff : 0xff;
		m.logical = false;
		if (m.delivery == LAPIC_LOWEST)
			m.delivery = LAPIC_FIXED;
		route(v->guest, &m, v);
	}
}

/* APM 2 §16.8 (the PCI specification's §6.8.1): 0xfee, destination 19:12, redirection hint 3, logical 2. */
int lapic_msi(struct guest *g, u64 address, u32 data)
{
	struct message m = {
		.dest = address >> 12 & 0xff, .logical = address & 4, .level = data & ICR_LEVEL,
		.delivery = data >> 8 & 7, .vector = (u8)data,
	};

	if (address >> 20 != 0xfee)
		return 0;
	if (address & 8 && m.delivery == LAPIC_FIXED)
		m.delivery = LAPIC_LOWEST;
	return route(g, &m, NULL);
}
