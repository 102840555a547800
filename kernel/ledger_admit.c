/* Who comes in, on what terms, and what an operator is told of it. */
#include "kernel/frame.h"
#include "kernel/ledger_parts.h"

bool ledger_goes_before(const struct ledger_account *a, const struct ledger_account *b)
{
	return a->shares != b->shares ? a->shares > b->shares : a->started < b->started;
}

static void enter(struct ledger_account *a)
{
	struct link *at = ledger.accounts.next;

	while (at != &ledger.accounts && ledger_goes_before(LIST_ITEM(at, struct ledger_account, link), a))
		at = at->next;
	list_insert(&a->link, at);
	ledger.credit = 0;
}

static void leave(struct ledger_account *a)
{
	list_remove(&a->link);
	ledger.credit = 0;
}

static void set_terms(struct ledger_account *a, const struct ledger_terms *t)
{
	a->full = MAX(t->full, a->used);
	a->room = t->room;
	a->limited = a->room && a->used >= a->full; /* if it waits: until it has made room */
	a->min = MIN(t->min, t->full);
	a->shares = t->shares;
	a->own = t->own;
	a->buffer = t->buffer;
}

/* Is what all sizes lack together within the host's overcommit setting?  sharing: what sharing saves now stays
 * saved, and the new guest will share as large a part as the others do. */
static bool judge_sizes(const struct ledger_account *a, const struct ledger_sums *s, u64 saved, struct admission *out)
{
	u64 held = s->used - a->used, lacks = s->lacks, own = ledger_lacks(a);

	if (ledger.overcommit == OVERCOMMIT_FULL)
		return true;
	if (ledger.overcommit == OVERCOMMIT_SHARING && saved)
		lacks = (lacks - own) - MIN(saved, lacks - own) + own * held / (held + saved);
	out->lacks = lacks * PAGE_SIZE;
	return lacks + s->reserve <= s->free;
}

/* a is in: is the state safe with it?  False if the sizes do not add up, whatever the verdict. */
static bool judge(const struct ledger_account *a, u64 saved, struct admission *out)
{
	struct ledger_sums s = ledger_sum();
	struct ledger_least least;
	bool sizes;

	ledger_slack(s, NULL, &least);
	*out = (struct admission){
		.overcommit = ledger.overcommit, .needs = ledger_lacks(a) * PAGE_SIZE, .min = a->min * PAGE_SIZE,
		.free = s.free * PAGE_SIZE, .reserve = s.reserve * PAGE_SIZE, .promised = least.unfilled * PAGE_SIZE,
		.claimant = least.guest->id, .claim = ledger_lacks(least.guest) * PAGE_SIZE,
		.ahead = least.ahead * PAGE_SIZE,
	};
	sizes = judge_sizes(a, &s, saved, out);
	out->verdict = least.slack < 0 ? ADMIT_CLAIM : sizes ? ADMIT_OK : ADMIT_SIZES;
	return sizes;
}

int ledger_admit(struct ledger_account *a, u32 id, const struct ledger_terms *terms, u64 saved,
		 struct admission *out)
{
	spin_lock(&ledger.lock);
	set_terms(a, terms);
	a->id = id;
	a->started = ++ledger.admissions;
	a->drawn = a->refused = a->kept = 0;
	enter(a);
	judge(a, saved, out);
	if (out->verdict)
		leave(a);
	spin_unlock(&ledger.lock);
	return out->verdict ? ERR_NOMEM : 0;
}

/* Whoever asks for no more than it had may: it makes nothing worse. */
int ledger_tune(struct ledger_account *a, const struct ledger_terms *terms, u64 saved, struct admission *out)
{
	struct ledger_account before;
	struct ledger_least least;
	bool sizes, ok;
	s64 slack;

	spin_lock(&ledger.lock);
	before = *a;
	slack = ledger_slack(ledger_sum(), NULL, &least);
	leave(a);
	set_terms(a, terms);
	a->own = before.own;
	a->buffer = before.buffer;
	enter(a);
	sizes = judge(a, saved, out) || a->full <= before.full;
	ok = out->verdict != ADMIT_CLAIM || ledger_slack(ledger_sum(), NULL, &least) >= slack;
	if (ok && !sizes)
		out->verdict = ADMIT_SIZES;
	ok = ok && sizes;
	if (!ok) {
		leave(a);
		*a = before;
		enter(a);
	}
	spin_unlock(&ledger.lock);
	return ok ? 0 : ERR_NOMEM;
}

void ledger_freeze(struct ledger_account *a)
{
	spin_lock(&ledger.lock);
	a->full = a->room = a->min = a->own = a->buffer = a->drawn = a->kept = 0;
	a->limited = true; /* nobody need wait until it has room */
	ledger.credit = 0;
	spin_unlock(&ledger.lock);
}

void ledger_remove(struct ledger_account *a)
{
	spin_lock(&ledger.lock);
	if (list_linked(&a->link))
		leave(a);
	spin_unlock(&ledger.lock);
}

void ledger_info(struct ledger_info *info)
{
	struct ledger_sums s;
	struct ledger_least least;

	spin_lock(&ledger.lock);
	s = ledger_sum();
	*info = (struct ledger_info){
		.overcommit = ledger.overcommit, .level = ledger.level, .reserve = ledger.reserve * PAGE_SIZE,
		.machines = (s.reserve - ledger.reserve) * PAGE_SIZE, .promised = s.unfilled * PAGE_SIZE,
		.lacks = s.lacks * PAGE_SIZE, .available = ledger_available(&s) * PAGE_SIZE, .kept = s.kept * PAGE_SIZE,
	};
	if (s.count > 1 && ledger_slack(s, LIST_ITEM(ledger.accounts.prev, struct ledger_account, link), &least)) {
		info->claimant = least.guest->id;
		info->claim = ledger_lacks(least.guest) * PAGE_SIZE;
	}
	spin_unlock(&ledger.lock);
}
