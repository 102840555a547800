/* When pages are compressed and whose: by the level of pressure, the paused first, then the lowest claim, never the
 * first; and not again before a look's time. */
/* links: kernel/compress.c kernel/clock.c kernel/frame.c kernel/lock.c arch/x86_64/table_format.c
 * tests/unit/fake_arch.c tests/unit/fake_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/clock.h"
#include "kernel/compress.h"
#include "kernel/gmem_compress.h"
#include "kernel/guest.h"
#include "kernel/merge.h"
#include "kernel/thread.h"
#include "tests/unit/fake_arch.h"

#define HZ 2000000000ull
#define MS (HZ / 1000)
#define GUESTS 4

const u64 fake_frames = 64;
const u32 fake_cpu_count = 1;
struct gmem_compress_counts gmem_compress_counts;

static struct thread thread;
static u64 armed; /* what the thread's timer was set to */
static struct guest guests[GUESTS];
static enum memory_level level;
static u32 steps_left;    /* of a look; the next call ends it */
static char order[64];    /* whose steps were made: a letter for each, small: only looked */
static struct gmem_compress_how last;
static void (*in_step)(void);
static u32 won; /* pages that a step compresses */

struct thread *thread_create(struct process *process, enum step (*step)(struct thread *t), u32 weight)
{
	thread.step = step;
	return &thread;
}

void thread_start(struct thread *t) { }
void thread_wake(struct thread *t) { }
void timer_arm(struct timer *t, u64 deadline) { armed = deadline; }
void log_print(u32 severity, const char *format, ...) { }
bool merge_is_running(void) { return true; }

void guest_each(void (*look)(struct guest *g, void *argument), void *argument)
{
	for (u32 i = 0; i < GUESTS; i++)
		look(&guests[i], argument);
}

bool ledger_goes_before(const struct ledger_account *a, const struct ledger_account *b)
{
	return a->started < b->started;
}

bool ledger_at_limit(struct ledger_account *a)
{
	return a->limited;
}

void ledger_limit_done(struct ledger_account *a)
{
	a->limited = false;
}

enum memory_level ledger_level(u64 *available)
{
	return level;
}

bool gmem_compress(struct gmem *m, struct gmem_compress_how how)
{
	u32 n = 0;

	while (&guests[n].gmem != m)
		n++;
	order[strlen(order)] = (char)((how.look ? 'a' : 'A') + n);
	last = how;
	m->compressions += won;
	assert_false(compress_leave(m));
	if (in_step)
		in_step();
	m->compress_at = steps_left ? 1 : 0;
	return !steps_left || !steps_left--;
}

static void begin(void)
{
	fake_tsc_start();
	clock_init(fake_tsc, HZ, 0);
	memset(guests, 0, sizeof(guests));
	for (u32 i = 0; i < GUESTS; i++) {
		guests[i].state = GUEST_RUNNING;
		guests[i].lock.class = LOCK_GUEST;
		guests[i].account.started = i;
		guests[i].gmem.format = &table_format_npt;
	}
	level = MEMORY_LOW;
	steps_left = 0;
	in_step = NULL;
	memset(order, 0, sizeof(order));
	assert_int_equal(compress_start(), 0);
	fake_tsc += 1000 * MS;
}

/* Steps until it sleeps. */
static const char *run(void)
{
	memset(order, 0, sizeof(order));
	while (thread.step(&thread) == STEP_AGAIN)
		;
	return order;
}

static void test_order(void **state)
{
	begin();
	assert_string_equal(run(), "DCB");
	assert_true(last.known_only && !last.at_rest);
	assert_string_equal(run(), "");
	assert_int_equal((armed - fake_tsc) / MS, 100); /* then it is asked again who has something */
	fake_tsc += 999 * MS;
	assert_string_equal(run(), "");
	fake_tsc += 101 * MS;
	guests[1].state = GUEST_PAUSED;
	guests[2].state = GUEST_STOPPED;
	assert_string_equal(run(), "CBD");
	guests[0].state = GUEST_DYING; /* the next one is the first now */
	fake_tsc += 1001 * MS;
	assert_string_equal(run(), "CD");
}

static void test_levels(void **state)
{
	begin();
	level = MEMORY_HIGH;
	armed = 0;
	assert_string_equal(run(), "");
	assert_int_equal(armed, 0);
	level = MEMORY_SOFT;
	assert_string_equal(run(), "dcb");
	fake_tsc += 1001 * MS;
	level = MEMORY_HARD;
	assert_string_equal(run(), "DCB");
}

/* A guest that has had its pages back is left alone for longer. */
static void test_back(void **state)
{
	begin();
	assert_string_equal(run(), "DCB");
	guests[2].gmem.decompressions = 1000;
	guests[2].gmem.store.objects = 100;
	fake_tsc += 1101 * MS;
	assert_string_equal(run(), "DCB");
	fake_tsc += 1101 * MS;
	assert_string_equal(run(), "DB");
	fake_tsc += 2901 * MS;
	assert_string_equal(run(), "DCB");
	fake_tsc += 1101 * MS; /* it had no more back */
	assert_string_equal(run(), "DCB");
}

/* A look goes on where it was, without waiting for its time; one that is paused overtakes. */
static void test_steps(void **state)
{
	begin();
	steps_left = 2;
	assert_int_equal(thread.step(&thread), STEP_AGAIN);
	guests[1].state = GUEST_PAUSED;
	assert_string_equal(run(), "BBDC");
}

static void leave(void)
{
	guests[3].state = GUEST_DYING;
}

/* Who is to be taken apart while it is compressed is waited for, and is not taken again. */
static void test_leave(void **state)
{
	begin();
	steps_left = 5;
	in_step = leave;
	assert_true(compress_leave(&guests[3].gmem));
	assert_int_equal(thread.step(&thread), STEP_AGAIN);
	assert_true(compress_leave(&guests[3].gmem));
	in_step = NULL;
	steps_left = 0;
	assert_string_equal(run(), "CB");
}

/* Without accessed bits it is not known what is cold, but of those that stand still. */
static void test_at_rest(void **state)
{
	static struct table_format plain;

	begin();
	plain = table_format_ept;
	plain.accessed = 0;
	guests[3].gmem.format = &plain;
	assert_int_equal(thread.step(&thread), STEP_AGAIN);
	assert_false(last.at_rest);
	fake_tsc += 1001 * MS;
	guests[3].hold = HOLD_MEMORY;
	assert_string_equal(run(), "CBD");
	assert_true(last.at_rest);
	fake_tsc += 1001 * MS;
	guests[2].state = GUEST_PAUSED;
	assert_int_equal(thread.step(&thread), STEP_AGAIN);
	assert_true(last.at_rest);
}

/* What a guest that waits does not access is no sign: the others come first, and it does not wait longer for what it
 * had back. */
static void test_waiting_last(void **state)
{
	begin();
	guests[3].hold = HOLD_MEMORY;
	assert_string_equal(run(), "CBD");
	guests[1].gmem.decompressions = guests[3].gmem.decompressions = 1000;
	fake_tsc += 1101 * MS;
	assert_string_equal(run(), "CBD");
	fake_tsc += 1101 * MS;
	assert_string_equal(run(), "CD");
}

/* A look at which pages were compressed goes on when memory is short again, and is not spent on only looking. */
static void test_rest_of_a_look(void **state)
{
	begin();
	won = 1;
	steps_left = 2;
	assert_int_equal(thread.step(&thread), STEP_AGAIN); /* D */
	level = MEMORY_SOFT;
	won = 0;
	steps_left = 0;
	assert_string_equal(run(), "cb");
	fake_tsc += 101 * MS;
	level = MEMORY_HARD;
	assert_string_equal(run(), "D");
	fake_tsc += 1101 * MS;
	level = MEMORY_SOFT;
	assert_string_equal(run(), "dcb");
	fake_tsc += 1101 * MS;
	steps_left = 2; /* a look at which nothing was compressed does not rest */
	assert_string_equal(run(), "dddcb");
}

/* Who waits at its memory-max makes room for itself, be it the first and memory plenty, and does not wait for a look's
 * time; what it is at its limit for when it does not wait is nobody's affair. */
static void test_limit(void **state)
{
	begin();
	level = MEMORY_HIGH;
	guests[0].gmem.account = &guests[0].account;
	guests[0].account.limited = guests[2].account.limited = true;
	guests[0].gmem.compress_due = fake_tsc + 4000 * MS; /* by a look before, which ended long ago */
	won = 1;
	assert_string_equal(run(), "");
	guests[0].hold = HOLD_MEMORY;
	assert_string_equal(run(), "A");
	assert_true(last.split && !last.known_only && !last.at_rest);
	assert_string_equal(run(), "");
	fake_tsc += 101 * MS;
	assert_string_equal(run(), "A");
	fake_tsc += 101 * MS;
	guests[0].account.limited = false; /* there is room */
	assert_string_equal(run(), "");
	guests[0].account.limited = true;
	level = MEMORY_SOFT; /* it is compressed, the others are looked at */
	assert_string_equal(run(), "Adcb");
	assert_false(last.split);
}

/* Nothing of it shrinks: it is not looked at for ever. */
static void test_limit_in_vain(void **state)
{
	begin();
	level = MEMORY_HIGH;
	guests[1].gmem.account = &guests[1].account;
	guests[1].account.limited = true;
	guests[1].hold = HOLD_MEMORY;
	won = 1;
	assert_string_equal(run(), "B");
	won = 0;
	for (u32 i = 0; i < 3; i++) {
		assert_true(guests[1].account.limited);
		fake_tsc += 101 * MS;
		assert_string_equal(run(), "B");
	}
	assert_false(guests[1].account.limited);
	fake_tsc += 5000 * MS;
	assert_string_equal(run(), "");
}

/* Looks in vain count while it waits for one thing. */
static void test_vain_by_wait(void **state)
{
	begin();
	level = MEMORY_HIGH;
	guests[1].gmem.account = &guests[1].account;
	guests[1].hold = HOLD_MEMORY;
	for (u32 wait = 1; wait < 4; wait++) {
		guests[1].account.limited = true;
		guests[1].waits_since = wait;
		for (u32 i = 0; i < 2; i++) {
			fake_tsc += 101 * MS;
			assert_string_equal(run(), "B");
		}
		assert_true(guests[1].account.limited);
	}
}

/* Nothing is kept for a stopped guest, and the next one is not the first of those for whom it is. */
static void test_stopped_first(void **state)
{
	begin();
	guests[0].state = GUEST_STOPPED;
	assert_string_equal(run(), "ADCB");
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_order), FAKE_TEST(test_levels), FAKE_TEST(test_back),
					    FAKE_TEST(test_steps), FAKE_TEST(test_leave), FAKE_TEST(test_at_rest),
					    FAKE_TEST(test_waiting_last), FAKE_TEST(test_rest_of_a_look),
					    FAKE_TEST(test_limit), FAKE_TEST(test_limit_in_vain),
					    FAKE_TEST(test_vain_by_wait), FAKE_TEST(test_stopped_first) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
