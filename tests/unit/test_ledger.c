/* The ledger: who may take a frame, who comes in, and that under any use the guest with the highest claim can
 * reach its full size, promises are kept and somebody runs.  The model knows nothing of the ledger's sums: it
 * plays the taking to its end. */
/* links: kernel/ledger.c kernel/ledger_admit.c kernel/frame.c kernel/lock.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c tests/unit/ledger_guests.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/ledger.h"
#include "tests/unit/fake_arch.h"
#include "tests/unit/ledger_guests.h"

/* ---- single rules ---- */

static void test_alone(void **state)
{
	begin();
	assert_int_equal(enter(0, 5000, 0, 256), 0);
	assert_int_equal(fill(0, 6000), 5000); /* all of its size, and no more */
	assert_int_equal(notified, 0);
	leave(0);
	assert_int_equal(enter(0, fake_frames, 0, 256), ERR_NOMEM); /* more than there is */
	assert_int_equal(enter(0, frame_count(FRAME_FREE) - RESERVE - FLYING - 16, 0, 256), 0);
	assert_int_equal(enter(1, 10, 0, 256), 0); /* behind it, it may wait */
	assert_int_equal(take(1, LEDGER_FAULT), ERR_NOMEM);
	leave(0);
	assert_int_equal(take(1, LEDGER_FAULT), 0);
	leave(1);
}

static void test_first_reaches_its_size(void **state)
{
	u32 second;

	begin();
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 7000, 0, 256), 0);
	second = fill(1, 7000);
	/* the second may have all that the first cannot need, less the last percent */
	assert_in_range(second, 8190 - 3000 - RESERVE - FLYING - 16 - 82, 8191 - 3000 - RESERVE - FLYING - 16 - 81);
	assert_int_equal(take(1, LEDGER_FAULT), ERR_NOMEM);
	assert_false(ledger_may_resume(&guests[1].account, 100)); /* there is nothing for it, however long it waits */
	put(1);
	assert_false(ledger_may_resume(&guests[1].account, 5));
	assert_true(ledger_may_resume(&guests[1].account, 6) && !take(1, LEDGER_FAULT)); /* the one that it may need */
	assert_int_equal(fill(0, 9999), 3000);
	assert_int_equal(take(1, LEDGER_FAULT), ERR_NOMEM);
	for (u32 i = 0; i < 41; i++)
		put(0);
	assert_false(ledger_may_resume(&guests[1].account, 0)); /* they are the first's, as before */
	leave(0);
	assert_true(ledger_may_resume(&guests[1].account, 0));
	assert_int_equal(fill(1, 9999), 7000 - second);
	leave(1);
}

static void test_claim_goes_by_shares_then_age(void **state)
{
	begin();
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 3000, 0, 256), 0);
	assert_int_equal(enter(2, 3000, 0, 512), 0);
	assert_true(ledger_goes_before(&guests[2].account, &guests[0].account));
	assert_true(ledger_goes_before(&guests[0].account, &guests[1].account));
	fill(0, 9999);
	fill(1, 9999);
	assert_int_equal(fill(2, 9999), 3000);
	/* a fourth with the highest claim could not have its size at once; with the lowest it can wait for it */
	assert_int_equal(enter(3, 3000, 0, 1024), ERR_NOMEM);
	assert_int_equal(enter(3, 3000, 0, 1), 0);
	for (u32 i = 0; i < 4; i++)
		leave(i);
}

static void test_promises(void **state)
{
	begin();
	assert_int_equal(enter(0, 2000, 0, 256), 0);
	assert_int_equal(enter(1, 6000, 0, 256), 0);
	assert_int_equal(enter(2, 2000, 1500, 1), 0); /* the lowest claim, and a promise */
	assert_int_equal(enter(3, 6000, 5000, 1), ERR_NOMEM);
	fill(1, 9999);
	assert_int_equal(fill(0, 9999), 2000);
	fill(1, 9999);
	assert_true(fill(2, 1500) == 1500);
	assert_int_equal(take(2, LEDGER_FAULT), ERR_NOMEM);
	for (u32 i = 0; i < 3; i++)
		leave(i);
}

static void test_buffer(void **state)
{
	begin();
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 7000, 0, 256), 0);
	fill(1, 9999);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(take(1, LEDGER_WRITE), 0);
	assert_int_equal(guests[1].account.drawn, 8);
	assert_int_equal(take(1, LEDGER_WRITE), ERR_NOMEM);
	assert_int_equal(ledger_refill(&guests[1].account), ERR_NOMEM);
	assert_int_equal(fill(0, 9999), 3000); /* all the same */
	leave(0);
	assert_int_equal(ledger_refill(&guests[1].account), 0);
	assert_int_equal(guests[1].account.drawn, 0);
	leave(1);
}

static void test_levels(void **state)
{
	u64 available;

	begin();
	assert_int_equal(enter(0, 1000, 0, 256), 0);
	assert_int_equal(enter(1, 7900, 0, 256), 0);
	assert_int_equal(ledger_level(&available), MEMORY_HIGH);
	fill(1, (u32)available - 400); /* 4.9 %: as before */
	assert_int_equal(notified, 0);
	assert_int_equal(ledger_level(&available), MEMORY_HIGH);
	assert_int_equal(available, 400);
	fill(1, 100);
	assert_true(notified); /* 3.7 % */
	assert_int_equal(ledger_level(&available), MEMORY_SOFT);
	for (u32 i = 0; i < 150; i++)
		put(1);
	assert_int_equal(ledger_level(&available), MEMORY_SOFT); /* 5.5 % */
	for (u32 i = 0; i < 50; i++)
		put(1);
	notified = 0;
	assert_int_equal(ledger_level(&available), MEMORY_HIGH);
	assert_int_equal(notified, 1); /* whoever it was that asked first */
	fill(1, 9999);
	assert_int_equal(ledger_level(&available), MEMORY_LOW);
	leave(0), leave(1);
}

static void test_frozen(void **state)
{
	begin();
	assert_int_equal(enter(0, 5000, 100, 256), 0);
	assert_int_equal(enter(1, 7000, 0, 256), 0);
	fill(0, 1000);
	fill(1, 9999);
	ledger_freeze(&guests[0].account); /* its run has ended: nothing is kept for it */
	assert_true(take(0, LEDGER_WRITE) == ERR_NOMEM && ledger_at_limit(&guests[0].account));
	assert_true(fill(1, 9999) > 3900);
	leave(0), leave(1);
}

static void test_sizes(void **state)
{
	const struct ledger_terms terms = { .full = 3000, .shares = 256 };
	struct admission a;

	begin();
	ledger_start(RESERVE * PAGE_SIZE, OVERCOMMIT_NONE);
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 3000, 0, 256), 0);
	assert_int_equal(ledger_admit(&guests[2].account, 3, &terms, 0, &a), ERR_NOMEM);
	assert_int_equal(a.verdict, ADMIT_SIZES);
	assert_int_equal(a.lacks, 9000 * PAGE_SIZE);
	leave(0);
	leave(1);
	ledger_start(RESERVE * PAGE_SIZE, OVERCOMMIT_SHARING);
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 3000, 0, 256), 0);
	fill(0, 1000);
	fill(1, 1000);
	assert_int_equal(ledger_admit(&guests[2].account, 3, &terms, 0, &a), ERR_NOMEM);
	assert_int_equal(ledger_admit(&guests[2].account, 3, &terms, 2000, &a), 0); /* as much is saved again */
	assert_int_equal(a.lacks, (2000 + 1500) * PAGE_SIZE);
	for (u32 i = 0; i < 3; i++)
		leave(i);
}

static void test_tune(void **state)
{
	struct ledger_terms terms = { .full = 7000, .shares = 257, .buffer = 8 };
	struct admission a;

	begin();
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 7000, 0, 256), 0);
	fill(1, 9999);
	assert_int_equal(ledger_tune(&guests[1].account, &terms, 0, &a), 0); /* now the first: what it lacks is there */
	fill(1, 9999);
	assert_int_equal(guests[1].count, 7000);
	terms = (struct ledger_terms){ .full = 3000, .shares = 258, .buffer = 8 };
	assert_int_equal(ledger_tune(&guests[0].account, &terms, 0, &a), ERR_NOMEM); /* what this one lacks is not */
	assert_true(a.verdict == ADMIT_CLAIM && a.claimant == 1);
	assert_true(ledger_goes_before(&guests[1].account, &guests[0].account));
	terms.full = 1000;
	assert_int_equal(ledger_tune(&guests[0].account, &terms, 0, &a), 0);
	terms.min = 1000, terms.shares = 1;
	assert_int_equal(ledger_tune(&guests[0].account, &terms, 0, &a), 0);
	leave(1), leave(0);
}

/* Full sizes of 3000 each, of 8191 frames: the setting holds when one is tuned, too. */
static void test_tune_sizes(void **state)
{
	struct ledger_terms terms = { .full = 6000, .shares = 256, .buffer = 8 };
	struct admission a;

	begin();
	ledger_start(RESERVE * PAGE_SIZE, OVERCOMMIT_NONE);
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 3000, 0, 256), 0);
	assert_int_equal(ledger_tune(&guests[1].account, &terms, 0, &a), ERR_NOMEM);
	assert_int_equal(a.verdict, ADMIT_SIZES);
	assert_int_equal(a.lacks, 9000 * PAGE_SIZE);
	assert_int_equal(a.needs, 6000 * PAGE_SIZE);
	assert_int_equal(guests[1].account.full, 3000);
	terms.full = 4000;
	assert_int_equal(ledger_tune(&guests[1].account, &terms, 0, &a), 0); /* this does fit */
	fake_leave(6000); /* the host itself: now the sizes do not add up any more */
	terms.shares = 300;
	assert_int_equal(ledger_tune(&guests[1].account, &terms, 0, &a), 0); /* what is no more may be */
	terms.full = 3900;
	assert_int_equal(ledger_tune(&guests[1].account, &terms, 0, &a), 0);
	terms.full = 3901;
	assert_int_equal(ledger_tune(&guests[1].account, &terms, 0, &a), ERR_NOMEM);
	assert_int_equal(a.verdict, ADMIT_SIZES);
	fake_give_back();
	leave(0);
	leave(1);
}

static void test_tune_sizes_by_sharing(void **state)
{
	struct ledger_terms terms = { .full = 6000, .shares = 256, .buffer = 8 };
	struct admission a;

	begin();
	ledger_start(RESERVE * PAGE_SIZE, OVERCOMMIT_SHARING);
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 3000, 0, 256), 0);
	fill(0, 1000);
	assert_int_equal(ledger_tune(&guests[1].account, &terms, 0, &a), ERR_NOMEM);
	assert_int_equal(a.verdict, ADMIT_SIZES);
	assert_int_equal(a.lacks, 8000 * PAGE_SIZE);
	assert_int_equal(ledger_tune(&guests[1].account, &terms, 1000, &a), 0); /* the other shares half of what it uses */
	assert_int_equal(a.lacks, (1000 + 3000) * PAGE_SIZE);
	leave(0);
	leave(1);
}

static void test_host_takes_of_the_reserve(void **state)
{
	begin();
	assert_int_equal(enter(0, 3000, 0, 256), 0);
	assert_int_equal(enter(1, 7000, 0, 256), 0);
	assert_true(ledger_host_may_take(1000));
	fill(1, 9999);
	fake_leave(frame_count(FRAME_FREE) - RESERVE); /* the host itself, which nobody asks */
	assert_int_equal(take(1, LEDGER_FAULT), ERR_NOMEM);
	assert_int_equal(fill(0, 9999), 3000);
	assert_true(ledger_host_may_take(RESERVE / 2));
	assert_false(ledger_host_may_take(RESERVE / 2 + 82)); /* the last percent is there, too */
	fake_give_back();
	leave(0);
	leave(1);
}

/* ---- random use against a model ---- */

/* The guest with the highest claim of those that run; GUESTS for none. */
static u32 first_guest(void)
{
	u32 first = GUESTS;

	for (u32 i = 0; i < GUESTS; i++)
		if (guests[i].in && (first == GUESTS || ledger_goes_before(&guests[i].account, &guests[first].account)))
			first = i;
	return first;
}

/* All promises are called in, then the first guest takes all of its size; then it is all undone. */
static void play_to_the_end(void)
{
	u32 before[GUESTS], first = first_guest();

	for (u32 i = 0; i < GUESTS; i++) {
		struct ledger_account *a = &guests[i].account;

		before[i] = guests[i].count;
		if (guests[i].in && i != first && a->used < a->min)
			assert_int_equal(fill(i, (u32)(a->min - a->used)), a->min - before[i]);
	}
	if (first < GUESTS) {
		fill(first, 9999);
		assert_true(guests[first].count >= guests[first].account.full); /* more: drawn from the buffer */
	}
	for (u32 i = 0; i < GUESTS; i++)
		while (guests[i].count > before[i])
			put(i);
}

/* Whoever ends: the next one's claim holds as well. */
static void end_all_in_order(void)
{
	for (u32 first; (first = first_guest()) < GUESTS; leave(first))
		play_to_the_end();
}

/* The guest went on: those after it take all they can, and it has what is kept for it; then it is all undone. */
static void check_kept(u32 i)
{
	struct ledger_account *a = &guests[i].account;
	u32 before[GUESTS];
	u64 own;

	ledger_went_on(a);
	own = MIN(a->kept + (a->min > a->used ? a->min - a->used : 0), a->full > a->used ? a->full - a->used : 0);
	for (u32 k = 0; k < GUESTS; k++) {
		before[k] = guests[k].count;
		if (guests[k].in && ledger_goes_before(a, &guests[k].account))
			fill(k, 9999);
	}
	assert_int_equal(fill(i, (u32)own), own);
	for (u32 k = 0; k < GUESTS; k++)
		while (guests[k].count > before[k])
			put(k);
}

static void one_step(u32 *refused, u32 *starved, u32 *tuned)
{
	u32 i = pick(GUESTS), full = 500 + pick(6000), shares = 1 + pick(3);
	struct guest *g = &guests[i];
	const struct ledger_terms terms = { .full = MAX(full, g->count), .min = pick(4) ? 0 : pick(full / 4),
					    .shares = shares, .buffer = 8 };
	struct admission a;

	if (!g->in) {
		*refused += pick(4) && enter(i, full, terms.min, shares);
		return;
	}
	switch (pick(26)) {
	case 0:
		leave(i);
		break;
	case 1:
		*tuned += !ledger_tune(&g->account, &terms, 0, &a);
		break;
	case 2:
		(void)!ledger_refill(&g->account);
		break;
	case 24:
		check_kept(i);
		break;
	case 25:
		ledger_keep(&g->account, 0);
		break;
	case 3: case 4: case 5: case 6:
		for (u32 n = pick(600); n && g->count; n--)
			put(i);
		break;
	default:
		for (u32 n = pick(600); n; n--)
			if (take(i, pick(2) ? LEDGER_WRITE : LEDGER_FAULT)) {
				*starved += g->account.used < g->account.full;
				break;
			}
	}
}

static void test_random(void **state)
{
	u32 refused = 0, starved = 0, tuned = 0;

	srandom(5);
	for (u32 round = 0; round < 12; round++) {
		begin();
		for (u32 n = 0; n < 1500; n++) {
			one_step(&refused, &starved, &tuned);
			if (n % 4 == 0)
				play_to_the_end();
		}
		end_all_in_order();
		assert_int_equal(frame_count(FRAME_FREE), fake_frames - 1);
	}
	assert_true(refused > 100 && starved > 1000 && tuned > 100); /* all of it was tried */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_alone), FAKE_TEST(test_first_reaches_its_size), FAKE_TEST(test_claim_goes_by_shares_then_age),
		FAKE_TEST(test_promises), FAKE_TEST(test_buffer), FAKE_TEST(test_levels),
		FAKE_TEST(test_frozen), FAKE_TEST(test_sizes), FAKE_TEST(test_tune),
		FAKE_TEST(test_tune_sizes), FAKE_TEST(test_tune_sizes_by_sharing),
		FAKE_TEST(test_host_takes_of_the_reserve), FAKE_TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
