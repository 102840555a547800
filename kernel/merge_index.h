/* Where content was seen: one flat table of 8-byte slots for all share groups, found by digest.
 *
 * A slot is empty (0), or refers to a merged frame, or to a candidate: a guest's page whose leaf was clean when it was
 * hashed.  Slots go stale in silence when a page is written or a frame is freed; who finds one checks it against
 * the leaf or the frame.  A slot is never emptied again, so a search ends at an empty one, at the latest after
 * MERGE_PROBES.
 * Lock: LOCK_MERGE. */
#ifndef KERNEL_MERGE_INDEX_H
#define KERNEL_MERGE_INDEX_H

#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

#define MERGE_PROBES 8
#define MERGE_MEMBERS 4096 /* numbers from 1 on, in 12 bits of a slot */

/* Bits of a slot: a candidate's page number and member, or a merged frame's number; which of both; 23 bits of the
 * digest. */
#define SLOT_PAGE_BITS 28
#define SLOT_REF_BITS 40
#define SLOT_MERGED BIT(SLOT_REF_BITS)
#define SLOT_TAG_SHIFT (SLOT_REF_BITS + 1)

/* Room for as many candidates as the host has frames: a candidate is a frame of a guest's own, however much is
 * overcommitted, and half as many more: 12 bytes a frame.  Taken at boot: later there may not be enough. */
int merge_index_init(u64 frames) must_check;
u64 merge_index_bytes(void);

/* The n-th slot in which a digest may be, n < MERGE_PROBES. */
u64 *merge_index_slot(u64 digest, u32 n);

/* A digest is told by its upper 40 bits alone, all that a merged frame's note keeps of it. */
static inline u64 slot_tag(u64 digest)
{
	return digest >> 24 << SLOT_TAG_SHIFT;
}

static inline bool slot_matches(u64 slot, u64 digest)
{
	return (slot ^ slot_tag(digest)) >> SLOT_TAG_SHIFT == 0;
}

static inline u64 slot_merged(u64 digest, hpa_t frame)
{
	return slot_tag(digest) | SLOT_MERGED | frame.v >> PAGE_SHIFT;
}

static inline u64 slot_candidate(u64 digest, u32 member, u64 gpa)
{
	return slot_tag(digest) | (u64)member << SLOT_PAGE_BITS | gpa >> PAGE_SHIFT;
}

static inline hpa_t slot_frame(u64 slot)
{
	return (hpa_t){ (slot & (BIT(SLOT_REF_BITS) - 1)) << PAGE_SHIFT };
}

static inline u32 slot_member(u64 slot)
{
	return slot >> SLOT_PAGE_BITS & (MERGE_MEMBERS - 1);
}

static inline u64 slot_gpa(u64 slot)
{
	return (slot & (BIT(SLOT_PAGE_BITS) - 1)) << PAGE_SHIFT;
}

#endif
