/* The ledger's part in waiting for memory: who may go on, and what is kept for who does. */
/* links: kernel/ledger.c kernel/ledger_admit.c kernel/frame.c kernel/lock.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c tests/unit/ledger_guests.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/ledger_parts.h"
#include "tests/unit/fake_arch.h"
#include "tests/unit/ledger_guests.h"

static void test_walls(void **state)
{
	u32 got[4];

	begin();
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(enter(i, 7000, 0, 256), 0);
	assert_int_equal(fill(0, 9999), 7000);
	for (u32 i = 3; i > 0; i--)
		got[i] = fill(i, 9999);
	/* the lowest stops first and leaves something for the next, and so on */
	assert_true(got[3] > 500 && got[2] > 20 && got[2] < 30 && got[1] > 20 && got[1] < 30);
	leave(3);
	assert_true(ledger_may_resume(&guests[2].account, 0));
	ledger_went_on(&guests[1].account); /* what there is is kept for it */
	assert_true(!ledger_may_resume(&guests[2].account, 9) && !fill(2, 1));
	assert_true(fill(1, 400) == 400 && !fill(2, 1)); /* so is the rest */
	ledger_keep(&guests[1].account, 0);
	assert_true(fill(2, 1));
	leave(0), leave(1), leave(2);
}

/* A guest that waits at its memory-max goes on when it has made room there, not after each frame. */
static void test_limit(void **state)
{
	struct ledger_account *a = &guests[0].account;

	begin();
	assert_int_equal(enter(0, 1000, 0, 256) + enter(1, 1000, 0, 256), 0);
	a->room = 60;
	assert_int_equal(fill(0, 9999) + fill(1, 9999), 2000);
	assert_true(ledger_at_limit(a) && !ledger_at_limit(&guests[1].account));
	for (u32 i = 0; i < 60; i++, put(0))
		assert_false(ledger_may_resume(a, 0));
	assert_true(ledger_may_resume(a, 0) && !ledger_at_limit(a));
	assert_true(fill(0, 50) == 50 && !ledger_at_limit(a)); /* near it, and it was refused nothing */
	assert_int_equal(fill(0, 99), 10);
	put(0);
	assert_false(ledger_may_resume(a, 0));
	ledger_limit_done(a);
	assert_true(ledger_may_resume(a, 0));
	leave(0), leave(1);
}

/* A guest that was promised memory, behind one that took all other: it gave some back and may have it again. */
static void test_promised(void **state)
{
	struct ledger_account *a = &guests[2].account;

	begin();
	assert_int_equal(enter(0, 3000, 0, 256) + enter(1, 7000, 0, 256) + enter(2, 3000, 1000, 256), 0);
	assert_int_equal(fill(2, 1000), 1000);
	assert_false(ledger_is_promised(a));
	fill(1, 9999);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(take(2, LEDGER_WRITE), 0);
	for (u32 i = 0; i < 8; i++, put(2))
		assert_true(ledger_refill(a) == ERR_NOMEM && !ledger_is_promised(a) && !ledger_may_resume(a, 99));
	assert_true(ledger_is_promised(a) && !ledger_refill(a)); /* so many fill its buffer */
	assert_true(!ledger_is_promised(a) && take(2, LEDGER_FAULT) == ERR_NOMEM && !fill(1, 1));
	put(2);
	assert_int_equal(ledger_take(a, 2, LEDGER_FAULT), ERR_NOMEM); /* a page and its table: one is not enough */
	assert_false(ledger_is_promised(a));
	for (u32 i = 0; i < 100 && !ledger_may_resume(a, 99); i++, put(1))
		assert_int_equal(ledger_take(a, 2, LEDGER_FAULT), ERR_NOMEM);
	assert_int_equal(ledger_take(a, 2, LEDGER_FAULT), 0); /* one is promised, the other is there */
	ledger_put(a, 2);
	put(2);
	assert_true(ledger_is_promised(a) && fill(2, 2) == 2);
	assert_int_equal(fill(0, 9999), 3000);
	leave(0), leave(1), leave(2);
}

/* A write drew on its buffer for the last frame that it may have: only that has to be filled again. */
static void test_full_but_for_the_buffer(void **state)
{
	struct ledger_account *a = &guests[1].account;

	begin();
	assert_int_equal(enter(0, 3000, 0, 256) + enter(1, 1000, 0, 256) + enter(2, 7000, 0, 256), 0);
	assert_int_equal(fill(1, 997), 997);
	fill(2, 9999);
	fake_leave(frame_count(FRAME_FREE) - 3000 - RESERVE);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(take(1, LEDGER_WRITE), 0);
	assert_true(a->used == 1000 && a->drawn == 3 && ledger_refill(a) == ERR_NOMEM && !ledger_may_resume(a, 99));
	fake_give_back();
	fake_leave(3000 + RESERVE + FLYING + 3 * 8 - 3);
	for (u32 i = 0; i < 100 && !ledger_may_resume(a, 99); i++, put(2))
		assert_int_equal(ledger_refill(a), ERR_NOMEM);
	assert_true(ledger_may_resume(a, 0)); /* it lacks no more than that */
	ledger_went_on(a);
	assert_int_equal(a->kept, 3);
	assert_int_equal(ledger_refill(a), 0); /* when it is let go on it can */
	fake_give_back();
	leave(0), leave(1), leave(2);
}

/* What is kept comes off for those after it, once, and only what lacks beside it may they not have. */
static void test_kept(void **state)
{
	struct ledger_info info;

	begin();
	assert_int_equal(enter(0, 500, 0, 256) + enter(1, 3000, 0, 256) + enter(2, 7000, 0, 256), 0);
	ledger_went_on(&guests[1].account);
	ledger_info(&info);
	assert_int_equal(info.kept, 3000 * PAGE_SIZE);
	assert_true(fill(2, 1) && ledger.credit); /* the gate needs no sums for what is nobody's */
	/* the first's size, what is kept, and the last percent are left */
	assert_int_equal(fill(2, 9999), 8191 - 500 - 3000 - RESERVE - FLYING - 3 * 8 - 81 - 1);
	assert_int_equal(fill(1, 9999), 3000);
	assert_int_equal(guests[1].account.kept, 0);
	assert_int_equal(fill(0, 9999), 500);
	leave(0), leave(1), leave(2);
}

/* Nor do those that went on take it from one another: each has its own. */
static void test_kept_for_several(void **state)
{
	begin();
	assert_int_equal(enter(0, 500, 0, 256) + enter(1, 1000, 0, 256) + enter(2, 2000, 0, 256) +
			 enter(3, 7000, 0, 256), 0);
	ledger_went_on(&guests[2].account);
	ledger_went_on(&guests[1].account);
	assert_int_equal(guests[1].account.kept, 1000);
	assert_int_equal(guests[2].account.kept, 2000);
	fill(3, 9999);
	assert_int_equal(fill(2, 9999), 2000);
	assert_int_equal(fill(1, 9999), 1000);
	assert_int_equal(fill(0, 9999), 500);
	for (u32 i = 0; i < 4; i++)
		leave(i);
}

/* Promised frames and those of the buffer are no part of it, but the buffer's are when it is filled again. */
static void test_kept_goes_by_what_passes(void **state)
{
	struct ledger_account *a = &guests[1].account;
	u64 kept;

	begin();
	assert_int_equal(enter(0, 3000, 0, 256) + enter(1, 3000, 1000, 256) + enter(2, 7000, 0, 256), 0);
	ledger_went_on(a);
	assert_int_equal(a->kept, 2000);
	assert_true(fill(1, 1000) == 1000 && a->kept == 2000);
	assert_true(fill(1, 500) == 500 && a->kept == 1500);
	ledger_keep(a, 0);
	fill(2, 9999);
	fill(1, 9999);
	assert_true(!take(1, LEDGER_WRITE) && !take(1, LEDGER_WRITE) && a->drawn == 2);
	for (u32 i = 0; i < 200; i++)
		put(2);
	ledger_went_on(a);
	kept = a->kept;
	assert_in_range(kept, 200, 300);
	assert_true(!ledger_refill(a) && a->kept == kept - 2);
	assert_int_equal(fill(1, 9999), kept - 2);
	leave(0), leave(1), leave(2);
}

/* More than it lacks is not kept for it, though that was less before. */
static void test_kept_is_what_lacks(void **state)
{
	struct ledger_account *a = &guests[1].account;
	struct ledger_info info;

	begin();
	assert_int_equal(enter(0, 500, 0, 256) + enter(1, 3000, 0, 256) + enter(2, 7000, 0, 256), 0);
	ledger_went_on(a);
	ledger_charge(a, 1000);
	ledger_info(&info);
	assert_int_equal(info.kept, 2000 * PAGE_SIZE);
	ledger_put(a, 1000);
	leave(0), leave(1), leave(2);
}

/* What is drawn from a buffer is filled again: nobody is given that meanwhile. */
static void test_drawn_is_not_given(void **state)
{
	struct ledger_least least;

	for (u32 between = 0; between < 2; between++) {
		begin();
		assert_int_equal(enter(0, between ? 8000 : 1500, 0, 256) + enter(1, 7000, 0, 256), 0);
		assert_int_equal((between ? enter(2, 7500, 0, 256) : 0) + enter(3, 7900, 0, 256), 0);
		guests[1].account.buffer = 136; /* of 16 vCPUs */
		fill(1, between ? 60 : 9999);
		fake_leave(between ? 8000 : frame_count(FRAME_FREE));
		while (!take(1, LEDGER_WRITE))
			;
		fake_give_back();
		assert_int_equal(guests[1].account.drawn, 136);
		leave(0);
		fill(3, 9999);
		assert_int_equal(ledger_refill(&guests[1].account), 0);
		assert_true(ledger_slack(ledger_sum(), NULL, &least) >= 0);
		for (u32 i = 1; i < 4; i++)
			leave(i);
	}
}

/* Writes may draw on it at the memory-max, too: what is more than that is not to be taken once again. */
static void test_drawn_beyond_the_limit(void **state)
{
	struct ledger_least least;
	s64 slack;

	begin();
	assert_int_equal(enter(0, 500, 0, 256) + enter(1, 1000, 0, 256) + enter(2, 7000, 0, 256), 0);
	guests[1].account.room = 60;
	guests[1].account.buffer = 136;
	assert_int_equal(fill(1, 9999), 1000);
	fill(2, 9999);
	slack = ledger_slack(ledger_sum(), NULL, &least);
	while (!take(1, LEDGER_WRITE))
		;
	assert_int_equal(guests[1].account.used, 1136);
	assert_int_equal(ledger_slack(ledger_sum(), NULL, &least), slack);
	assert_int_equal(ledger_lacks(&guests[1].account), 0);
	leave(0), leave(1), leave(2);
}

/* No room comes of waiting at a size that cannot be reached at once, though one frame is left below it. */
static void test_one_frame_below(void **state)
{
	struct ledger_account *a = &guests[0].account;

	begin();
	assert_int_equal(enter(0, 1000, 0, 256) + enter(1, 1000, 0, 256), 0);
	assert_int_equal(fill(0, 999), 999);
	assert_int_equal(ledger_take(a, 2, LEDGER_FAULT), ERR_NOMEM);
	assert_false(ledger_may_resume(a, 99));
	put(0);
	assert_true(ledger_may_resume(a, 0) && !ledger_take(a, 2, LEDGER_FAULT));
	ledger_put(a, 2);
	leave(0), leave(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_walls), FAKE_TEST(test_limit), FAKE_TEST(test_promised),
		FAKE_TEST(test_full_but_for_the_buffer), FAKE_TEST(test_kept), FAKE_TEST(test_kept_for_several),
		FAKE_TEST(test_kept_goes_by_what_passes), FAKE_TEST(test_kept_is_what_lacks),
		FAKE_TEST(test_drawn_is_not_given), FAKE_TEST(test_drawn_beyond_the_limit), FAKE_TEST(test_one_frame_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
