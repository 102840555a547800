/* What seems equal becomes one, many pages with few flushes:
 *
 *   promote  (the equals' owners locked, one after the other)  write-protect, flush, hash again: merged frames
 *   commit   (the scanned guest locked)  write-protect, flush, compare, replace, flush, put
 *
 * Invariant: a leaf is only replaced when, after its write protection was flushed, its bytes were equal.  A reference
 * to a merged frame is all that is carried from one guest's lock to the other's. */
#include "arch/x86_64/cpu.h"
#include "kernel/frame.h"
#include "kernel/gmem_uniform.h"
#include "kernel/lib/string.h"
#include "kernel/merge_batch.h"
#include "kernel/trace.h"

/* Write-protects a page whose content is known, out of a large leaf, too; NULL if it is not known.  m locked. */
static u64 *protect(struct gmem *m, u64 gpa, bool *flush)
{
	u64 *entry;

	if (!gmem_leaf_clean(m, merge_leaf(m, gpa)))
		return NULL;
	gmem_leaf_split(m, gpa);
	entry = merge_page(m, gpa);
	if (*entry & m->format->write) {
		__atomic_and_fetch(entry, ~m->format->write, __ATOMIC_ACQ_REL);
		*flush = true;
	}
	return entry;
}

/* The page keeps its frame and may be written again.  Where the right to write tells of writes, and in uniform groups,
 * its guest's first write gives it back. */
static void unprotect(struct gmem *m, u64 *entry)
{
	if (m->format->dirty && !m->uniform && gmem_leaf_private(gmem_leaf_frame(*entry)))
		gmem_leaf_open(entry, m->format->write);
}

/* A uniform group's merged frame lies where nobody could choose: a copy in a frame by lot; false without one.
 * f->old is put after a flush. */
static bool move_page(struct gmem *m, u64 *entry, struct merge_found *f, u64 note)
{
	hpa_t frame = merge_stock_draw();
	u64 leaf;

	if (!frame.v)
		return false;
	memcpy(hpa_pointer(frame), hpa_pointer(gmem_leaf_frame(*entry)), PAGE_SIZE);
	merge_frame_make(frame, note);
	leaf = table_leaf(m->format, frame, 0, PERM_READ | PERM_EXEC) | LEAF_HASHED;
	f->old = __atomic_exchange_n(entry, leaf, __ATOMIC_ACQ_REL);
	gmem_leaf_count(m, leaf, 1);
	return true;
}

/* A protected page's frame as a merged one for f, with a reference.  m locked, flushed. */
static hpa_t promote_page(struct merge_member *owner, u64 *entry, struct merge_found *f)
{
	struct gmem *m = owner->gmem;
	hpa_t frame = gmem_leaf_frame(*entry);
	u64 note = merge_note(f->digest, owner->group);
	bool merged;

	spin_lock(&merge_lock);
	merged = merge_frame_get(frame, note);
	spin_unlock(&merge_lock);
	if (merged)
		return frame; /* by an earlier one of this batch */
	if (!gmem_leaf_private(frame) || frame_refs(frame) != 1 || !gmem_leaf_clean(m, *entry) ||
	    merge_digest(hpa_pointer(frame), owner->group) != f->digest)
		return (hpa_t){ 0 };
	if (owner->uniform) {
		if (!move_page(m, entry, f, note))
			return (hpa_t){ 0 };
		frame = gmem_leaf_frame(*entry);
	} else {
		gmem_leaf_count(m, *entry, -1);
		merge_frame_make(frame, note);
		gmem_leaf_count(m, *entry, 1);
	}
	frame_get(frame);
	return frame;
}

/* Drops the frames that promoted pages were moved from. */
static void put_moved(struct gmem *m, struct merge_batch *b)
{
	bool flush = false;

	for (u32 i = 0; i < b->count; i++)
		flush |= b->found[i].old != 0;
	if (flush)
		m->shootdown(m);
	for (u32 i = 0; i < b->count; i++)
		if (b->found[i].old)
			gmem_leaf_put(m, b->found[i].old);
	for (u32 i = 0; i < b->count; i++)
		b->found[i].old = 0;
}

/* All of the batch whose equals are owner's. */
static void promote_all_of(struct merge_batch *b, struct merge_member *owner)
{
	struct gmem *m = owner->gmem;
	bool flush = false;

	spin_lock(&m->lock);
	for (u32 i = 0; i < b->count; i++)
		if (b->found[i].slot && slot_member(b->found[i].slot) == owner->number)
			(void)protect(m, slot_gpa(b->found[i].slot), &flush);
	if (flush)
		m->shootdown(m);
	for (u32 i = 0; i < b->count; i++) {
		struct merge_found *f = &b->found[i];
		u64 *entry;

		if (!f->slot || slot_member(f->slot) != owner->number)
			continue;
		entry = merge_page(m, slot_gpa(f->slot));
		if (!entry || *entry & m->format->write)
			continue;
		f->target = promote_page(owner, entry, f);
		if (!f->target.v)
			unprotect(m, entry);
	}
	put_moved(m, b);
	spin_unlock(&m->lock);
}

/* What became of a batch's equals, into the index: a page whose equal was none becomes the candidate itself. */
static void enter_all_of(struct merge_batch *b, struct merge_member *member, u32 owner)
{
	spin_lock(&merge_lock);
	for (u32 i = 0; i < b->count; i++) {
		struct merge_found *f = &b->found[i];
		u64 value;

		if (!f->slot || slot_member(f->slot) != owner)
			continue;
		value = f->target.v ? slot_merged(f->digest, f->target)
				    : slot_candidate(f->digest, member->number, f->gpa);
		merge_enter(f->digest, value, f->slot);
		f->slot = 0;
	}
	spin_unlock(&merge_lock);
}

/* Equals that are candidates become merged frames, owner after owner. */
static void promote(struct merge_batch *b, struct merge_member *member)
{
	for (u32 i = 0; i < b->count; i++) {
		u32 number = slot_member(b->found[i].slot);
		struct merge_member *owner;

		if (!b->found[i].slot)
			continue;
		owner = merge_member(number);
		if (owner && owner->group == member->group)
			promote_all_of(b, owner);
		if (owner)
			merge_release(owner);
		enter_all_of(b, member, number);
		cpu_interrupt_window();
	}
}

static bool equal(hpa_t a, hpa_t b)
{
	const u64 *x = hpa_pointer(a), *y = hpa_pointer(b);

	for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		if (x[i] != y[i])
			return false;
	return true;
}

static bool is_given(const struct merge_found *f)
{
	return f->target.v == gmem_zero_frame.v;
}

/* Replaces the page by its equal if it is one; its write protection was flushed.  m locked. */
static bool replace_page(struct gmem *m, struct merge_found *f)
{
	u64 *entry = merge_page(m, f->gpa), leaf;

	if (!entry || *entry & m->format->write || gmem_leaf_frame(*entry).v != f->frame.v ||
	    f->frame.v == f->target.v || !gmem_leaf_private(f->frame) || frame_refs(f->frame) != 1)
		return false;
	if (gmem_leaf_clean(m, *entry)) {
		merge_counts.compared++;
		if (equal(f->frame, f->target)) {
			leaf = table_leaf(m->format, f->target, 0, PERM_READ | PERM_EXEC) | LEAF_HASHED |
			       (is_given(f) ? LEAF_GIVEN : 0);
			f->old = __atomic_exchange_n(entry, leaf, __ATOMIC_ACQ_REL);
			gmem_leaf_count(m, leaf, 1);
			return true;
		}
		merge_counts.differed++;
	}
	unprotect(m, entry);
	return false;
}

static void commit(struct merge_batch *b, struct merge_member *member)
{
	struct gmem *m = member->gmem;
	bool protected = false, replaced = false;

	spin_lock(&m->lock);
	for (u32 i = 0; i < b->count; i++)
		if (b->found[i].target.v)
			(void)protect(m, b->found[i].gpa, &protected);
	if (protected)
		m->shootdown(m);
	for (u32 i = 0; i < b->count; i++)
		if (b->found[i].target.v)
			replaced |= replace_page(m, &b->found[i]);
	if (replaced)
		m->shootdown(m);
	for (u32 i = 0; i < b->count; i++) {
		struct merge_found *f = &b->found[i];

		if (f->old)
			gmem_leaf_put(m, f->old);
		else if (f->target.v && !is_given(f))
			merge_frame_put(f->target);
		if (f->old)
			*(is_given(f) ? &merge_counts.zeroed : &merge_counts.merged) += 1;
	}
	spin_unlock(&m->lock);
}

void merge_replace(struct merge_member *member, struct merge_batch *b)
{
	u64 from = trace_begin(), before = merge_counts.merged + merge_counts.zeroed, replaced;

	promote(b, member);
	commit(b, member);
	replaced = merge_counts.merged + merge_counts.zeroed - before;
	if (replaced)
		trace_end(TRACE_MERGE, (u8)replaced, member->gmem->account->id, from);
}
