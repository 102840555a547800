/* Leaves of stage 2, for gmem*.c and those who walk them: what the bits mean that the hardware leaves to us.
 *
 * A leaf that is present maps a frame, a large one (of level 1) 512 that lie side by side: gmem_large.c; one that is
 * not holds no frame's address and is typed:
 *   0                untouched: begins as its region says
 *   LEAF_ZERO        was given back: begins as zeroes, whatever the region says
 *   LEAF_COMPRESSED  its bytes are an object of the gmem's store
 * All under the gmem's lock; the hardware sets accessed and dirty at any time, so a leaf that is present and
 * writable is changed by atomic operations only. */
#ifndef KERNEL_GMEM_LEAF_H
#define KERNEL_GMEM_LEAF_H

#include "kernel/gmem.h"

#define LEAF_HASHED BIT(52) /* present: the merger knows the content, as long as the leaf is clean */
#define LEAF_GIVEN BIT(53)  /* present, zero frame: the merger found the page to be zeroes */
#define LEAF_ZERO BIT(54)   /* not present */
#define LEAF_USED BIT(54)   /* present: accessed, until the compressor made it unaccessed; the working set clears it */
#define LEAF_COMPRESSED BIT(11) /* not present; no bit of an entry that is */
#define LEAF_DENSE BIT(56)  /* present: does not shrink when it is compressed, as long as the leaf is clean */
#define LEAF_CHUNK_SHIFT 57 /* compressed: where in its frame the object begins, in chunks */
#define LEAF_COPIED BIT(55) /* present, not writable: collapse.c's copy of the page is what it holds */

#define LARGE_PAGES 512 /* of a large leaf */

extern hpa_t gmem_zero_frame; /* c: everybody's, counts no references */

/* Leaves of all guests by what they map; a. */
extern struct gmem_totals {
	u64 file, merged, given;
	u64 file_changes; /* how often one on a file's frame began or ended */
	u64 large, splits; /* large leaves, and how often one was split */
} gmem_totals;

/* What tells that a page was written since the bits were cleared and flushed.  Every write by the kernel sets
 * them too.  Where the hardware has no dirty bit, a page that is to be watched is write-protected: then the right
 * to write is what tells. */
static inline u64 gmem_leaf_dirt(const struct gmem *m)
{
	return m->format->dirty ? m->format->dirty : m->format->write;
}

/* Has the page (of a large leaf: have all) still the content that the merger knows? */
static inline bool gmem_leaf_clean(const struct gmem *m, u64 entry)
{
	return (entry & (LEAF_HASHED | gmem_leaf_dirt(m))) == LEAF_HASHED;
}

static inline hpa_t gmem_leaf_frame(u64 entry)
{
	return (hpa_t){ entry & TABLE_ADDRESS };
}

/* The entry of a page whose bytes are the object at at, and back.  The address bits of an entry that is not present
 * must not be an address of memory: a processor with L1TF (CVE-2018-3646) lets a guest read what the L1 cache has
 * there.  Inverted they are none, as long as memory is in the lower half of what the processor can address. */
static inline u64 gmem_leaf_compressed(hpa_t at)
{
	return LEAF_COMPRESSED | (~at.v & TABLE_ADDRESS) | at.v % PAGE_SIZE / ZSTORE_CHUNK << LEAF_CHUNK_SHIFT;
}

static inline hpa_t gmem_leaf_object(u64 entry)
{
	return (hpa_t){ (~entry & TABLE_ADDRESS) + (entry >> LEAF_CHUNK_SHIFT) % ZSTORE_CHUNKS * ZSTORE_CHUNK };
}

/* The frame of the page of gpa, by the leaf that decides about it. */
static inline hpa_t gmem_leaf_frame_of(u64 entry, u32 level, u64 gpa)
{
	return (hpa_t){ (entry & TABLE_ADDRESS) + (gpa & PAGE_MASK & (table_span(level) - 1)) };
}

/* The leaf gets bits that let the page be written: what was copied of it is of no use any more. */
static inline void gmem_leaf_open(u64 *entry, u64 bits)
{
	if (*entry & LEAF_COPIED)
		__atomic_and_fetch(entry, ~LEAF_COPIED, __ATOMIC_ACQ_REL);
	__atomic_or_fetch(entry, bits, __ATOMIC_RELEASE);
}

/* Does it map what stands for local APICs (gmem_apic.c)? */
static inline bool gmem_leaf_is_apic(const struct gmem *m, u64 entry)
{
	return entry & m->format->present && m->apic_frame.v && gmem_leaf_frame(entry).v == m->apic_frame.v;
}

/* Is frame, which a leaf maps, the guest's own? */
bool gmem_leaf_private(hpa_t frame);

/* Did the merger replace what this leaf, which is present, mapped? */
bool gmem_leaf_is_merged(u64 entry);

/* Makes the page of gpa present (and writable); m locked.  Errors as gmem_fault. */
int gmem_leaf_touch(struct gmem *m, u64 gpa, bool write, enum ledger_use use) must_check;

/* Counts a leaf of m that begins (1) or ends (-1) to map what entry maps. */
void gmem_leaf_count(struct gmem *m, u64 entry, s64 by);

/* Drops what a leaf mapped; the flush was done. */
void gmem_leaf_put(struct gmem *m, u64 entry);

/* The leaves at or after *gpa: a run of consecutive entries of one table, all within a region.  count 0: there is
 * no table, or, if large is not NULL, that large leaf maps what is there.  *gpa moves behind it; false when there is
 * no more memory. */
struct leaf_run {
	u64 gpa;
	u64 *entries;
	u32 count;
	u64 *large;
};
bool gmem_leaf_run(struct gmem *m, u64 *gpa, struct leaf_run *run) must_check;

/* The entry of a page, with the tables above it; a large leaf is split.  NULL without memory. */
u64 *gmem_leaf_entry(struct gmem *m, u64 page, enum ledger_use use);

/* ---- large leaves (gmem_large.c); m locked ---- */

/* The large leaf that has gpa becomes small ones, with a flush; none: nothing is done. */
void gmem_leaf_split(struct gmem *m, u64 gpa);

/* The small leaf that the page of gpa has when this large one is split. */
u64 gmem_leaf_part(const struct gmem *m, u64 large, u64 gpa);

/* As gmem_leaf_touch where a large leaf is; false: there is none (any more), since the write of one page of many whose
 * content is known splits it. */
bool gmem_large_touch(struct gmem *m, u64 gpa, bool write) must_check;

/* The entry, which is not present, becomes a large leaf; table: the branch that it was, flushed. */
void gmem_large_set(struct gmem *m, u64 *entry, u64 leaf, u64 table);

/* n leaves more (or less) map frames of the guest's own, without an allocation or before frame_put. */
static inline void gmem_private(struct gmem *m, s64 n)
{
	m->private_pages += (u64)n;
	if (n > 0)
		ledger_charge(m->account, (u64)n);
	else
		ledger_put(m->account, (u64)-n);
}

#endif
