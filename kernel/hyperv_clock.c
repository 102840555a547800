/* Reference time (TLFS §12.3 to §12.7): 100 ns since the guest's start, for all of its vCPUs, from the host's TSC.  The
 * guest reads it without an exit by a scale in a page of its own.  A guest's TSC begins with its reference time, so
 * the page's offset is 0; a guest that writes a TSC has no such page any more and goes by the MSR. */
#include "kernel/hyperv.h"

#include "kernel/lib/muldiv.h"
#include "kernel/vcpu.h"

struct reference_page {
	u32 sequence; /* 0: not valid, use the MSR */
	u32 reserved;
	u64 scale;    /* time = TSC * scale >> 64, + offset */
	u64 offset;
};

static u64 scale(void)
{
	return muldiv(BIT(63), 2 * HYPERV_HZ, vcpu_tsc_hz());
}

u64 hyperv_time(const struct vcpu *v)
{
	u64 tsc = vcpu_tsc(v) - v->tsc_offset + guest_hyperv(v->guest)->tsc_offset;

	return (u64)((unsigned __int128)tsc * scale() >> 64);
}

/* One unit later, since scale is rounded down. */
u64 hyperv_host_tsc(const struct vcpu *v, u64 time)
{
	u64 tsc = time == UINT64_MAX ? UINT64_MAX : muldiv(time + 1, vcpu_tsc_hz(), HYPERV_HZ);
	u64 offset = guest_hyperv(v->guest)->tsc_offset;

	return tsc > UINT64_MAX + offset ? UINT64_MAX : tsc - offset;
}

static bool synchronous(const struct vcpu *v)
{
	struct guest *g = v->guest;

	for (u32 i = 0; i < VCPU_MAX; i++) {
		const struct vcpu *other = guest_vcpu(g, i);

		if (other && __atomic_load_n(&other->tsc_offset, __ATOMIC_RELAXED) != guest_hyperv(g)->tsc_offset)
			return false;
	}
	return true;
}

static int write(struct vcpu *v, u64 value)
{
	struct reference_page page = { .sequence = synchronous(v), .scale = scale() };

	return hyperv_page_write(v, value, &page, sizeof(page));
}

int hyperv_clock_set(struct vcpu *v, u64 value)
{
	if (write(v, value))
		return ERR_INVAL;
	__atomic_store_n(&guest_hyperv(v->guest)->reference_tsc, value, __ATOMIC_RELAXED);
	return 0;
}

void hyperv_clock_update(struct vcpu *v)
{
	struct hyperv_guest *h = guest_hyperv(v->guest);

	/* No RAM there any more is the guest's mistake, and only its own clock. */
	if (h)
		(void)!write(v, __atomic_load_n(&h->reference_tsc, __ATOMIC_RELAXED));
}
