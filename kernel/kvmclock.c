/* KVM's paravirtual clock.  All vCPUs compute from the host's one stable TSC and say so (bit 0 of flags), so
 * Linux takes no lock and reads it from its vDSO. */
#include "kernel/kvmclock.h"

#include "kernel/lib/muldiv.h"

#define NS_PER_S 1000000000ull
#define SYSTEM_ENABLE 1
#define FLAG_TSC_STABLE 1
#define FLAG_PAUSED 2 /* set by the host, cleared by the guest: its watchdogs excuse the gap */

struct pvclock_time {
	u32 version; /* odd while the rest changes */
	u32 pad0;
	u64 tsc_timestamp;
	u64 system_time;
	u32 mul;     /* ns = (ticks << shift) * mul >> 32 */
	s8 shift;
	u8 flags;
	u8 pad[2];
};

struct pvclock_wall {
	u32 version, sec, nsec;
};

_Static_assert(sizeof(struct pvclock_time) == 32, "ABI");

/* The shift that leaves mul its 32 bits: a rate within (1 GHz, 2 GHz] after it. */
static void set_scale(struct pvclock_time *t, u64 hz)
{
	s8 shift = 0;

	for (; shift > -31 && hz >> -shift > 2 * NS_PER_S; shift--)
		;
	for (; shift >= 0 && shift < 31 && hz << shift <= NS_PER_S; shift++)
		;
	t->shift = shift;
	t->mul = (u32)muldiv(1ull << (32 - shift), NS_PER_S, hz);
}

static void publish(struct vcpu *v, u8 flags)
{
	u64 address = v->msrs.kvm_system_time & ~3ull, wall_s;
	gpa_t gpa = { address };
	struct pvclock_time t = { .flags = flags };
	u32 wall_ns, version;

	if (!(v->msrs.kvm_system_time & SYSTEM_ENABLE))
		return;
	t.tsc_timestamp = vcpu_tsc(v);
	guest_clock(t.tsc_timestamp - v->tsc_offset, &t.system_time, &wall_s, &wall_ns);
	set_scale(&t, vcpu_tsc_hz());

	version = v->kvmclock_version + 2;
	v->kvmclock_version = version;
	t.version = version - 1;
	if (guest_phys_write(v->guest, gpa, &t.version, sizeof(t.version)))
		return; /* no memory there: the guest's mistake, and only its own clock */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (guest_phys_write(v->guest, gpa, &t, sizeof(t)))
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	t.version = version;
	guest_phys_write(v->guest, gpa, &t.version, sizeof(t.version));
}

void kvmclock_update(struct vcpu *v)
{
	publish(v, FLAG_TSC_STABLE);
}

void kvmclock_resumed(struct vcpu *v)
{
	publish(v, FLAG_TSC_STABLE | FLAG_PAUSED);
}

int kvmclock_set_system(struct vcpu *v, u64 value)
{
	if (value & 2)
		return ERR_INVAL;
	v->msrs.kvm_system_time = value;
	kvmclock_update(v);
	return 0;
}

int kvmclock_set_wall(struct vcpu *v, u64 value)
{
	struct pvclock_wall w = { .version = 1 };
	gpa_t gpa = { value };
	u64 ns, wall_s;

	v->msrs.kvm_wall_clock = value;
	if (!value)
		return 0;
	guest_clock(vcpu_tsc(v) - v->tsc_offset, &ns, &wall_s, &w.nsec);
	w.sec = (u32)wall_s;
	if (guest_phys_write(v->guest, gpa, &w.version, sizeof(w.version)))
		return 0;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (guest_phys_write(v->guest, gpa, &w, sizeof(w)))
		return 0;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	w.version = 2;
	guest_phys_write(v->guest, gpa, &w.version, sizeof(w.version));
	return 0;
}
