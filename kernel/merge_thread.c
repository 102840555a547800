/* When the scanner works: a kernel thread that makes bounded steps.  While nobody waits for a processor it goes
 * through a pass at full speed; otherwise it takes its share of one processor.  Between the beginnings of two passes
 * lies an interval, in which a page must stay unwritten to be looked at; it grows while little is won and there is
 * memory enough.
 *
 * Settings and wanted are words that the monitor's calls write; all else is the thread's own. */
#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"
#include "kernel/heap.h"
#include "kernel/host_cpu.h"
#include "kernel/ledger.h"
#include "kernel/log.h"
#include "kernel/merge.h"
#include "kernel/merge_stock.h"
#include "kernel/thread.h"

#define CPU_PERCENT 5
#define INTERVAL_MS 2000
#define INTERVAL_MAX_MS 3600000
#define HURRY_MS 100
#define HELD_NS 1000000ull /* until it is tried again whether somebody still holds the scanner */
#define POOR_PASSES 4      /* in a row, until the interval begins to double */
#define POOR_DOUBLES 4     /* how often it does so */
#define POOR_PART 1024     /* a pass is poor when it merged less than this part of what it looked at */
#define PLENTY_PART 5      /* ... and at least this part of the memory is free */

static struct thread *scanner;
static u32 wanted = MERGE_RUNNING; /* a: enum merge_state */
static u32 cpu_percent = CPU_PERCENT, interval_ms = INTERVAL_MS, hurried; /* a */
static u32 in_step;  /* a: a step is being made, or somebody holds the scanner */
static u32 roused;   /* a: something happened that ends pauses, and the growth of the interval */

static u32 state = MERGE_RUNNING; /* what the cursors belong to */
static u32 at;          /* the member that is being scanned */
static u64 pass_began;  /* host TSC, 0: not yet */
static u64 won_before, scanned_before; /* counts when the pass began */
static u32 poor_passes; /* in a row */
static bool limited;    /* a guest could not be unmerged, by its own memory-max */
static u64 pause_until; /* host TSC */

void merge_hold_scanner(void)
{
	while (__atomic_exchange_n(&in_step, 1, __ATOMIC_SEQ_CST))
		pause();
}

void merge_release_scanner(void)
{
	__atomic_store_n(&in_step, 0, __ATOMIC_SEQ_CST);
}

void merge_look(void)
{
	__atomic_store_n(&roused, 1, __ATOMIC_SEQ_CST);
	if (scanner)
		thread_wake(scanner);
}

void merge_hurry(bool hurry)
{
	if (__atomic_exchange_n(&hurried, hurry, __ATOMIC_SEQ_CST) != hurry)
		merge_look();
}

bool merge_is_running(void)
{
	return wanted == MERGE_RUNNING;
}

/* ---- passes ---- */

static void begin_pass(void)
{
	at = 0;
	pass_began = 0;
	won_before = merge_counts.merged + merge_counts.zeroed;
	scanned_before = merge_counts.scanned;
}

/* Another kind of work begins with the first page of the first member. */
static void begin_state(u32 fresh)
{
	struct merge_member *member;
	u32 number = 0;

	while ((member = merge_next(number))) {
		number = member->number;
		member->cursor = member->settled = member->dirty = 0;
		merge_release(member);
	}
	state = fresh;
	limited = false;
	begin_pass();
}

static u64 interval(void)
{
	u64 won = merge_counts.merged + merge_counts.zeroed - won_before;
	u64 scanned = merge_counts.scanned - scanned_before, ms = interval_ms;

	if (hurried)
		return clock_cycles(MIN(ms, HURRY_MS) * 1000000);
	if (won * POOR_PART < scanned || !scanned)
		poor_passes++;
	else
		poor_passes = 0;
	if (poor_passes > POOR_PASSES && frame_count(FRAME_FREE) * PLENTY_PART > frame_total())
		ms <<= MIN(poor_passes - POOR_PASSES, POOR_DOUBLES);
	return clock_cycles(ms * 1000000);
}

static void end_unmerge(const char *how)
{
	u32 unmerging = MERGE_UNMERGING;

	log_info("merging: %s; it is stopped", how);
	state = MERGE_STOPPED; /* whatever is wanted next begins afresh */
	__atomic_compare_exchange_n(&wanted, &unmerging, MERGE_STOPPED, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* One step of member's part; true when that is done, and false with *pause set when the pass should not go on. */
static bool member_step(struct merge_member *member)
{
	int done;

	if (state == MERGE_RUNNING)
		return merge_scan(member);
	done = merge_unmerge(member);
	if (done < 0 && ledger_at_limit(member->gmem->account))
		limited = true; /* the others need not wait for it */
	else if (done < 0)
		end_unmerge("not all was unmerged, memory ran out");
	return done != 0;
}

/* A bounded step; until when (host TSC) there is nothing to do after it. */
static u64 work(void)
{
	struct merge_member *member = merge_member(at ? at : 1);
	u64 rest = 0;

	merge_stock_level();
	if (!pass_began)
		pass_began = rdtsc();
	if (!member)
		member = merge_next(at);
	if (member) {
		at = member->number;
		if (member_step(member))
			at++;
		merge_release(member);
	} else if (state == MERGE_RUNNING) {
		merge_counts.passes++;
		rest = pass_began + interval();
		begin_pass();
	} else {
		end_unmerge(limited ? "all is unmerged, but of guests that have their memory-max" : "all is unmerged");
	}
	return rest;
}

static enum step sleep_until(struct thread *t, u64 tsc)
{
	timer_arm(&t->timer, tsc);
	return STEP_BLOCK;
}

static enum step scanner_step(struct thread *t)
{
	u64 now = rdtsc(), rest, cost;

	if (__atomic_exchange_n(&roused, 0, __ATOMIC_SEQ_CST))
		pause_until = poor_passes = 0;
	if (wanted == MERGE_STOPPED)
		return STEP_BLOCK;
	if (now < pause_until)
		return sleep_until(t, pause_until);
	if (__atomic_exchange_n(&in_step, 1, __ATOMIC_SEQ_CST))
		return sleep_until(t, now + clock_cycles(HELD_NS));
	if (state != wanted)
		begin_state(wanted);
	rest = work();
	merge_release_scanner();
	cost = rdtsc() - now;
	merge_counts.cycles += cost;
	if (!rest && !hurried && host_is_busy())
		rest = now + cost + cost * (100 - cpu_percent) / cpu_percent;
	if (rest)
		pause_until = rest;
	cpu_interrupt_window();
	return STEP_AGAIN;
}

static void wake_up(struct timer *timer)
{
	thread_wake(CONTAINER_OF(timer, struct thread, timer));
}

int merge_start(void)
{
	scanner = thread_create(NULL, scanner_step, WEIGHT_DEFAULT);
	if (!scanner)
		return ERR_NOMEM;
	scanner->timer.expired = wake_up;
	thread_start(scanner);
	return 0;
}

/* ---- what the monitor asks ---- */

/* Frames that it takes to unmerge all. */
static u64 unmerge_frames(void)
{
	u64 frames = frame_count(FRAME_MERGED), leaves = gmem_totals.merged;

	return leaves - MIN(leaves, frames) + gmem_totals.given;
}

static void count_members(struct merge_info *info)
{
	struct merge_member *member;
	u32 number = 0;

	while ((member = merge_next(number))) {
		number = member->number;
		info->guests++;
		info->pages_unshared += member->pages_unshared;
		info->pages_volatile += member->pages_volatile;
		merge_release(member);
	}
}

void merge_info(struct merge_info *info)
{
	const struct merge_counts *c = &merge_counts;

	*info = (struct merge_info){ .state = wanted, .cpu_percent = cpu_percent, .interval_ms = interval_ms };
	count_members(info);
	info->pages_shared = frame_count(FRAME_MERGED);
	info->pages_sharing = gmem_totals.merged - MIN(gmem_totals.merged, info->pages_shared);
	info->zero_pages = gmem_totals.given;
	info->pages_scanned = c->scanned;
	info->pages_skipped = c->skipped;
	info->full_scans = c->passes;
	info->general_profit = (s64)((info->pages_sharing + info->zero_pages) * PAGE_SIZE) - (s64)merge_index_bytes();
	info->born_merged = gmem_totals.file;
	info->pages_hashed = c->hashed;
	info->pages_compared = c->compared;
	info->pages_differed = c->differed;
	info->pages_merged = c->merged + c->zeroed;
	info->slots_evicted = c->evicted;
	info->cpu_ns = clock_duration_ns(c->cycles);
	info->cycles = c->cycles;
	info->bookkeeping = merge_index_bytes();
	info->unmerge_cost = unmerge_frames() * PAGE_SIZE;
}

/* Frames come through the ledger's gate, so what it withholds does not count; unless all guests can have their full
 * sizes at once: then it withholds from each only what others do not have yet, which is counted twice.  A hundredth of
 * the memory stays for what comes meanwhile, and for what the gate keeps back from low claims. */
static bool unmerge_fits(void)
{
	u64 spare = frame_total() / 100 * PAGE_SIZE;
	struct ledger_info l;

	ledger_info(&l);
	return unmerge_frames() * PAGE_SIZE + spare <= l.available ||
	       l.lacks + l.reserve + l.machines + spare <= frame_count(FRAME_FREE) * PAGE_SIZE;
}

int merge_control(enum merge_control what, u64 value)
{
	switch (what) {
	case MERGE_CONTROL_STOP: wanted = MERGE_STOPPED; break;
	case MERGE_CONTROL_RUN:
		merge_scan_afresh();
		wanted = MERGE_RUNNING;
		break;
	case MERGE_CONTROL_UNMERGE:
		if (!unmerge_fits())
			return ERR_NOMEM;
		wanted = MERGE_UNMERGING;
		break;
	case MERGE_CONTROL_CPU:
		if (!value || value > 100)
			return ERR_INVAL;
		cpu_percent = (u32)value;
		break;
	case MERGE_CONTROL_INTERVAL:
		if (!value || value > INTERVAL_MAX_MS)
			return ERR_INVAL;
		interval_ms = (u32)value;
		break;
	default: return ERR_INVAL;
	}
	merge_look();
	return 0;
}
