/* How much of its memory a guest should have, and what it says of it.  Whoever wishes (the operator, the host
 * under pressure) only changes a number here; the machine process learns of it by EVENT_MEMORY and its balloon
 * asks the guest.  Lock: LOCK_GUEST. */
#include "kernel/guest.h"
#include "kernel/process.h"

/* g locked. */
static u64 target_of(const struct guest *g)
{
	u64 target = g->params.memory_max ? MIN(g->params.memory_max, g->params.memory) : g->params.memory;

	if (g->memory_wish)
		target = MIN(target, g->memory_wish);
	return g->memory_pressure ? MIN(target, g->memory_pressure) : target;
}

/* A process of a paused guest is told, too: events are sticky. */
static void set(struct guest *g, u64 *wish, u64 bytes)
{
	u64 before;

	spin_lock(&g->lock);
	before = target_of(g);
	*wish = bytes;
	if (g->process && target_of(g) != before)
		process_raise(g->process, EVENT_MEMORY);
	spin_unlock(&g->lock);
}

void guest_set_memory_wish(struct guest *g, u64 bytes)
{
	set(g, &g->memory_wish, bytes);
}

void guest_set_memory_target(struct guest *g, u64 bytes)
{
	set(g, &g->memory_pressure, bytes);
}

u64 guest_memory_target(struct guest *g)
{
	u64 target;

	spin_lock(&g->lock);
	target = target_of(g);
	spin_unlock(&g->lock);
	return target;
}

void guest_set_memory_stats(struct guest *g, const struct memory_stats *stats)
{
	spin_lock(&g->lock);
	g->stats = *stats;
	g->stats.balloon = MIN(stats->balloon, g->params.memory);
	spin_unlock(&g->lock);
}

static u64 working_set(const struct guest *g)
{
	const struct working_set *w = &g->working_set;

	if (!__atomic_load_n(&w->known, __ATOMIC_ACQUIRE))
		return MEMORY_UNKNOWN;
	return g->gmem.private_pages * __atomic_load_n(&w->used, __ATOMIC_RELAXED) / 1000 * PAGE_SIZE;
}

void guest_memory(struct guest *g, struct guest_memory *memory)
{
	spin_lock(&g->lock);
	*memory = (struct guest_memory){ .memory = g->params.memory, .wish = g->memory_wish,
					 .pressure = g->memory_pressure, .target = target_of(g),
					 .working_set = working_set(g), .stats = g->stats,
					 .compressed = g->gmem.store.objects * PAGE_SIZE,
					 .compressed_in = g->gmem.store.frames * PAGE_SIZE,
					 .compressions = g->gmem.compressions,
					 .decompressions = g->gmem.decompressions };
	spin_unlock(&g->lock);
}

void guest_sample_memory(struct guest *g, bool wanted)
{
	spin_lock(&g->lock);
	if (!wanted || g->state != GUEST_RUNNING)
		working_set_forget(&g->working_set);
	else
		working_set_sample(&g->gmem, &g->working_set);
	spin_unlock(&g->lock);
}
