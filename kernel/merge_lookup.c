/* The index as a cache: what a slot says is checked before it counts, and stale ones make room. */
#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"
#include "kernel/merge_batch.h"

/* Is what a slot refers to still so?  A candidate's leaf is looked at without its gmem's lock: its tables stay as
 * long as it is a member, and what it says is checked again before it counts. */
static bool slot_holds(u64 slot, u32 group)
{
	struct merge_member *member;

	if (slot & SLOT_MERGED)
		return frame_kind_of(slot_frame(slot)) == FRAME_MERGED &&
		       slot_matches(slot, *frame_note(slot_frame(slot)));
	member = merge_member_locked(slot_member(slot));
	return member && (!group || member->group == group) &&
	       gmem_leaf_clean(member->gmem, merge_leaf(member->gmem, slot_gpa(slot)));
}

/* A slot that may be written over for a new entry: an empty or stale one, else some candidate's; NULL: all hold
 * merged frames. */
static u64 *room_for(u64 digest)
{
	u64 *victim = NULL;

	for (u32 i = 0; i < MERGE_PROBES; i++) {
		u64 *slot = merge_index_slot(digest, i);

		if (!*slot || !slot_holds(*slot, 0))
			return slot;
		if (!(*slot & SLOT_MERGED) && (!victim || i == (digest & (MERGE_PROBES - 1))))
			victim = slot;
	}
	merge_counts.evicted++;
	return victim;
}

void merge_enter(u64 digest, u64 value, u64 before)
{
	u64 *slot = NULL;

	for (u32 i = 0; before && i < MERGE_PROBES && !slot; i++)
		if (*merge_index_slot(digest, i) == before)
			slot = merge_index_slot(digest, i);
	if (!slot)
		slot = room_for(digest);
	if (slot)
		*slot = value;
}

bool merge_look_up(struct merge_member *member, struct merge_found *f)
{
	u64 self = slot_candidate(f->digest, member->number, f->gpa), stale = 0;

	for (u32 i = 0; i < MERGE_PROBES; i++) {
		u64 *at = merge_index_slot(f->digest, i), slot = *at;

		if (!slot && i)
			break;
		if (!slot) { /* the usual way of a page that is new */
			*at = self;
			return false;
		}
		if (!slot_matches(slot, f->digest))
			continue;
		if (slot & SLOT_MERGED && merge_frame_get(slot_frame(slot), merge_note(f->digest, member->group))) {
			f->target = slot_frame(slot);
			return true;
		}
		if (!(slot & SLOT_MERGED) && slot != self && slot_holds(slot, member->group)) {
			f->slot = slot;
			return true;
		}
		stale = slot;
	}
	merge_enter(f->digest, self, stale);
	return false;
}
