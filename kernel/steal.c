/* Steal time.  The guest's page is written and never read: nothing there can mislead us. */
#include "kernel/steal.h"

#include "kernel/lib/muldiv.h"

#define ENABLE 1
#define RESERVED 0x3e /* the structure is aligned to 64 bytes */
#define AT_VERSION 8
#define AT_PREEMPTED 16
#define PREEMPTED 1

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

void steal_update(struct vcpu *v)
{
	u64 ns = muldiv(v->stolen_cycles - v->steal_from, 1000000000, vcpu_tsc_hz());
	u8 running = 0;

	if (!(v->msrs.kvm_steal & ENABLE))
		return;
	write_version(v); /* odd: it changes */
	write(v, 0, &ns, sizeof(ns));
	write(v, AT_PREEMPTED, &running, sizeof(running));
	write_version(v);
	v->steal_told = v->stolen_cycles;
	v->steal_marked = false;
}

void steal_preempted(struct vcpu *v)
{
	u8 preempted = PREEMPTED;

	if (!(v->msrs.kvm_steal & ENABLE) || v->steal_marked)
		return;
	v->steal_marked = true;
	write(v, AT_PREEMPTED, &preempted, sizeof(preempted));
}

int steal_set(struct vcpu *v, u64 value)
{
	if (value & RESERVED)
		return ERR_INVAL;
	v->msrs.kvm_steal = value;
	v->steal_from = v->stolen_cycles;
	v->steal_version &= ~1u;
	steal_update(v);
	return 0;
}
