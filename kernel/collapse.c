/* The steps of collapsing.  A block whose frames lie side by side already (it was split) only changes its table.
 * Another is copied to a free block of 2 MiB while its guest runs:
 *
 *   pieces  write-protect PIECE pages, flush, copy, mark them LEAF_COPIED; the lock is free between two pieces.  A
 *           page that may be written again loses its mark (gmem_leaf_open).
 *   the end take the table away, flush: nobody reaches the block.  Copy the up to LAST pages that were written
 *           meanwhile (more: put the table back), put the large leaf, give back the old frames.
 *
 * A lock is held, and vCPUs that fault wait, for at most a look at LEAVES leaves, or for LAST copies of 4 KiB, 512
 * looks and 512 frames given back.  What is abandoned leaves pages write-protected; the first write of each gives
 * that back, as for a page that merging looked at. */
#include "kernel/collapse.h"

#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"
#include "kernel/lib/string.h"

#define LEAVES 2048        /* that a step looks at ... */
#define LEAVES_FOR_BLOCK 8 /* ... and for each block as many more */
#define PIECE 32
#define LAST 64
#define BUSY_PAGES (LARGE_PAGES / 2)

/* Ignored bits of a branch entry of level 1: how many looks in a row its block was worth a collapse.  A page that
 * is written once, or a block that was split just now, has time to show what it is. */
#define SEEN_ONE BIT(52)
#define SEEN (3 * SEEN_ONE)

struct collapse_counts collapse_counts;

static bool is_own(const struct gmem *m, u64 leaf)
{
	return leaf & m->format->present && gmem_leaf_private(gmem_leaf_frame(leaf));
}

/* The small leaves of the block at gpa if it is all within a region, NULL. */
static u64 *leaves_of(struct gmem *m, u64 gpa)
{
	struct leaf_run run;
	u64 next = gpa;

	return gmem_leaf_run(m, &next, &run) && run.gpa == gpa && run.count == LARGE_PAGES ? run.entries : NULL;
}

/* The entry of the block's table. */
static u64 *branch_of(struct gmem *m, u64 gpa)
{
	u64 none = 0;

	return table_make(m->format, m->root, gpa, 1, &none);
}

/* ---- the copy ---- */

/* In the hardware's way or by LEAF_HASHED: that it was written stays known. */
static bool protect(const struct gmem *m, u64 *entry)
{
	u64 clear = m->format->write | (m->format->dirty ? 0 : LEAF_HASHED);

	if (!(*entry & m->format->write))
		return false;
	__atomic_and_fetch(entry, ~clear, __ATOMIC_ACQ_REL);
	return true;
}

static void copy_page(const struct collapse *c, u32 page, u64 leaf)
{
	memcpy((u8 *)hpa_pointer(c->block) + page * PAGE_SIZE, hpa_pointer(gmem_leaf_frame(leaf)), PAGE_SIZE);
}

/* The next pages; false: there is something else now.  (What is protected already is flushed then, too: others take a
 * leaf that is not writable for one that no processor writes by.)  m locked. */
static bool copy_piece(struct gmem *m, struct collapse *c, u64 *leaves)
{
	bool flush = false;
	u32 end = c->copied + PIECE, i;

	for (i = c->copied; i < end && is_own(m, leaves[i]); i++)
		flush |= protect(m, &leaves[i]);
	if (flush)
		m->shootdown(m);
	if (i < end)
		return false;
	for (i = c->copied; i < end; i++) {
		copy_page(c, i, leaves[i]);
		__atomic_or_fetch(&leaves[i], LEAF_COPIED, __ATOMIC_RELEASE);
	}
	c->copied = end;
	return true;
}

/* ---- the change of the table ---- */

/* Nobody reaches the block: is it still what it was, and can what was not copied be copied now?  Done then. */
static bool complete(const struct gmem *m, const struct collapse *c, const u64 *leaves)
{
	u32 rest = 0;

	for (u32 i = 0; i < LARGE_PAGES; i++) {
		if (!is_own(m, leaves[i]) || (c->known && !gmem_leaf_clean(m, leaves[i])))
			return false;
		rest += c->block.v && !(leaves[i] & LEAF_COPIED) ? 1 : 0;
	}
	if (rest > LAST)
		return false;
	for (u32 i = 0; c->block.v && i < LARGE_PAGES; i++)
		if (!(leaves[i] & LEAF_COPIED))
			copy_page(c, i, leaves[i]);
	return true;
}

static u64 large_leaf(const struct gmem *m, const struct collapse *c, const u64 *leaves, hpa_t frames)
{
	u64 leaf = table_leaf(m->format, frames, 1, PERM_READ | PERM_EXEC | (c->known ? 0 : PERM_WRITE));
	u64 flags = 0;

	for (u32 i = 0; i < LARGE_PAGES; i++)
		flags |= leaves[i];
	return leaf | (flags & (m->format->accessed | m->format->dirty)) | (c->known ? LEAF_HASHED : 0);
}

static void put_old_frames(const u64 *leaves)
{
	for (u32 i = 0; i < LARGE_PAGES; i++)
		frame_put(gmem_leaf_frame(leaves[i]));
}

/* The table of the block becomes a large leaf, on the copy or in place; false: nothing has changed.  m locked. */
static bool replace(struct gmem *m, struct collapse *c, const u64 *leaves)
{
	u64 *branch = branch_of(m, c->gpa), table = __atomic_exchange_n(branch, 0, __ATOMIC_ACQ_REL);

	m->shootdown(m);
	if (!complete(m, c, leaves)) {
		__atomic_store_n(branch, table & ~SEEN, __ATOMIC_RELEASE);
		return false;
	}
	if (c->block.v) {
		frame_kind_set(c->block, FRAME_GUEST);
		frame_split(c->block);
		gmem_large_set(m, branch, large_leaf(m, c, leaves, c->block), table);
		put_old_frames(leaves);
		c->block.v = 0;
		collapse_counts.copied++;
	} else {
		gmem_large_set(m, branch, large_leaf(m, c, leaves, gmem_leaf_frame(leaves[0])), table);
		collapse_counts.in_place++;
	}
	return true;
}

/* ---- the search ---- */

/* Is the block worth a collapse now?  c->known says as which; *looked: at how many leaves. */
static bool is_worth(const struct gmem *m, struct collapse *c, const u64 *leaves, u32 *looked)
{
	u64 dirt = gmem_leaf_dirt(m);
	u32 dirty = 0, clean = 0, i;

	for (i = 0; i < LARGE_PAGES && is_own(m, leaves[i]); i++) {
		dirty += leaves[i] & dirt ? 1 : 0;
		clean += gmem_leaf_clean(m, leaves[i]) ? 1 : 0;
	}
	*looked = i;
	c->known = clean == LARGE_PAGES;
	return i == LARGE_PAGES && (c->known || dirty >= BUSY_PAGES || !m->member);
}

/* Was it so at the last looks, too? */
static bool seen_enough(u64 *branch, bool worth)
{
	u64 seen = *branch & SEEN;

	if (!worth && seen)
		__atomic_and_fetch(branch, ~SEEN, __ATOMIC_RELAXED);
	if (worth && seen < SEEN)
		__atomic_add_fetch(branch, SEEN_ONE, __ATOMIC_RELAXED);
	return worth && seen + SEEN_ONE >= SEEN;
}

static bool lie_side_by_side(const u64 *leaves)
{
	u64 first = gmem_leaf_frame(leaves[0]).v;

	for (u32 i = 0; i < LARGE_PAGES; i++)
		if (gmem_leaf_frame(leaves[i]).v != first + i * PAGE_SIZE)
			return false;
	return !(first & (table_span(1) - 1));
}

static void begin_copy(const struct gmem *m, struct collapse *c, u64 *leaves)
{
	c->block = frame_alloc_near(frame_node(m->root), FRAME_ORDER_2M, FRAME_KERNEL);
	c->copied = 0;
	for (u32 i = 0; c->block.v && i < LARGE_PAGES; i++)
		if (leaves[i] & LEAF_COPIED) /* an earlier one, that was abandoned */
			__atomic_and_fetch(&leaves[i], ~LEAF_COPIED, __ATOMIC_RELAXED);
}

/* Looks at the block at c->gpa; what it cost, in leaves.  m locked. */
static u32 look_at(struct gmem *m, struct collapse *c, u64 *leaves, bool may_copy)
{
	u32 looked;
	bool worth = is_worth(m, c, leaves, &looked);

	if (seen_enough(branch_of(m, c->gpa), worth)) {
		if (lie_side_by_side(leaves))
			(void)replace(m, c, leaves);
		else if (may_copy)
			begin_copy(m, c, leaves);
		looked += 2 * LARGE_PAGES;
	}
	collapse_counts.looked += looked;
	return looked + LEAVES_FOR_BLOCK;
}

/* Until a block is to be copied, or the step is long enough; true at the end of the memory.  m locked. */
static bool search(struct gmem *m, struct collapse *c, bool may_copy)
{
	u32 room = LEAVES;
	struct leaf_run run;
	u64 next;

	while (room) {
		u32 cost = LEAVES_FOR_BLOCK;

		next = c->gpa;
		if (!gmem_leaf_run(m, &next, &run))
			return true;
		c->gpa = run.gpa;
		if (run.count == LARGE_PAGES)
			cost = look_at(m, c, run.entries, may_copy);
		if (c->block.v)
			return false;
		c->gpa = next;
		room -= MIN(cost, room);
	}
	return false;
}

/* The next part of the block's copy.  m locked. */
static void go_on(struct gmem *m, struct collapse *c)
{
	u64 *leaves = leaves_of(m, c->gpa);
	bool ok = leaves && (c->copied == LARGE_PAGES ? replace(m, c, leaves) : copy_piece(m, c, leaves));

	if (!ok)
		collapse_abandon(c);
	if (!c->block.v)
		c->gpa += table_span(1);
}

bool collapse_step(struct gmem *m, struct collapse *c, bool may_copy)
{
	bool end = false;

	if (!m->format->large || m->uniform) /* (frames that lie side by side are not by lot) */
		return true;
	spin_lock(&m->lock);
	if (c->block.v)
		go_on(m, c);
	else
		end = search(m, c, may_copy);
	spin_unlock(&m->lock);
	if (end)
		c->gpa = 0;
	return end;
}

void collapse_abandon(struct collapse *c)
{
	if (!c->block.v)
		return;
	frame_put(c->block);
	c->block.v = 0;
	collapse_counts.abandoned++;
}

bool collapse_undo_step(struct gmem *m, u64 *gpa)
{
	struct leaf_run run;
	bool more = true;

	spin_lock(&m->lock);
	for (u32 room = LEAVES; m->large_leaves && room && (more = gmem_leaf_run(m, gpa, &run));) {
		room -= MIN(run.large ? LARGE_PAGES : LEAVES_FOR_BLOCK, room);
		if (run.large)
			gmem_leaf_split(m, run.gpa);
	}
	more = more && m->large_leaves;
	spin_unlock(&m->lock);
	if (!more)
		*gpa = 0;
	return !more;
}
