/* Large leaves: 2 MiB of a guest's RAM mapped by one entry of level 1.  collapse.c makes them.
 *
 * Their 512 frames lie side by side and are the guest's own, each with its descriptor and its reference as small
 * leaves' are: only the table is another.  The table that the leaf replaced is kept for its end, in the note of the
 * first frame, and stays counted in gmem.tables: a split takes no memory and cannot fail.
 *
 * Between both forms the entry is not present and flushed: no processor has translations of both sizes at once (which
 * may end in a machine check: AMD's erratum 383, Intel's "page size change"), and no accessed or dirty bit is lost,
 * since none is set any more when they are read.  Who faults meanwhile waits for the lock. */
#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"

u64 gmem_leaf_part(const struct gmem *m, u64 large, u64 gpa)
{
	u64 leaf = (large & ~m->format->large) + (gpa & PAGE_MASK & (table_span(1) - 1));

	return m->format->dirty ? leaf | m->format->write : leaf;
}

void gmem_large_set(struct gmem *m, u64 *entry, u64 leaf, u64 table)
{
	*frame_note(gmem_leaf_frame(leaf)) = table & TABLE_ADDRESS;
	__atomic_store_n(entry, leaf, __ATOMIC_RELEASE);
	m->large_leaves++;
	__atomic_add_fetch(&gmem_totals.large, 1, __ATOMIC_RELAXED);
}

static u64 *large_leaf(const struct gmem *m, u64 gpa)
{
	u32 level;
	u64 *entry;

	if (!m->large_leaves)
		return NULL;
	entry = table_find(m->format, m->root, gpa, &level);
	return level == 1 && *entry & m->format->present ? entry : NULL;
}

void gmem_leaf_split(struct gmem *m, u64 gpa)
{
	u64 *entry = large_leaf(m, gpa), large, table, *leaves;

	if (!entry)
		return;
	large = __atomic_exchange_n(entry, 0, __ATOMIC_ACQ_REL);
	m->shootdown(m);
	table = *frame_note(gmem_leaf_frame(large));
	leaves = hpa_pointer((hpa_t){ table });
	for (u64 i = 0; i < LARGE_PAGES; i++)
		leaves[i] = gmem_leaf_part(m, large, i * PAGE_SIZE);
	__atomic_store_n(entry, table | m->format->branch, __ATOMIC_RELEASE);
	m->large_leaves--;
	__atomic_sub_fetch(&gmem_totals.large, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&gmem_totals.splits, 1, __ATOMIC_RELAXED);
}

bool gmem_large_touch(struct gmem *m, u64 gpa, bool write)
{
	u64 *entry = large_leaf(m, gpa), open = m->format->write | m->format->dirty;

	if (!entry)
		return false;
	if (!write || (*entry & open) == open)
		return true;
	if (gmem_leaf_clean(m, *entry)) {
		gmem_leaf_split(m, gpa);
		return false;
	}
	__atomic_or_fetch(entry, open, __ATOMIC_RELEASE);
	return true;
}
