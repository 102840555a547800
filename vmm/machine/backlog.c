/* See backlog.h for the policy.  Lock: that of the device that it belongs to. */
#include "vmm/machine/backlog.h"

static u64 backlog_spacing(u64 period_ns)
{
	return MAX(period_ns / 2, (u64)BACKLOG_SPACING_MIN);
}

/* No wrap at the end of time. */
static u64 backlog_earliest(const struct backlog *b, u64 period_ns)
{
	u64 spacing = backlog_spacing(period_ns);

	return b->last > UINT64_MAX - spacing ? UINT64_MAX : b->last + spacing;
}

void backlog_clear(struct backlog *b)
{
	b->owed = 0; /* last stays: a guest that programs anew all the time gains nothing */
}

void backlog_add(struct backlog *b, u64 ticks)
{
	u64 room = b->owed < BACKLOG_MAX ? BACKLOG_MAX - b->owed : 0;
	u64 taken = MIN(ticks, room);

	b->owed += taken;
	b->coalesced += ticks - taken;
}

bool backlog_take(struct backlog *b, u64 now, u64 period_ns)
{
	if (!b->owed || (b->last && now < backlog_earliest(b, period_ns)))
		return false;
	b->owed--;
	b->last = now;
	return true;
}

u64 backlog_deadline(const struct backlog *b, u64 next, u64 period_ns)
{
	u64 earliest = b->last ? backlog_earliest(b, period_ns) : 0;

	return MAX(b->owed ? 0 : next, earliest);
}
