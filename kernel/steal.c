/* Steal time.  Of the guest's page one word is read: the preempted flag, beside which other vCPUs ask for a flush
 * that the preempted one gets before it runs again (Linux's kvm_flush_tlb_multi).  Invariant: a vCPU is in the guest
 * only while the flag is clear, for else such a flush would be lost.  No lock: the own thread only. */
#include "kernel/steal.h"

#include "kernel/lib/muldiv.h"

#define ENABLE 1
#define RESERVED 0x3e /* the structure is aligned to 64 bytes */
#define AT_VERSION 8
#define AT_PREEMPTED 16
#define PREEMPTED 1u
#define FLUSH_TLB 2u
#define TRIES 8

static void write(struct vcpu *v, u32 at, const void *from, size_t len)
{
	gpa_t gpa = { (v->msrs.kvm_steal & ~63ull) + at };

	/* No memory there is the guest's mistake, and only its own statistics. */
	(void)!guest_phys_write(v->guest, gpa, from, len);
}

static void write_version(struct vcpu *v)
{
	v->steal_version++;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	write(v, AT_VERSION, &v->steal_version, sizeof(v->steal_version));
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Clears the flag, and does what was asked for beside it meanwhile.  ERR_NOMEM: it may still be set. */
static int unmark(struct vcpu *v)
{
	gpa_t gpa = { (v->msrs.kvm_steal & ~63ull) + AT_PREEMPTED };
	u32 flags = PREEMPTED;
	int error = ERR_AGAIN;

	for (u32 i = 0; error == ERR_AGAIN && i < TRIES; i++) {
		error = guest_phys_swap32(v->guest, gpa, flags, 0);
		if (error == ERR_AGAIN && guest_phys_read(v->guest, gpa, &flags, sizeof(flags)))
			error = ERR_FAULT;
	}
	if (error == ERR_NOMEM)
		return error;
	if (error || flags & FLUSH_TLB) { /* or the guest does something else with that word */
		vcpu_flush(v);
		v->pv_flushes++;
	}
	v->steal_marked = false;
	return 0;
}

int steal_update(struct vcpu *v)
{
	u64 ns = muldiv(v->stolen_cycles - v->steal_from, 1000000000, vcpu_tsc_hz());

	if (v->msrs.kvm_steal & ENABLE) {
		if (v->steal_marked && unmark(v))
			return ERR_NOMEM;
		write_version(v); /* odd: it changes */
		write(v, 0, &ns, sizeof(ns));
		write_version(v);
		v->steal_told = v->stolen_cycles;
	}
	v->steal_due = false;
	return 0;
}

void steal_preempted(struct vcpu *v)
{
	u32 flags = PREEMPTED;

	if (!(v->msrs.kvm_steal & ENABLE) || v->steal_marked)
		return;
	v->steal_marked = true;
	write(v, AT_PREEMPTED, &flags, sizeof(flags));
}

/* It runs: its flag is clear at the old place, and is made so at the new one. */
int steal_set(struct vcpu *v, u64 value)
{
	u32 flags = 0;

	if (value & RESERVED)
		return ERR_INVAL;
	v->msrs.kvm_steal = value;
	v->steal_from = v->stolen_cycles;
	v->steal_version &= ~1u;
	if (value & ENABLE)
		write(v, AT_PREEMPTED, &flags, sizeof(flags));
	return steal_update(v);
}
