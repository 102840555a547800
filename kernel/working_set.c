/* The sample of working_set.h. */
#include "kernel/working_set.h"

#include "arch/x86_64/registers.h"
#include "kernel/gmem_leaf.h"

#define TRIES (4 * WORKING_SET_SAMPLES) /* for a sample: not every page is a frame of the guest's own */
#define FEWEST 16                       /* pages that an estimate needs */

void working_set_forget(struct working_set *w)
{
	w->count = 0;
	w->known = false;
}

/* The leaf of a page if it maps a frame of the guest's own, NULL.  m locked. */
static u64 *own_leaf(struct gmem *m, u64 gpa)
{
	u32 level;
	u64 *entry = table_find(m->format, m->root, gpa, &level);

	return !level && *entry & m->format->present && gmem_leaf_private(gmem_leaf_frame(*entry)) ? entry : NULL;
}

/* Permille of the sample's pages that were accessed; false when too few of them are left.  m locked. */
static bool look(struct gmem *m, const struct working_set *w, u32 *used)
{
	u32 seen = 0, accessed = 0;

	for (u32 i = 0; i < w->count; i++) {
		const u64 *entry = own_leaf(m, (u64)w->pages[i] << PAGE_SHIFT);

		seen += entry ? 1 : 0;
		accessed += entry && *entry & (m->format->accessed | LEAF_USED) ? 1 : 0;
	}
	*used = accessed * 1000 / MAX(seen, 1);
	return seen >= FEWEST;
}

/* xorshift64* */
static u64 next_random(struct working_set *w)
{
	if (!w->random)
		w->random = rdtsc() | 1;
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return w->random * 0x2545f4914f6cdd1d;
}

/* Any page of the guest's memory, as likely as any other. */
static u64 random_page(const struct gmem *m, struct working_set *w)
{
	u64 all = 0, at;

	for (u32 i = 0; i < m->region_count; i++)
		all += m->regions[i].len;
	at = all ? next_random(w) % all : 0;
	for (u32 i = 0; i < m->region_count; i++) {
		if (at < m->regions[i].len)
			return m->regions[i].base + (at & PAGE_MASK);
		at -= m->regions[i].len;
	}
	return 0;
}

/* A translation that a processor keeps would hide the next access: hence the flush. */
static void choose(struct gmem *m, struct working_set *w)
{
	w->count = 0;
	for (u32 i = 0; i < TRIES && w->count < WORKING_SET_SAMPLES; i++) {
		u64 gpa = random_page(m, w), *entry = own_leaf(m, gpa);

		if (!entry)
			continue;
		__atomic_and_fetch(entry, ~(m->format->accessed | LEAF_USED), __ATOMIC_ACQ_REL);
		w->pages[w->count++] = (u32)(gpa >> PAGE_SHIFT);
	}
	if (w->count)
		m->shootdown(m);
}

void working_set_sample(struct gmem *m, struct working_set *w)
{
	u32 used;
	bool enough;

	if (!m->format->accessed)
		return;
	spin_lock(&m->lock);
	enough = look(m, w, &used);
	choose(m, w);
	spin_unlock(&m->lock);
	if (!enough)
		return;
	if (w->known && used < w->used)
		used = w->used - (w->used - used + 3) / 4;
	__atomic_store_n(&w->used, used, __ATOMIC_RELEASE);
	__atomic_store_n(&w->known, true, __ATOMIC_RELEASE);
}
