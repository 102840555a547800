/* When the scanner makes its passes: at intervals, at once when memory is short, never while somebody holds it. */
/* links: kernel/merge_thread.c kernel/clock.c kernel/frame.c kernel/ledger.c kernel/ledger_admit.c kernel/lock.c
 * tests/unit/fake_arch.c tests/unit/fake_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/clock.h"
#include "kernel/gmem_leaf.h"
#include "kernel/ledger.h"
#include "kernel/log.h"
#include "kernel/merge_stock.h"
#include "kernel/merge.h"
#include "kernel/thread.h"
#include "tests/unit/fake_arch.h"

#define HZ 2000000000ull
#define MS (HZ / 1000)

const u64 fake_frames = 1024;
const u32 fake_cpu_count = 1;
struct merge_counts merge_counts;
struct gmem_totals gmem_totals;
static struct thread thread;
static u64 armed; /* what the thread's timer was set to */
static u32 woken;
static struct ledger_account account_of_member;
static struct gmem gmem_of_member = { .account = &account_of_member };
static struct merge_member member = { .number = 1, .gmem = &gmem_of_member };
static bool joined;       /* there is a guest that merges: member */
static struct {
	u64 cost;         /* cycles that a step takes */
	u32 steps;        /* of a pass */
	u64 scanned, won; /* pages, in each */
} scan;
static u32 afresh;
static bool look_in_step; /* something new comes during the next step */
static char logged[128];  /* the last line of the log */

struct thread *thread_create(struct process *process, enum step (*step)(struct thread *t), u32 weight)
{
	thread.step = step;
	return &thread;
}

void thread_start(struct thread *t)
{
}

void thread_wake(struct thread *t)
{
	woken++;
}

void timer_arm(struct timer *t, u64 deadline)
{
	armed = deadline;
}

struct merge_member *merge_member(u32 number)
{
	return joined && number == member.number ? &member : NULL;
}

struct merge_member *merge_next(u32 number)
{
	return joined && number < member.number ? &member : NULL;
}

void merge_release(struct merge_member *m)
{
}

void merge_scan_afresh(void)
{
	afresh++;
}

bool merge_scan(struct merge_member *m)
{
	fake_tsc += scan.cost;
	merge_counts.scanned += scan.scanned;
	merge_counts.merged += scan.won;
	m->cursor = (m->cursor + 1) % scan.steps;
	return !m->cursor;
}

void merge_stock_level(void)
{
	if (look_in_step)
		merge_look();
	look_in_step = false;
}

int merge_unmerge(struct merge_member *m)
{
	if (account_of_member.limited)
		return ERR_NOMEM;
	gmem_totals.merged = 0;
	return 1;
}

u64 merge_index_bytes(void)
{
	return 0;
}

void log_print(u32 level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(logged, sizeof(logged), format, args);
	va_end(args);
}

/* Steps until it sleeps; until when, in ms from now. */
static u64 sleep_ms(void)
{
	while (thread.step(&thread) == STEP_AGAIN)
		;
	return (armed - fake_tsc) / MS;
}

static void begin(void)
{
	fake_tsc_start();
	clock_init(fake_tsc, HZ, 0);
	if (!thread.step)
		assert_int_equal(merge_start(), 0);
	joined = false;
	memset(&scan, 0, sizeof(scan));
	scan.steps = 1;
	member.cursor = 0;
	merge_hurry(false);
	account_of_member.limited = false;
	afresh = 0;
	assert_int_equal(merge_control(MERGE_CONTROL_RUN, 0), 0);
	assert_int_equal(afresh, 1);
}

static void test_interval(void **state)
{
	u64 passes;

	begin();
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 60000), 0);
	passes = merge_counts.passes;
	assert_int_equal(sleep_ms(), 60000); /* a pass at once, the next after the interval */
	assert_int_equal(merge_counts.passes, passes + 1);
	fake_tsc += 59999 * MS;
	assert_int_equal(sleep_ms(), 1);
	assert_int_equal(merge_counts.passes, passes + 1);
	fake_tsc += 2 * MS;
	assert_int_equal(sleep_ms(), 60000);
	assert_int_equal(merge_counts.passes, passes + 2);
}

/* However long the wait was that memory's shortness ends: what follows are short ones. */
static void test_hurry(void **state)
{
	u64 passes;

	begin();
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 3600000), 0);
	assert_int_equal(sleep_ms(), 3600000);
	passes = merge_counts.passes;
	woken = 0;
	merge_hurry(true);
	assert_int_equal(woken, 1);
	assert_int_equal(sleep_ms(), 100);
	assert_int_equal(merge_counts.passes, passes + 1);
	merge_hurry(true); /* no news */
	assert_int_equal(woken, 1);
	merge_hurry(false);
	assert_int_equal(sleep_ms(), 3600000);
}

static void test_new_interval_counts_at_once(void **state)
{
	begin();
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 3600000), 0);
	assert_int_equal(sleep_ms(), 3600000);
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 50), 0);
	assert_int_equal(sleep_ms(), 50);
}

static void test_held_and_stopped(void **state)
{
	u64 passes;

	begin();
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 1), 0);
	passes = merge_counts.passes;
	merge_hold_scanner();
	assert_int_equal(sleep_ms(), 1);
	assert_int_equal(merge_counts.passes, passes);
	merge_release_scanner();
	fake_tsc += 2 * MS;
	(void)sleep_ms();
	assert_int_equal(merge_counts.passes, passes + 1);
	assert_int_equal(merge_control(MERGE_CONTROL_STOP, 0), 0);
	armed = 0;
	assert_int_equal(thread.step(&thread), STEP_BLOCK);
	assert_int_equal(armed, 0);
	assert_int_equal(merge_control(MERGE_CONTROL_CPU, 101), ERR_INVAL);
}

/* Steps to the end of n passes that win little; the wait after the last, in ms. */
static u64 poor_passes(u32 n)
{
	u64 ms = 0;

	for (u32 i = 0; i < n; i++) {
		ms = sleep_ms();
		fake_tsc = armed;
	}
	return ms;
}

/* README: after four passes that won little the wait doubles, up to 16 times; memory that gets short ends it. */
static void test_back_off(void **state)
{
	static const u64 waits[] = { 2000, 2000, 2000, 2000, 4000, 8000, 16000, 32000, 32000, 32000 };

	begin();
	joined = true;
	scan.scanned = 2048;
	scan.won = 1;
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 2000), 0);
	for (u32 i = 0; i < ARRAY_SIZE(waits); i++)
		assert_int_equal(poor_passes(1), waits[i]);
	assert_int_equal(sleep_ms(), 32000);
	merge_hurry(true);
	assert_int_equal(poor_passes(20), 100);
	merge_hurry(false);
	assert_int_equal(poor_passes(4), 2000);
	assert_int_equal(poor_passes(2), 8000);
	scan.won = 2; /* a page in 1024 */
	assert_int_equal(poor_passes(1), 2000);
	assert_int_equal(poor_passes(20), 2000);
}

static void test_no_back_off_when_memory_is_not_plenty(void **state)
{
	begin();
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 2000), 0);
	fake_leave(frame_total() / 5);
	assert_int_equal(poor_passes(20), 2000);
	fake_give_back();
	assert_int_equal(poor_passes(1), 32000);
}

/* Which part of so many ms the scanner takes for itself, in thousandths. */
static u64 share_of(u64 ms)
{
	u64 from = fake_tsc, cycles = merge_counts.cycles;

	while (fake_tsc - from < ms * MS)
		if (thread.step(&thread) == STEP_BLOCK)
			fake_tsc = armed;
	return (merge_counts.cycles - cycles) * 1000 / (fake_tsc - from);
}

/* With passes that follow each other at once, so that nothing but the budget keeps it from working. */
static void test_budget(void **state)
{
	begin();
	joined = true;
	scan.cost = MS;
	scan.steps = 100;
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 1), 0);
	assert_in_range(share_of(20000), 990, 1000); /* nobody else wants the processor */
	host_cpus[0]->queue.count = 1;
	assert_in_range(share_of(20000), 48, 50); /* 5 %, before anything was set */
	assert_int_equal(merge_control(MERGE_CONTROL_CPU, 50), 0);
	assert_in_range(share_of(20000), 490, 500);
	merge_hurry(true);
	assert_in_range(share_of(20000), 990, 1000);
	merge_hurry(false);
	assert_int_equal(merge_control(MERGE_CONTROL_CPU, 5), 0);
	assert_in_range(share_of(20000), 48, 50);
	host_cpus[0]->queue.count = 0;
}

/* A host that was idle for long looks at a guest that comes at once, and as often as at first. */
static void test_newcomer(void **state)
{
	u64 passes;

	begin();
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 2000), 0);
	assert_int_equal(poor_passes(10), 32000);
	assert_int_equal(sleep_ms(), 32000);
	passes = merge_counts.passes;
	joined = true;
	woken = 0;
	merge_look();
	assert_int_equal(woken, 1);
	assert_int_equal(sleep_ms(), 2000);
	assert_int_equal(merge_counts.passes, passes + 1);
}

/* A guest that comes during a step, of which the step knows nothing. */
static void test_newcomer_during_a_step(void **state)
{
	begin();
	assert_int_equal(merge_control(MERGE_CONTROL_INTERVAL, 2000), 0);
	look_in_step = true;
	assert_int_equal(thread.step(&thread), STEP_AGAIN); /* the whole of a pass, and before it ... */
	assert_false(look_in_step);
	assert_int_equal(thread.step(&thread), STEP_AGAIN); /* ... something new: another pass at once */
}

/* A guest with the first claim, which may still grow to so many frames, and one after it. */
static void admit_two(u64 full, u64 full_second)
{
	static struct ledger_account first, second;
	struct admission a;

	first = second = (struct ledger_account){ 0 };
	ledger_start(16 * PAGE_SIZE, OVERCOMMIT_FULL);
	assert_int_equal(ledger_admit(&first, 1, &(struct ledger_terms){ .full = full, .shares = 2 }, 0, &a), 0);
	assert_int_equal(ledger_admit(&second, 2, &(struct ledger_terms){ .full = full_second, .shares = 1 }, 0, &a), 0);
}

static u32 state_now(void)
{
	struct merge_info info;

	merge_info(&info);
	return info.state;
}

/* Most of what is free is the first guest's claim: who unmerges may not have it. */
static void test_unmerge_that_does_not_fit(void **state)
{
	u64 available;

	begin();
	joined = true;
	admit_two(900, 500);
	(void)ledger_level(&available);
	gmem_totals.merged = 200;
	assert_true(available > 50 && available < 200 && frame_count(FRAME_FREE) > 900);
	(void)sleep_ms();
	woken = 0;
	*logged = 0;
	assert_int_equal(merge_control(MERGE_CONTROL_UNMERGE, 0), ERR_NOMEM);
	assert_int_equal(state_now(), MERGE_RUNNING);
	assert_int_equal(woken, 0);
	(void)sleep_ms();
	assert_int_equal(gmem_totals.merged, 200);
	assert_string_equal(logged, "");
	gmem_totals.merged = available - fake_frames / 100;
	assert_int_equal(merge_control(MERGE_CONTROL_UNMERGE, 0), 0);
	assert_int_equal(state_now(), MERGE_UNMERGING);
	(void)sleep_ms();
	assert_int_equal(gmem_totals.merged, 0);
	assert_non_null(strstr(logged, "all is unmerged"));
	assert_int_equal(state_now(), MERGE_STOPPED);
}

/* The first guest's claim is for what it unmerges itself. */
/* A guest that has all of its memory-max keeps what it shares, and it is said so; it does not stop the others'. */
static void test_unmerge_beyond_a_limit(void **state)
{
	begin();
	joined = true;
	*logged = 0;
	gmem_totals.merged = 50;
	account_of_member.limited = true;
	assert_int_equal(merge_control(MERGE_CONTROL_UNMERGE, 0), 0);
	(void)sleep_ms();
	assert_int_equal(gmem_totals.merged, 50);
	assert_non_null(strstr(logged, "all is unmerged, but of guests that have their memory-max"));
	assert_int_equal(state_now(), MERGE_STOPPED);
}

static void test_unmerge_where_all_fit(void **state)
{
	u64 available;

	begin();
	joined = true;
	admit_two(600, 300);
	(void)ledger_level(&available);
	(void)sleep_ms(); /* it scans before */
	gmem_totals.merged = available + 100;
	assert_int_equal(merge_control(MERGE_CONTROL_UNMERGE, 0), 0);
	(void)sleep_ms();
	assert_int_equal(gmem_totals.merged, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_interval), FAKE_TEST(test_hurry),
		FAKE_TEST(test_new_interval_counts_at_once),
		FAKE_TEST(test_held_and_stopped), FAKE_TEST(test_back_off),
		FAKE_TEST(test_no_back_off_when_memory_is_not_plenty), FAKE_TEST(test_budget), FAKE_TEST(test_newcomer),
		FAKE_TEST(test_newcomer_during_a_step), FAKE_TEST(test_unmerge_that_does_not_fit),
		FAKE_TEST(test_unmerge_where_all_fit), FAKE_TEST(test_unmerge_beyond_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
