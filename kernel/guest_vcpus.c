/* Which of a guest's vCPUs are there.  All that it can have are made at its start; who is not plugged in waits for a
 * start-up IPI that cannot reach it: guest_vcpu(), by which a guest's processors and devices find each other, does
 * not know it.  The operator only changes a number here; the machine process learns of it by EVENT_VCPUS, asks the
 * guest, and plugs.  Lock: LOCK_GUEST for the wish, none for present. */
#include "kernel/guest.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

/* A process of a paused guest is told, too: events are sticky. */
int guest_set_vcpu_wish(struct guest *g, u64 count)
{
	if (!count || count > VCPU_MAX)
		return ERR_INVAL;
	spin_lock(&g->lock);
	g->vcpu_wish = (u32)count;
	if (g->process)
		process_raise(g->process, EVENT_VCPUS);
	spin_unlock(&g->lock);
	return 0;
}

u32 guest_vcpu_target(struct guest *g)
{
	u32 target;

	spin_lock(&g->lock);
	target = g->vcpu_wish ? MIN(g->vcpu_wish, g->vcpu_count) : g->params.vcpu_count;
	spin_unlock(&g->lock);
	return target;
}

/* Out: first nobody finds it any more, then it forgets.  A start-up IPI that was on its way is refused when it is
 * taken. */
int guest_set_present(struct guest *g, u64 index, bool present)
{
	if (index >= g->vcpu_count || (!index && !present))
		return ERR_INVAL;
	if (present)
		__atomic_fetch_or(&g->present, BIT(index), __ATOMIC_SEQ_CST);
	else if (__atomic_fetch_and(&g->present, ~BIT(index), __ATOMIC_SEQ_CST) & BIT(index))
		vcpu_request(g->vcpus[index], REQUEST_UNPLUG);
	return 0;
}
