/* Memory pressure: who that waits goes on when, what the log tells of it whatever else a guest makes it tell, and when
 * balloons are asked and left alone.  The ledger is a fake: a test says how much room it sees. */
/* links: kernel/pressure.c kernel/log.c kernel/lib/fmt.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/collapse.h"
#include "kernel/compress.h"
#include "kernel/frame.h"
#include "kernel/guest.h"
#include "kernel/merge.h"
#include "kernel/monitor.h"
#include "kernel/process.h"
#include "kernel/thread.h"

#define GUESTS 3
#define SECOND 1000000000ull

void (*ledger_notify)(void);

static struct guest guests[GUESTS];
static struct thread thread;
static u64 now = 1000 * SECOND;
static u32 promised;         /* bits: these guests are below their memory-min */
static u64 room;             /* frames: a guest that waits may go on if there are more besides what is kept */
static enum memory_level level;
static u64 asked, asked_times; /* targets_set's: the last frames, and how often */
static bool armed;
static u32 compressor_wakes;
static u64 seconds_waited; /* by the last that was asked for */

u64 clock_ns(void) { return now; }
u64 clock_cycles(u64 ns) { return ns; }
u64 frame_count(enum frame_kind kind) { return 1000; }
u64 frame_total(void) { return 10000; }
struct guest *guest_find(u32 id) { return id && id <= GUESTS ? &guests[id - 1] : NULL; }
void guest_kick(struct guest *g, u32 requests) { }
void process_wake(struct process *p) { }
void monitor_raise(u32 events) { }
void thread_start(struct thread *t) { }
void thread_wake(struct thread *t) { }
void timer_arm(struct timer *t, u64 deadline) { armed = true; }
void merge_hurry(bool hurry) { }
void compress_wake(void) { compressor_wakes++; }
void collapse_look(void) { }
void ledger_info(struct ledger_info *info) { *info = (struct ledger_info){ .level = level }; }

struct thread *thread_create(struct process *process, enum step (*step)(struct thread *t), u32 weight)
{
	thread.step = step;
	return &thread;
}

void guest_each(void (*look)(struct guest *g, void *argument), void *argument)
{
	for (u32 i = 0; i < GUESTS; i++)
		look(&guests[i], argument);
}

bool ledger_goes_before(const struct ledger_account *a, const struct ledger_account *b)
{
	return a->shares > b->shares;
}

bool ledger_at_limit(struct ledger_account *a)
{
	return a->limited;
}

bool ledger_is_promised(struct ledger_account *a)
{
	return promised & BIT(CONTAINER_OF(a, struct guest, account) - guests);
}

/* What those before a keep. */
static u64 kept_before(const struct ledger_account *a)
{
	u64 kept = 0;

	for (u32 i = 0; i < GUESTS; i++)
		kept += ledger_goes_before(&guests[i].account, a) ? guests[i].account.kept : 0;
	return kept;
}

bool ledger_may_resume(struct ledger_account *a, u64 seconds)
{
	seconds_waited = seconds;
	return room > kept_before(a);
}

void ledger_went_on(struct ledger_account *a)
{
	a->kept = a->full - a->used;
}

u64 ledger_keep(struct ledger_account *a, u64 most)
{
	return a->kept = MIN(a->kept, most);
}

enum memory_level ledger_level(u64 *available)
{
	*available = 100;
	return level;
}

void targets_set(u64 frames)
{
	asked = frames;
	asked_times++;
}

/* A look after so long. */
static void look_after(u64 ns)
{
	now += ns;
	armed = false;
	assert_int_equal(thread.step(&thread), STEP_BLOCK);
}

/* Nothing of an earlier test is left: memory was plenty for long. */
static int begin(void **state)
{
	memset(guests, 0, sizeof(guests));
	for (u32 i = 0; i < GUESTS; i++) {
		guests[i] = (struct guest){ .id = i + 1, .name = "g", .state = GUEST_RUNNING, .lock.class = LOCK_GUEST,
					    .account = { .full = 500, .used = 400, .shares = 10 + i } };
		guests[i].name[1] = (char)('1' + i);
	}
	room = 0;
	promised = 0;
	level = MEMORY_HIGH;
	if (!thread.step)
		assert_int_equal(pressure_start(), 0);
	look_after(100 * SECOND);
	asked = asked_times = 0;
	return 0;
}

static bool waits(u32 i)
{
	return guests[i].hold & HOLD_MEMORY;
}

/* How often text is in the log. */
static u32 told(const char *text)
{
	static char log[LOG_SIZE + 1];
	u64 position = 0;
	u32 n = 0;

	log[log_read(&position, log, LOG_SIZE)] = 0;
	for (const char *at = log; (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void test_highest_claim_first(void **state)
{
	for (u32 i = 0; i < GUESTS; i++)
		guest_wait_memory(&guests[i]);
	look_after(SECOND);
	assert_true(waits(0) && waits(1) && waits(2) && armed); /* nothing came back */
	assert_int_equal(seconds_waited, 1);
	look_after(SECOND * 3 / 2);
	assert_int_equal(seconds_waited, 2);
	room = 50;
	look_after(SECOND);
	assert_true(waits(0) && waits(1) && !waits(2));
	look_after(SECOND / 10);
	assert_true(waits(0) && waits(1)); /* 100 are kept for the first to go on */
	room = 101;
	look_after(0);
	assert_true(waits(0) && !waits(1)); /* there is something besides */
	look_after(0);
	assert_true(waits(0) && armed);
	room = 0;
	look_after(10 * SECOND);
	assert_true(waits(0) && armed);
	room = 1;
	look_after(0);
	assert_false(waits(0));
	look_after(0);
	assert_true(armed); /* until it has settled */
	look_after(2 * SECOND);
	assert_false(armed); /* nobody is left to look after */
	assert_int_equal(guests[0].account.kept, 0);
}

/* What its guest would take in 2 s at its pace is kept as long. */
static void test_time_to_settle(void **state)
{
	room = 10;
	guests[1].account.full = 500 + 2000;
	guest_wait_memory(&guests[1]);
	look_after(0);
	assert_true(!waits(1) && guests[1].account.kept == 2100);
	guest_wait_memory(&guests[0]);
	for (u32 i = 1; i < 20; i++) {
		guests[1].account.kept -= 10;
		look_after(SECOND / 10);
		assert_true(waits(0));
		assert_int_equal(guests[1].account.kept, i < 2 ? 2100 - i * 10 : (20 - i) * 10);
	}
	look_after(SECOND / 10);
	assert_false(waits(0) || guests[1].account.kept);
}

/* Who takes nothing is in the way of others only until that is known. */
static void test_idle_one_has_settled(void **state)
{
	room = 50;
	guest_wait_memory(&guests[1]);
	look_after(0);
	guest_wait_memory(&guests[0]);
	look_after(SECOND * 2 / 10 - 1);
	assert_true(waits(0) && guests[1].account.kept == 100);
	look_after(1);
	assert_false(waits(0) || guests[1].account.kept);
}

/* Those that were promised what they ask for go on at once, all; of the others one does, if it may beside them. */
static void test_promised_go_on(void **state)
{
	for (u32 i = 0; i < GUESTS; i++)
		guest_wait_memory(&guests[i]);
	look_after(0);
	assert_true(waits(0) && waits(1) && waits(2));
	promised = 5;
	room = 100;
	look_after(0);
	assert_true(!waits(0) && waits(1) && !waits(2)); /* what the last keeps leaves it nothing */
	room = 101;
	look_after(0);
	assert_false(waits(1));
}

/* Who went on and waits again is after nothing that there is. */
static void test_waits_again(void **state)
{
	room = 50;
	guest_wait_memory(&guests[1]);
	look_after(0);
	assert_int_equal(guests[1].account.kept, 100);
	guest_wait_memory(&guests[1]);
	room = 0;
	look_after(1);
	assert_true(waits(1));
	assert_int_equal(guests[1].account.kept, 0);
}

/* What is kept is kept from lower claims only, and from these until its guest has settled, though it ended. */
static void test_kept_from_lower_claims(void **state)
{
	room = 50;
	guest_wait_memory(&guests[1]);
	look_after(0);
	guest_wait_memory(&guests[0]);
	guest_wait_memory(&guests[2]);
	look_after(1);
	assert_true(waits(0) && !waits(1) && !waits(2));
	guests[1].hold = guests[2].hold = HOLD_PAUSE | HOLD_MEMORY;
	guests[1].state = guests[2].state = GUEST_STOPPED; /* nobody lets them go on */
	look_after(1);
	assert_true(waits(0));
	look_after(2 * SECOND);
	assert_false(waits(0));
}

static void test_lines_in_spite_of_noise(void **state)
{
	u32 waited = told("g1: waits for memory"), went = told("g1: goes on");

	for (u32 i = 0; i < 100; i++)
		log_limited(&guests[0].log_limit, LOG_WARN, "noise");
	guest_wait_memory(&guests[0]);
	guest_wait_memory(&guests[0]); /* that is no news */
	assert_int_equal(told("g1: waits for memory"), waited + 1);
	room = 1;
	look_after(0);
	assert_int_equal(told("g1: goes on"), went + 1);
	for (u32 i = 0; i < 100; i++) { /* but these lines are limited, too */
		guest_wait_memory(&guests[0]);
		look_after(SECOND / 1000);
	}
	assert_in_range(told("g1: waits for memory"), waited + 2, waited + 1 + LOG_LIMIT_BURST);
}

static void test_targets_are_kept(void **state)
{
	level = MEMORY_SOFT;
	look_after(0);
	assert_int_equal(asked, 500); /* to 6 % of 10000 */
	look_after(SECOND);
	assert_int_equal(asked_times, 1);
	look_after(SECOND);
	assert_int_equal(asked_times, 2); /* each 2 s */
	for (u32 i = 0; i < 20; i++) { /* to and fro: nobody sees it */
		level = i % 2 ? MEMORY_SOFT : MEMORY_HIGH;
		look_after(SECOND / 10);
		assert_true(asked && armed);
	}
	assert_in_range(asked_times, 3, 4);
	level = MEMORY_HIGH;
	look_after(5 * SECOND - 1);
	assert_true(asked && armed);
	look_after(1);
	assert_false(asked || armed); /* it was plenty long enough */
	asked_times = 0;
	look_after(100 * SECOND);
	assert_int_equal(asked_times, 0);
	level = MEMORY_SOFT;
	look_after(0);
	assert_int_equal(asked_times, 1);
}

/* Memory may shrink faster than the keeper looks: no step of what is done is missing in the log. */
static void test_levels_passed_are_told(void **state)
{
	u32 soft = told("pressure soft"), hard = told("pressure hard"), low = told("pressure low");

	level = MEMORY_LOW;
	look_after(SECOND);
	assert_int_equal(told("pressure soft"), soft + 1);
	assert_int_equal(told("pressure hard"), hard + 1);
	assert_int_equal(told("pressure low"), low + 1);
	level = MEMORY_HIGH;
	look_after(SECOND);
	level = MEMORY_SOFT;
	look_after(SECOND);
	assert_int_equal(told("pressure soft"), soft + 2);
	assert_int_equal(told("pressure hard"), hard + 1);
}

/* Who waits for its memory-max is nobody's but the compressor's, at each look. */
static void test_limit(void **state)
{
	u32 before = compressor_wakes;

	guest_wait_memory(&guests[0]);
	look_after(SECOND);
	assert_int_equal(compressor_wakes, before);
	guests[1].account.limited = true;
	look_after(SECOND);
	assert_int_equal(compressor_wakes, before); /* it does not wait */
	guest_wait_memory(&guests[1]);
	look_after(SECOND);
	look_after(SECOND);
	assert_int_equal(compressor_wakes, before + 2);
	assert_true(armed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_highest_claim_first, begin), cmocka_unit_test_setup(test_time_to_settle, begin),
		cmocka_unit_test_setup(test_idle_one_has_settled, begin), cmocka_unit_test_setup(test_promised_go_on, begin),
		cmocka_unit_test_setup(test_waits_again, begin), cmocka_unit_test_setup(test_kept_from_lower_claims, begin),
		cmocka_unit_test_setup(test_lines_in_spite_of_noise, begin),
		cmocka_unit_test_setup(test_targets_are_kept, begin), cmocka_unit_test_setup(test_limit, begin),
		cmocka_unit_test_setup(test_levels_passed_are_told, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
