/* Merged frames (FRAME_MERGED): content that never changes, mapped read only by guests of one share group.
 *
 * A merged frame's note says what it holds and for whom: the upper 40 bits of its digest and its group's number.
 * Lock: LOCK_MERGE guards the note, and the references as far as they are taken and dropped here.  A frame becomes
 * merged while one leaf maps it, under that gmem's lock, and a guest's own again only when a writer finds himself
 * to be its last user; so a merged frame's bytes are what its digest says. */
#ifndef KERNEL_MERGE_FRAME_H
#define KERNEL_MERGE_FRAME_H

#include "kernel/lib/types.h"
#include "kernel/lock.h"

#define MERGE_GROUP_BITS 24

extern struct spinlock merge_lock;

static inline u64 merge_note(u64 digest, u32 group)
{
	return ALIGN_DOWN(digest, BIT(MERGE_GROUP_BITS)) | group;
}

static inline u32 merge_note_group(u64 note)
{
	return note & (BIT(MERGE_GROUP_BITS) - 1);
}

/* The caller's own frame becomes merged; its reference stays. */
void merge_frame_make(hpa_t at, u64 note);

/* A reference, if the frame is merged and has that note: else false.  Any frame may be asked about; merge_lock is
 * held. */
bool merge_frame_get(hpa_t at, u64 note) must_check;
bool merge_frame_is(hpa_t at, u64 note); /* without the reference */

void merge_frame_put(hpa_t at);

/* The last user's frame becomes his own (FRAME_GUEST); false: it has others. */
bool merge_frame_take(hpa_t at) must_check;

#endif
