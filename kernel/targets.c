/* Balloon targets under memory pressure: who gives how much.
 *
 * Each guest may have frames in proportion to memory-shares times its size, less if it has memory lying idle, which
 * counts four times (ESX's idle-memory tax of 75 %; OSDI 2002): by its working set, or while that is not known by
 * what it says.  The common factor is found by halving, so that all
 * together have as much less as is wanted.  Nobody goes below memory-min or 35 % of its size, and whoever has less
 * than its part keeps it.  Only the keeper's thread calls here. */
#include "kernel/clock.h"
#include "kernel/guest.h"
#include "kernel/lib/muldiv.h"
#include "kernel/log.h"

#define FACTOR_BITS 40
#define IDLE_COUNTS 4
#define LEAST_PERCENT 35

struct round {
	u64 factor; /* of 2^FACTOR_BITS */
	u64 sum;    /* frames that all would have */
	bool set;   /* tell them */
};

/* Has it a balloon that could help?  What a guest says of it is good for its own target only. */
static bool takes_part(const struct guest *g)
{
	return g->state == GUEST_RUNNING && g->stats.driver && g->account.used;
}

/* In permille of what it has; what is not known is not idle. */
static u64 idle_permille(const struct guest *g)
{
	u64 unused = g->stats.values[MEMORY_UNUSED], used = g->account.used * PAGE_SIZE;

	if (g->working_set.known)
		return 1000 - g->working_set.used;
	if (!g->stats.clock || unused == MEMORY_UNKNOWN)
		return 0;
	return MIN(unused, used) * 1000 / used;
}

static u64 frames_at(const struct guest *g, u64 factor)
{
	const struct ledger_account *a = &g->account;
	u64 tax = 1000 + (IDLE_COUNTS - 1) * idle_permille(g);
	u64 part = muldiv(a->full * a->shares, 1000 * IDLE_COUNTS, tax); /* at least its size */
	u64 least = MAX(a->min, a->full * LEAST_PERCENT / 100);

	return MIN(a->used, MAX(least, muldiv(part, factor, BIT(FACTOR_BITS))));
}

static void add(struct guest *g, void *argument)
{
	struct round *r = argument;

	if (takes_part(g))
		r->sum += frames_at(g, r->factor);
}

static void tell_asked(struct guest *g, u64 frames)
{
	u64 now = clock_ns();

	if (g->target_told && now - g->target_told < PRESSURE_TELL_NS)
		return;
	g->target_told = now;
	log_info("guest %u %s: is asked to make do with %lu KiB", g->id, g->name,
		 (unsigned long)(frames * PAGE_SIZE / KIB));
}

/* Shared pages are in its RAM, too, and cost nothing; compressed ones cost less than they are; tables are not in it. */
static void tell(struct guest *g, void *argument)
{
	const struct round *r = argument;
	u64 frames, before = g->memory_pressure;

	if (!r->set || !takes_part(g)) {
		guest_set_memory_target(g, 0);
		return;
	}
	frames = frames_at(g, r->factor);
	if (frames == g->account.used && !before)
		return;
	frames += g->gmem.shared_pages - MIN(g->gmem.zero_pages, g->gmem.shared_pages);
	frames += g->gmem.store.objects - MIN(g->gmem.store.frames, g->gmem.store.objects);
	frames -= MIN(frames, g->gmem.tables);
	guest_set_memory_target(g, MAX(frames, 1) * PAGE_SIZE);
	if (!before)
		tell_asked(g, frames);
}

static u64 sum_at(u64 factor)
{
	struct round r = { .factor = factor };

	guest_each(add, &r);
	return r.sum;
}

static void sample(struct guest *g, void *argument)
{
	const struct round *r = argument;

	guest_sample_memory(g, r->set && takes_part(g));
}

void targets_set(u64 frames)
{
	struct round r = { .set = frames != 0 };
	u64 all, left;

	guest_each(sample, &r);
	all = sum_at(BIT(FACTOR_BITS));
	left = all - MIN(frames, all);
	for (u32 bit = FACTOR_BITS; r.set && bit-- > 0;)
		if (sum_at(r.factor | BIT(bit)) <= left)
			r.factor |= BIT(bit);
	guest_each(tell, &r);
}
