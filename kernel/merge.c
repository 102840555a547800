/* Who merges: the members by number, and their groups by name. */
#include "kernel/merge.h"

#include "kernel/frame.h"
#include "kernel/heap.h"
#include "kernel/lib/string.h"
#include "kernel/merge_stock.h"

static struct merge_member *members[MERGE_MEMBERS]; /* merge_lock */
static u32 last_group;                              /* merge_lock */

int merge_init(u64 seed)
{
	merge_seed(seed);
	merge_stock_seed(~seed);
	return merge_index_init(frame_count(FRAME_FREE));
}

/* A member of the group of that name; NULL. */
static const struct merge_member *one_of(const char *name)
{
	for (u32 i = 1; i < MERGE_MEMBERS; i++)
		if (members[i] && !strcmp(members[i]->name, name))
			return members[i];
	return NULL;
}

static int enter(struct merge_member *member)
{
	const struct merge_member *other = one_of(member->name);

	if (other && other->uniform != member->uniform)
		return ERR_EXIST;
	if (!other && last_group + 1 == BIT(MERGE_GROUP_BITS))
		return ERR_NOMEM;
	for (u32 i = 1; i < MERGE_MEMBERS; i++) {
		if (members[i])
			continue;
		member->group = other ? other->group : ++last_group;
		member->number = i;
		members[i] = member;
		return 0;
	}
	return ERR_NOMEM;
}

static void forget(struct gmem *m)
{
	if (m->uniform)
		merge_stock_close();
	heap_free(m->member, sizeof(*m->member));
	m->member = NULL;
	m->uniform = false;
}

int merge_join(struct gmem *m, const char *name, bool uniform)
{
	struct merge_member *member = heap_alloc(sizeof(*member));
	int error = member ? 0 : ERR_NOMEM;

	if (!error && uniform)
		error = merge_stock_open();
	if (error) {
		heap_free(member, sizeof(*member));
		return error;
	}
	member->gmem = m;
	member->uniform = uniform;
	str_copy(member->name, sizeof(member->name), name);
	m->member = member;
	m->uniform = uniform;
	spin_lock(&merge_lock);
	error = enter(member);
	spin_unlock(&merge_lock);
	if (error)
		forget(m);
	else
		merge_look();
	return error;
}

/* merge_lock held. */
static bool has_members(u32 group)
{
	for (u32 i = 1; i < MERGE_MEMBERS; i++)
		if (members[i] && members[i]->group == group)
			return true;
	return false;
}

/* gone: a group that is known to have no members.  merge_lock held. */
static bool may_own(hpa_t frame, u32 group, u32 *gone)
{
	u32 owner = (u32)*frame_note(frame);

	if (owner == group || owner == *gone)
		return true;
	if (has_members(owner))
		return false;
	*gone = owner;
	return true;
}

bool merge_own_frames(const struct gmem *m, hpa_t first, u64 count)
{
	u32 gone = 0; /* nobody's yet */
	u64 n = 0;

	if (!m->member)
		return false;
	spin_lock(&merge_lock);
	while (n < count && may_own((hpa_t){ first.v + n * PAGE_SIZE }, m->member->group, &gone))
		n++;
	for (u64 i = 0; n == count && i < count; i++)
		*frame_note((hpa_t){ first.v + i * PAGE_SIZE }) = m->member->group;
	spin_unlock(&merge_lock);
	return n == count;
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
	if (!held)
		forget(m);
	return !held;
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
