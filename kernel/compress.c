/* The thread of compress.h: each step is a bounded one through one guest's memory.  It takes CPU_PERCENT of a processor
 * from threads that wait for one, but at pressure `low`, where guests wait for it, as much as it needs.
 *
 * No lock is held during a step: `at` says whose memory it is, is set under that guest's lock, and the reaper waits for
 * it.  The guests' compress_at and compress_due are the thread's own. */
#include "kernel/compress.h"

#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/frame.h"
#include "kernel/gmem_compress.h"
#include "kernel/guest.h"
#include "kernel/host_cpu.h"
#include "kernel/log.h"
#include "kernel/merge.h"
#include "kernel/thread.h"

#define CPU_PERCENT 5
#define LOOK_NS 1000000000ull /* from the end of one look at a guest to the next, at least, ... */
#define LOOKS_MAX 4           /* ... and at most, in LOOK_NS */
#define LIMIT_NS 100000000ull /* the same for a guest that waits at its memory-max, ... */
#define LIMIT_VAIN 3          /* ... and looks in vain are enough: one began somewhere, one cleared accessed bits */
#define IDLE_NS 100000000ull  /* until it is looked again whether there is something to do */

static struct thread *compressor;
static struct gmem *at;       /* a: whose memory the step is in */
static u64 pause_until;       /* o: host TSC */
static u64 cycles;            /* o, read by others as a figure */
static u64 before;            /* o: pages compressed in all when memory became short; UINT64_MAX: it is not */

bool compress_leave(const struct gmem *m)
{
	return __atomic_load_n(&at, __ATOMIC_SEQ_CST) != m;
}

/* ---- whose turn it is ---- */

struct choice {
	u64 now;
	bool pressed; /* memory is short, not only for guests at their limit */
	const struct guest *first; /* the highest claim of all that have memory */
	struct guest *best;
	bool limited; /* the best is one of those */
	struct gmem_compress_how how;
};

/* Nobody runs in it: nothing of it is in use. */
static bool is_at_rest(const struct guest *g)
{
	return g->state == GUEST_PAUSED || g->state == GUEST_STOPPED;
}

static bool is_there(const struct guest *g)
{
	return g->state == GUEST_RUNNING || is_at_rest(g);
}

static void find_first(struct guest *g, void *argument)
{
	struct choice *c = argument;

	if (is_there(g) && (!c->first || ledger_goes_before(&g->account, &c->first->account)))
		c->first = g;
}

/* It waits for its own memory-max: nobody but itself can make room for it. */
static bool at_limit(struct guest *g)
{
	return guest_waits_memory(g) && ledger_at_limit(&g->account);
}

/* Nothing is kept for the first when its run has ended. */
static bool may_give(const struct choice *c, struct guest *g)
{
	bool exempt = g == c->first && g->state != GUEST_STOPPED;

	return is_there(g) && ((c->pressed && !exempt) || at_limit(g));
}

/* Has it compressed pages in the look that it is in? */
static bool has_won(const struct gmem *m)
{
	return m->compress_at && m->compressions != m->compress_won;
}

/* Where memory is not short any more a look at which pages were compressed rests, to go on there when it is again. */
static bool is_due(const struct choice *c, struct guest *g)
{
	const struct gmem *m = &g->gmem;
	u64 due = m->compress_due;

	if (at_limit(g))
		due = MIN(due, m->compress_ended + clock_cycles(LIMIT_NS));
	else if (c->how.look && has_won(m))
		return false;
	else if (guest_waits_memory(g))
		due = MIN(due, m->compress_ended + clock_cycles(LOOK_NS));
	return m->compress_at || c->now >= due;
}

/* Pages of a guest that waits are not accessed because it waits, and it would soon have them back: first what others do
 * not use although they could. */
static bool goes_first(struct guest *a, struct guest *b)
{
	if (at_limit(a) != at_limit(b))
		return at_limit(a);
	if (is_at_rest(a) != is_at_rest(b))
		return is_at_rest(a);
	if (guest_waits_memory(a) != guest_waits_memory(b))
		return guest_waits_memory(b);
	return ledger_goes_before(&b->account, &a->account);
}

static void find_best(struct guest *g, void *argument)
{
	struct choice *c = argument;

	if (may_give(c, g) && is_due(c, g) && (!c->best || goes_first(g, c->best)))
		c->best = g;
}

/* It waits: what it used last is found by a second look. */
static void begin_limited(struct choice *c, struct guest *g)
{
	c->how.look = c->how.known_only = false;
	if (g->gmem.compress_wait != g->waits_since)
		g->gmem.compress_vain = 0;
	g->gmem.compress_wait = g->waits_since;
}

/* The list is locked, so that the guest is there; from its lock on its memory stays. */
static void choose(struct guest *g, void *argument)
{
	struct choice *c = argument;

	if (g != c->best)
		return;
	spin_lock(&g->lock);
	if (may_give(c, g)) {
		__atomic_store_n(&at, &g->gmem, __ATOMIC_SEQ_CST);
		c->limited = at_limit(g);
		c->how.at_rest = is_at_rest(g) || (!g->gmem.format->accessed && g->hold & HOLD_MEMORY);
		c->how.split = c->limited;
		if (c->limited)
			begin_limited(c, g);
	}
	spin_unlock(&g->lock);
}

/* A look has ended.  The more of its compressed pages the guest had back since the last one, the longer it is left
 * alone: it comes round to its pages, only more seldom than it was looked at. */
static void end_look(struct gmem *m)
{
	u64 back = m->decompressions - m->compress_back, there = m->store.objects + 1;
	u64 looks = MIN(1 + back * LOOKS_MAX / there, LOOKS_MAX);

	m->compress_back += back;
	m->compress_won = m->compressions;
	m->compress_ended = rdtsc();
	m->compress_due = m->compress_ended + clock_cycles(LOOK_NS * looks);
}

/* The same of a guest that waits at its limit.  When whole looks have found nothing, the first of which made pages
 * unaccessed, it must do with the room that there is. */
static void end_limited(struct gmem *m)
{
	m->compress_vain = m->compressions == m->compress_won ? m->compress_vain + 1 : 0;
	if (m->compress_vain < LIMIT_VAIN)
		return;
	m->compress_vain = 0;
	ledger_limit_done(m->account);
}

/* A step; false: there is nothing to do now. */
static bool work(enum memory_level level)
{
	struct choice c = { .now = rdtsc(), .pressed = level != MEMORY_HIGH,
			    .how = { .look = level < MEMORY_HARD, .known_only = merge_is_running() } };
	struct gmem *m;

	guest_each(find_first, &c);
	guest_each(find_best, &c);
	if (c.best)
		guest_each(choose, &c);
	m = at;
	if (!m)
		return false;
	if (gmem_compress(m, c.how)) {
		if (c.limited)
			end_limited(m);
		end_look(m);
	}
	__atomic_store_n(&at, NULL, __ATOMIC_SEQ_CST);
	return true;
}

/* ---- the thread ---- */

/* One line when compression begins, one when memory is plenty again. */
static void tell(enum memory_level level)
{
	u64 pages = gmem_compress_counts.compressed;

	if (level >= MEMORY_HARD && before == UINT64_MAX) {
		before = pages;
		log_info("compression of cold pages begins");
	} else if (level == MEMORY_HIGH && before != UINT64_MAX) {
		log_info("compression ends: %lu pages more; %lu are compressed now, in %lu KiB",
			 (unsigned long)(pages - before), (unsigned long)gmem_compress_counts.pages,
			 (unsigned long)(frame_count(FRAME_COMPRESSED) * PAGE_SIZE / KIB));
		before = UINT64_MAX;
	}
}

static enum step sleep_until(struct thread *t, u64 tsc)
{
	timer_arm(&t->timer, tsc);
	return STEP_BLOCK;
}

static enum step compressor_step(struct thread *t)
{
	u64 now = rdtsc(), cost, available;
	enum memory_level level = ledger_level(&available);
	bool worked;

	tell(level);
	if (now < pause_until)
		return sleep_until(t, pause_until);
	worked = work(level);
	if (!worked && level == MEMORY_HIGH)
		return STEP_BLOCK;
	cost = rdtsc() - now;
	cycles += cost;
	if (!worked)
		pause_until = now + clock_cycles(IDLE_NS);
	else if (level != MEMORY_LOW && host_is_busy())
		pause_until = now + cost + cost * (100 - CPU_PERCENT) / CPU_PERCENT;
	cpu_interrupt_window();
	return STEP_AGAIN;
}

static void wake_up(struct timer *timer)
{
	thread_wake(CONTAINER_OF(timer, struct thread, timer));
}

void compress_wake(void)
{
	thread_wake(compressor);
}

int compress_start(void)
{
	compressor = thread_create(NULL, compressor_step, WEIGHT_DEFAULT);
	if (!compressor)
		return ERR_NOMEM;
	before = UINT64_MAX;
	compressor->timer.expired = wake_up;
	thread_start(compressor);
	return 0;
}

void compress_info(struct compress_info *info)
{
	const struct gmem_compress_counts *c = &gmem_compress_counts;

	*info = (struct compress_info){ .pages = c->pages, .bytes = frame_count(FRAME_COMPRESSED) * PAGE_SIZE,
					.compressed = c->compressed, .decompressed = c->decompressed, .refused = c->refused,
					.cpu_ns = clock_duration_ns(cycles), .cycles = cycles };
}
