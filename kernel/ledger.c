/* The ledger: accounts in their order, the gate, and the level of pressure.
 *
 * The gate is on the way of every fault, so the exact sums (a walk over all accounts) are made only now and
 * then: they leave a credit, which is how many frames may be given to whomever before the next level of
 * pressure is reached.  Giving back and other guests' promises only make slacks larger; what makes them
 * smaller without passing the gate is the host's own, and the 1 % that the last level keeps covers it until
 * the next exact sum. */
#include "kernel/ledger.h"

#include "kernel/frame.h"
#include "kernel/host_cpu.h"
#include "kernel/ledger_parts.h"
#include "kernel/lib/string.h"

/* What a CPU may have been granted and not yet have taken from the pool: a page and the tables above it. */
#define IN_FLIGHT 4

struct ledger ledger = { .lock = SPINLOCK(LOCK_LEDGER), .accounts = { &ledger.accounts, &ledger.accounts } };
void (*ledger_notify)(void);

void ledger_start(u64 reserve, enum overcommit overcommit)
{
	u64 usual = MIN(MAX(frame_total() / 128, 2 * MIB >> PAGE_SHIFT), 64 * MIB >> PAGE_SHIFT);

	ledger.total = frame_total();
	ledger.reserve = reserve ? reserve >> PAGE_SHIFT : usual;
	ledger.overcommit = overcommit;
	ledger.credit = 0;
	ledger.level = MEMORY_HIGH;
	list_init(&ledger.accounts);
}

/* What a guest drew from its buffer came out of the reserve: it lacks that, too, and it fills no promise before the
 * buffer is filled again. */
static u64 lacks_to(const struct ledger_account *a, u64 size)
{
	return size + a->drawn > a->used ? size + a->drawn - a->used : 0;
}

u64 ledger_lacks(const struct ledger_account *a)
{
	return lacks_to(a, a->full);
}

u64 ledger_unfilled(const struct ledger_account *a)
{
	return lacks_to(a, a->min);
}

/* What it may still take through the gate. */
static u64 to_gate(const struct ledger_account *a)
{
	return ledger_lacks(a) - ledger_unfilled(a);
}

static u64 kept_for(const struct ledger_account *a)
{
	return MIN(a->kept, to_gate(a));
}

struct ledger_sums ledger_sum(void)
{
	struct ledger_sums s = { .free = frame_count(FRAME_FREE), .reserve = ledger.reserve };

	s.reserve += IN_FLIGHT * (host_cpu_count - 1);
	for (struct link *l = ledger.accounts.next; l != &ledger.accounts; l = l->next) {
		const struct ledger_account *a = LIST_ITEM(l, struct ledger_account, link);

		s.reserve += a->own + a->buffer - a->drawn;
		s.unfilled += ledger_unfilled(a);
		s.lacks += ledger_lacks(a);
		s.used += a->used;
		s.kept += kept_for(a);
		s.count++;
	}
	return s;
}

s64 ledger_slack(struct ledger_sums s, const struct ledger_account *end, struct ledger_least *least)
{
	u64 ahead = 0;
	s64 kept = 0; /* for those looked at */

	*least = (struct ledger_least){ .slack = INT64_MAX, .room = INT64_MAX };
	for (struct link *l = ledger.accounts.next; l != &ledger.accounts; l = l->next) {
		const struct ledger_account *k = LIST_ITEM(l, struct ledger_account, link);
		s64 slack;

		if (k == end)
			break;
		s.unfilled -= ledger_unfilled(k);
		slack = (s64)(s.free + ahead) - (s64)(s.reserve + ledger_lacks(k) + s.unfilled);
		kept += (s64)kept_for(k);
		least->room = MIN(least->room, slack + kept);
		if (slack < least->slack) {
			least->slack = slack;
			least->guest = k;
			least->ahead = ahead;
			least->unfilled = s.unfilled;
		}
		least->before++;
		ahead += k->used - MIN(k->used, k->drawn); /* what it drew goes back into the reserve */
	}
	least->room -= kept;
	return least->slack;
}

/* ---- the level of pressure ---- */

static u64 percent(u64 n)
{
	return ledger.total * n / 100;
}

/* The last guest may take the least; one that is alone may take everything, and nothing presses it. */
u64 ledger_available(const struct ledger_sums *s)
{
	struct ledger_least least;
	s64 slack;

	if (s->count < 2)
		return s->free > s->reserve ? s->free - s->reserve : 0;
	slack = ledger_slack(*s, LIST_ITEM(ledger.accounts.prev, struct ledger_account, link), &least);
	return slack > 0 ? (u64)slack : 0;
}

/* Down at 4, 2 and 1 %, where the credit ends, too; up one step at 2, 4 and 6 %. */
static enum memory_level level_at(u64 frames, enum memory_level level)
{
	static const u8 down[] = { 4, 2, 1 }, up[] = { 6, 4, 2 }; /* HIGH to SOFT, SOFT to HARD, HARD to LOW */

	while (level < MEMORY_LOW && frames <= percent(down[level]))
		level++;
	while (level > MEMORY_HIGH && frames >= percent(up[level - 1]))
		level--;
	return level;
}

/* Sets the credit: as far as the next level down, or as far as what is kept for somebody. */
static void extend_credit(const struct ledger_sums *s)
{
	static const u8 borders[] = { 4, 2, 1 };
	u64 frames = ledger_available(s);

	ledger.credit = 0;
	if (s->count < 2)
		return;
	for (u32 i = 0; i < ARRAY_SIZE(borders) && !ledger.credit; i++)
		if (frames > percent(borders[i]) + s->kept)
			ledger.credit = frames - percent(borders[i]) - s->kept;
	if (level_at(frames, ledger.level) != ledger.level && ledger_notify)
		ledger_notify();
}

enum memory_level ledger_level(u64 *frames)
{
	struct ledger_sums s;
	enum memory_level level;

	spin_lock(&ledger.lock);
	s = ledger_sum();
	*frames = ledger_available(&s);
	level = s.count < 2 ? MEMORY_HIGH : level_at(*frames, ledger.level);
	if (level != ledger.level && ledger_notify)
		ledger_notify(); /* whoever asked: the gate will not see this change any more */
	ledger.level = level;
	spin_unlock(&ledger.lock);
	return level;
}

/* ---- the gate ---- */

/* How many frames a may take: none of those before it gets into need.  The lower its claim, the more of the
 * last percent it must leave to the others, so that they do not all stop at one moment. */
static s64 room_for(const struct ledger_account *a, const struct ledger_sums *s)
{
	struct ledger_least least;

	ledger_slack(*s, a, &least);
	if (!least.before)
		return INT64_MAX;
	return least.room - (s64)(percent(1) * least.before / (s->count - 1));
}

static bool is_first(const struct ledger_account *a)
{
	return ledger.accounts.next == &a->link;
}

/* l locked.  Nobody is before the first, and what it takes is no other's. */
static bool gate(const struct ledger_account *a, u64 n)
{
	if (is_first(a))
		return true;
	if (ledger.credit < n) {
		struct ledger_sums s = ledger_sum();

		extend_credit(&s);
		if (room_for(a, &s) < (s64)n)
			return false;
	}
	ledger.credit -= MIN(ledger.credit, n);
	return true;
}

/* Frames among the next n that no promise covers. */
static u64 beyond_promise(const struct ledger_account *a, u64 n)
{
	return n - MIN(n, ledger_unfilled(a));
}

/* n frames that no promise covers; some of them may have been kept for it.  l locked. */
static bool pass(struct ledger_account *a, u64 n)
{
	if (n && !gate(a, n))
		return false;
	a->kept -= MIN(a->kept, n);
	return true;
}

/* n frames were refused, 0: to fill its buffer; for its own limit's sake?  l locked. */
static void refuse(struct ledger_account *a, u64 n)
{
	a->refused = n;
	a->limited |= a->room && a->used + n > a->full;
}

int ledger_take(struct ledger_account *a, u32 n, enum ledger_use use)
{
	u64 gated;
	bool ok;

	spin_lock(&ledger.lock);
	gated = beyond_promise(a, n);
	ok = a->used + n <= a->full && pass(a, gated);
	if (!ok && use == LEDGER_WRITE && a->drawn + n <= a->buffer) {
		a->drawn += n;
		ok = true;
	}
	if (ok)
		a->used += n;
	else
		refuse(a, n);
	spin_unlock(&ledger.lock);
	return ok ? 0 : ERR_NOMEM;
}

void ledger_put(struct ledger_account *a, u64 n)
{
	spin_lock(&ledger.lock);
	a->used -= MIN(n, a->used);
	if (a->used + a->room <= a->full)
		a->limited = false;
	spin_unlock(&ledger.lock);
}

void ledger_charge(struct ledger_account *a, u64 n)
{
	spin_lock(&ledger.lock);
	a->used += n;
	spin_unlock(&ledger.lock);
}

int ledger_refill(struct ledger_account *a)
{
	bool ok;

	spin_lock(&ledger.lock);
	ok = !a->drawn || (a->used <= a->full && pass(a, beyond_promise(a, a->drawn)));
	if (ok)
		a->drawn = 0;
	else
		refuse(a, 0);
	spin_unlock(&ledger.lock);
	return ok ? 0 : ERR_NOMEM;
}

/* ---- waiting for memory, and the host's own ---- */

bool ledger_at_limit(struct ledger_account *a)
{
	bool is;

	spin_lock(&ledger.lock);
	is = a->limited;
	spin_unlock(&ledger.lock);
	return is;
}

void ledger_limit_done(struct ledger_account *a)
{
	spin_lock(&ledger.lock);
	a->limited = false;
	spin_unlock(&ledger.lock);
}

/* May it have what it asked for, if that is there?  l locked. */
static bool may_have_it(const struct ledger_account *a)
{
	return !a->limited && a->used + a->refused <= a->full;
}

/* What it asked for in vain, its buffer filled before.  l locked. */
static u64 needs(const struct ledger_account *a)
{
	return MAX(a->drawn + a->refused, 1);
}

bool ledger_is_promised(struct ledger_account *a)
{
	bool is;

	spin_lock(&ledger.lock);
	is = may_have_it(a) && ledger_unfilled(a) >= needs(a);
	spin_unlock(&ledger.lock);
	return is;
}

bool ledger_may_resume(struct ledger_account *a, u64 seconds)
{
	struct ledger_sums s;
	u64 wants;
	bool may;

	spin_lock(&ledger.lock);
	s = ledger_sum();
	wants = MIN(MAX(percent(1) / 2, 64) + a->drawn, ledger_lacks(a)) >> MIN(seconds, 63);
	wants = MAX(wants, needs(a));
	may = may_have_it(a) && room_for(a, &s) >= (s64)beyond_promise(a, wants);
	spin_unlock(&ledger.lock);
	return may;
}

void ledger_went_on(struct ledger_account *a)
{
	struct ledger_sums s;
	s64 room;

	spin_lock(&ledger.lock);
	s = ledger_sum();
	room = room_for(a, &s);
	a->kept = !is_first(a) && room > 0 ? MIN((u64)room, to_gate(a)) : 0; /* all that the first lacks is in any case */
	ledger.credit = 0;
	spin_unlock(&ledger.lock);
}

u64 ledger_keep(struct ledger_account *a, u64 most)
{
	u64 kept;

	spin_lock(&ledger.lock);
	kept = a->kept = MIN(kept_for(a), most);
	spin_unlock(&ledger.lock);
	return kept;
}

void ledger_own_taken(struct ledger_account *a, s64 n)
{
	spin_lock(&ledger.lock);
	a->own = n > 0 ? a->own - MIN(a->own, (u64)n) : a->own + (u64)-n;
	spin_unlock(&ledger.lock);
}

bool ledger_host_may_take(u64 n)
{
	struct ledger_sums s;

	spin_lock(&ledger.lock);
	s = ledger_sum();
	spin_unlock(&ledger.lock);
	return s.free + ledger.reserve / 2 >= s.reserve + s.unfilled + n;
}
