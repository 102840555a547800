/* Who merges: the members by number, and their groups by name. */
#include "kernel/merge.h"

#include "kernel/frame.h"
#include "kernel/heap.h"
#include "kernel/lib/string.h"

static struct merge_member *members[MERGE_MEMBERS]; /* merge_lock */
static u32 last_group;                              /* merge_lock */

int merge_init(u64 seed)
{
	merge_seed(seed);
	return merge_index_init(frame_count(FRAME_FREE));
}

/* The number of the group of that name: that of a member, or a new one; 0 when all were used. */
static u32 group_of(const char *name)
{
	for (u32 i = 1; i < MERGE_MEMBERS; i++)
		if (members[i] && !strcmp(members[i]->name, name))
			return members[i]->group;
	return last_group + 1 < BIT(MERGE_GROUP_BITS) ? ++last_group : 0;
}

static bool enter(struct merge_member *member)
{
	for (u32 i = 1; i < MERGE_MEMBERS; i++) {
		if (members[i])
			continue;
		member->group = group_of(member->name);
		member->number = i;
		if (member->group)
			members[i] = member;
		return member->group;
	}
	return false;
}

int merge_join(struct gmem *m, const char *name)
{
	struct merge_member *member = heap_alloc(sizeof(*member));
	bool entered;

	if (!member)
		return ERR_NOMEM;
	member->gmem = m;
	str_copy(member->name, sizeof(member->name), name);
	spin_lock(&merge_lock);
	entered = enter(member);
	spin_unlock(&merge_lock);
	if (!entered) {
		heap_free(member, sizeof(*member));
		return ERR_NOMEM;
	}
	m->member = member;
	return 0;
}

bool merge_leave(struct gmem *m)
{
	struct merge_member *member = m->member;
	bool held;

	if (!member)
		return true;
	spin_lock(&merge_lock);
	held = member->held;
	if (!held)
		members[member->number] = NULL;
	spin_unlock(&merge_lock);
	if (held)
		return false;
	m->member = NULL;
	heap_free(member, sizeof(*member));
	return true;
}

struct merge_member *merge_member_locked(u32 number)
{
	return number < MERGE_MEMBERS ? members[number] : NULL;
}

struct merge_member *merge_member(u32 number)
{
	struct merge_member *member;

	spin_lock(&merge_lock);
	member = merge_member_locked(number);
	if (member)
		member->held++;
	spin_unlock(&merge_lock);
	return member;
}

struct merge_member *merge_next(u32 number)
{
	struct merge_member *member = NULL;

	spin_lock(&merge_lock);
	while (++number < MERGE_MEMBERS && !member)
		member = members[number];
	if (member)
		member->held++;
	spin_unlock(&merge_lock);
	return member;
}

void merge_release(struct merge_member *member)
{
	spin_lock(&merge_lock);
	member->held--;
	spin_unlock(&merge_lock);
}
