/* Merged frames' references and notes. */
#include "kernel/merge_frame.h"

#include "kernel/frame.h"

struct spinlock merge_lock = SPINLOCK(LOCK_MERGE);

void merge_frame_make(hpa_t at, u64 note)
{
	spin_lock(&merge_lock);
	*frame_note(at) = note;
	frame_kind_set(at, FRAME_MERGED);
	spin_unlock(&merge_lock);
}

bool merge_frame_is(hpa_t at, u64 note)
{
	return frame_kind_of(at) == FRAME_MERGED && *frame_note(at) == note;
}

bool merge_frame_get(hpa_t at, u64 note)
{
	if (!merge_frame_is(at, note))
		return false;
	frame_get(at);
	return true;
}

/* What is free is not merged any more: the kind goes first, since a free block has one only at its head. */
void merge_frame_put(hpa_t at)
{
	spin_lock(&merge_lock);
	if (frame_refs(at) == 1)
		frame_kind_set(at, FRAME_GUEST);
	frame_put(at);
	spin_unlock(&merge_lock);
}

bool merge_frame_take(hpa_t at)
{
	bool last;

	spin_lock(&merge_lock);
	last = frame_refs(at) == 1;
	if (last)
		frame_kind_set(at, FRAME_GUEST);
	spin_unlock(&merge_lock);
	return last;
}
