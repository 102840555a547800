/* Memory pressure: guests that wait for memory, the level, and what is done at each.  A kernel thread looks as
 * long as there is something to look after, ROUND_NS apart, and sleeps otherwise.
 *
 * A guest that the ledger refuses a frame gets HOLD_MEMORY, whoever asked; nobody but this thread takes it
 * away, so no wake-up is lost.  Those that wait go on in the order of their claims, one in a round, and what is there
 * for one is kept from those after it, as far as it would take it within SETTLE_NS: what comes back would else be torn
 * between all, and all wait again.  Those that were promised what they ask for go on at once. */
#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/collapse.h"
#include "kernel/compress.h"
#include "kernel/frame.h"
#include "kernel/guest.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/merge.h"
#include "kernel/monitor.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "kernel/vcpu.h"

#define ROUND_NS 100000000ull
#define TARGETS_NS 2000000000ull
#define SETTLE_NS 2000000000ull
#define PACE_NS 200000000ull /* what it takes in the first part of that tells how much it will take */

/* Balloons keep what they gave until memory was plenty for so long.  A guest that had it back at once would take it at
 * once, memory would be short again within a few rounds, and so to and fro. */
#define KEEP_NS 5000000000ull

static struct thread *keeper;

static unsigned long kib(u64 bytes)
{
	return (unsigned long)(bytes / KIB);
}

static const char *name_of(u32 id)
{
	const struct guest *g = id ? guest_find(id) : NULL;

	return g ? g->name : "nobody";
}

static void log_wait(struct guest *g)
{
	struct ledger_info i;

	ledger_info(&i);
	if (g->account.used >= g->account.full)
		log_limited(&g->memory_log, LOG_WARN, "guest %u %s: waits for memory: it has all that it may have, "
			    "%lu KiB", g->id, g->name, kib(g->account.full * PAGE_SIZE));
	else
		log_limited(&g->memory_log, LOG_WARN, "guest %u %s: waits for memory: %lu KiB free, of them %lu reserve, "
			    "%lu machines', %lu promised, %lu kept for %s, %lu for guests that went on", g->id, g->name,
			    kib(frame_count(FRAME_FREE) * PAGE_SIZE), kib(i.reserve), kib(i.machines),
			    kib(i.promised), kib(i.claim), name_of(i.claimant), kib(i.kept));
}

void guest_wait_memory(struct guest *g)
{
	bool news;

	spin_lock(&g->lock);
	news = guest_is_alive(g) && !(g->hold & HOLD_MEMORY);
	if (news) {
		g->waits_since = clock_ns();
		__atomic_or_fetch(&g->hold, HOLD_MEMORY, __ATOMIC_SEQ_CST);
		guest_kick(g, REQUEST_KICK);
	}
	spin_unlock(&g->lock);
	if (!news)
		return;
	log_wait(g);
	monitor_raise(EVENT_GUEST);
	pressure_look();
}

/* ---- going on ---- */

struct round {
	struct guest *best; /* of those that may go on, the one with the highest claim */
	bool again;         /* somebody waits, or went on a moment ago */
	bool limited;       /* some of those that wait do so at their memory-max */
};

/* What it will take in the time that is left to it, at its pace so far.  Who waits again is after nothing that there
 * is. */
static u64 will_take(const struct guest *g)
{
	u64 time = clock_ns() - g->settling.since;

	if (guest_waits_memory(g) || time >= SETTLE_NS)
		return 0;
	return time < PACE_NS ? UINT64_MAX : g->settling.taken * (SETTLE_NS - time) / time;
}

static void settle(struct guest *g, void *argument)
{
	struct round *r = argument;

	if (!g->settling.since)
		return;
	g->settling.taken += g->settling.kept - MIN(g->settling.kept, g->account.kept);
	g->settling.kept = ledger_keep(&g->account, will_take(g));
	if (g->settling.kept)
		r->again = true;
	else
		g->settling.since = 0;
}

/* The list is locked, so that the guest stays. */
static void go_on(struct guest *g)
{
	spin_lock(&g->lock);
	if (guest_waits_memory(g)) {
		ledger_went_on(&g->account);
		g->settling.since = clock_ns();
		g->settling.kept = g->account.kept;
		g->settling.taken = 0;
		__atomic_and_fetch(&g->hold, ~(u32)HOLD_MEMORY, __ATOMIC_SEQ_CST);
		guest_kick(g, REQUEST_RESUMED);
		if (g->process)
			process_wake(g->process); /* its writes may wait, too */
		log_limited(&g->memory_log, LOG_INFO, "guest %u %s: goes on: there is memory again", g->id, g->name);
	}
	spin_unlock(&g->lock);
	monitor_raise(EVENT_GUEST);
}

static void go_on_promised(struct guest *g, void *argument)
{
	struct round *r = argument;

	if (!guest_waits_memory(g) || !ledger_is_promised(&g->account))
		return;
	r->again = true;
	go_on(g);
}

static void look_at(struct guest *g, void *argument)
{
	struct round *r = argument;

	if (!guest_waits_memory(g))
		return;
	r->again = true;
	r->limited |= ledger_at_limit(&g->account);
	if (ledger_may_resume(&g->account, (clock_ns() - g->waits_since) / 1000000000) &&
	    (!r->best || ledger_goes_before(&g->account, &r->best->account)))
		r->best = g;
}

static void go_on_best(struct guest *g, void *argument)
{
	if (g == argument)
		go_on(g);
}

/* False: there is nobody to look after. */
static bool let_go_on(void)
{
	struct round r = { .best = NULL };

	guest_each(settle, &r);
	guest_each(go_on_promised, &r);
	guest_each(look_at, &r);
	if (r.best)
		guest_each(go_on_best, r.best);
	if (r.limited)
		compress_wake();
	return r.again;
}

/* ---- the level ---- */

static void log_level(enum memory_level level, u64 available)
{
	static const char *const what[] = { "high: nothing is asked of guests", "soft: balloons are filled",
					    "hard: balloons and merging at full speed, then compression",
					    "low: guests that ask for more wait, those with the lowest claim first" };
	struct ledger_info i;

	ledger_info(&i);
	log_info("memory pressure %s; %lu KiB can be given: %lu free, less %lu reserve, %lu machines', %lu promised, "
		 "%lu kept for %s", what[level], kib(available * PAGE_SIZE), kib(frame_count(FRAME_FREE) * PAGE_SIZE),
		 kib(i.reserve), kib(i.machines), kib(i.promised), kib(i.claim), name_of(i.claimant));
}

static enum memory_level current; /* o: the keeper's */

/* A level is told when it is new since memory was plenty, and else from time to time: what is compressed and what
 * guests take make it go up and down many times a second. */
static void tell_level(enum memory_level level, u64 available)
{
	static u64 told[MEMORY_LOW + 1]; /* clock ns, 0: not since then */
	u64 now = clock_ns();

	if (!told[level] || now - told[level] >= PRESSURE_TELL_NS) {
		log_level(level, available);
		told[level] = now;
	}
	if (level == MEMORY_HIGH)
		memset(told, 0, sizeof(told));
}

static u64 asked; /* o: the keeper's: clock ns when balloons were asked last, 0: they are not */

/* Balloons are asked for what lacks to the high level, again each TARGETS_NS as long as it does. */
static void follow_targets(enum memory_level level, u64 available)
{
	static u64 lacked; /* clock ns: so late it did */
	u64 wanted = frame_total() * 6 / 100, now = clock_ns();

	if (level != MEMORY_HIGH) {
		lacked = now;
		if (!asked || now - asked >= TARGETS_NS) {
			targets_set(wanted > available ? wanted - available : 1);
			asked = now;
		}
	} else if (asked && now - lacked >= KEEP_NS) {
		targets_set(0);
		asked = 0;
	}
}

/* What is done at each level is done below it, too: when memory shrinks fast, levels that were passed are told, too. */
static void tell_change(enum memory_level level, u64 available)
{
	for (enum memory_level passed = current + 1; passed < level; passed++)
		tell_level(passed, available);
	if (level != current)
		tell_level(level, available);
}

static enum memory_level follow_level(void)
{
	u64 available;
	enum memory_level level = ledger_level(&available);

	tell_change(level, available);
	follow_targets(level, available);
	merge_hurry(level >= MEMORY_HARD);
	if (level != current) {
		compress_wake();
		collapse_look();
	}
	current = level;
	return level;
}

static void time_to_look(struct timer *t)
{
	thread_wake(CONTAINER_OF(t, struct thread, timer));
}

static enum step look(struct thread *t)
{
	enum memory_level level = follow_level();
	bool again = let_go_on();

	if (again || asked || level != MEMORY_HIGH) {
		t->timer.expired = time_to_look;
		timer_arm(&t->timer, rdtsc() + clock_cycles(ROUND_NS));
	}
	return STEP_BLOCK;
}

void pressure_look(void)
{
	thread_wake(keeper);
}

int pressure_start(void)
{
	keeper = thread_create(NULL, look, WEIGHT_DEFAULT);
	if (!keeper)
		return ERR_NOMEM;
	ledger_notify = pressure_look;
	thread_start(keeper);
	return 0;
}
