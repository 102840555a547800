/* Balloon targets: what guests are asked to give, together and each. */
/* links: kernel/targets.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/guest.h"

#define GUESTS 4

static struct guest guests[GUESTS];

void guest_each(void (*look)(struct guest *g, void *argument), void *argument)
{
	for (u32 i = 0; i < GUESTS; i++)
		look(&guests[i], argument);
}

void guest_set_memory_target(struct guest *g, u64 bytes)
{
	g->memory_pressure = bytes;
}

void guest_sample_memory(struct guest *g, bool wanted)
{
	g->working_set.count += wanted;
}

static u64 now = 1;
static u32 lines; /* logged */

u64 clock_ns(void)
{
	return now;
}

void log_print(u32 level, const char *format, ...)
{
	lines++;
}

static u64 pages(u32 i)
{
	return guests[i].memory_pressure / PAGE_SIZE;
}

static int setup(void **state)
{
	memset(guests, 0, sizeof(guests));
	lines = 0;
	for (u32 i = 0; i < GUESTS; i++) {
		guests[i].state = GUEST_RUNNING;
		guests[i].stats.driver = 1;
		guests[i].account = (struct ledger_account){ .full = 10000, .used = 8000, .shares = 256 };
	}
	return 0;
}

static void test_equals_give_alike(void **state)
{
	targets_set(4000);
	for (u32 i = 0; i < GUESTS; i++)
		assert_in_range(pages(i), 6999, 7000);
	targets_set(0);
	for (u32 i = 0; i < GUESTS; i++)
		assert_int_equal(pages(i), 0);
}

static void test_by_shares(void **state)
{
	guests[0].account.shares = 512; /* as much again: it keeps all before the others do */
	targets_set(6000);
	assert_int_equal(pages(0), 0);
	for (u32 i = 1; i < GUESTS; i++)
		assert_in_range(pages(i), 5999, 6000);
}

static void test_who_has_little_keeps_it(void **state)
{
	guests[1].account.used = 1000;
	targets_set(6000);
	assert_int_equal(pages(1), 0);
	assert_in_range(pages(0), 5999, 6000);
}

static void test_idle_memory_is_taxed(void **state)
{
	guests[2].stats.clock = 1;
	guests[2].stats.values[MEMORY_UNUSED] = 4000 * PAGE_SIZE; /* half of it: counts two and a half times */
	guests[3].stats.clock = 1;
	guests[3].stats.values[MEMORY_UNUSED] = MEMORY_UNKNOWN;
	targets_set(4000);
	assert_in_range(pages(2), 3999, 4001);
	assert_int_equal(pages(0), 0);
	assert_int_equal(pages(3), 0);
}

static void test_what_is_used_goes_before_what_is_said(void **state)
{
	guests[1].working_set = (struct working_set){ .known = true, .used = 1000 };
	guests[2].working_set = (struct working_set){ .known = true, .used = 500 };
	for (u32 i = 1; i <= 2; i++) {
		guests[i].stats.clock = 1;
		guests[i].stats.values[MEMORY_UNUSED] = (i == 1 ? 8000 : 0) * PAGE_SIZE;
	}
	guests[3].state = GUEST_PAUSED;
	targets_set(4000);
	assert_in_range(pages(2), 3999, 4001);
	assert_int_equal(pages(1), 0);
	assert_int_equal(guests[2].working_set.count, 1); /* sampled each time, who takes part */
	assert_int_equal(guests[3].working_set.count, 0);
}

static void test_bounds(void **state)
{
	guests[0].account.min = 7500;
	guests[1].stats.driver = 0; /* it has no balloon */
	guests[2].state = GUEST_PAUSED;
	targets_set(30000);
	assert_int_equal(pages(0), 7500);
	assert_int_equal(pages(1), 0);
	assert_int_equal(pages(2), 0);
	assert_int_equal(pages(3), 3500); /* 35 % */
}

static void test_shared_pages_are_memory_too(void **state)
{
	guests[0].gmem.shared_pages = 900;
	guests[0].gmem.zero_pages = 400;
	guests[0].gmem.tables = 20;
	targets_set(4000);
	assert_in_range(pages(0), 7479, 7480);
}

static void test_not_told_all_the_time(void **state)
{
	for (u32 i = 0; i < 20; i++) {
		targets_set(4000);
		targets_set(0);
		now += PRESSURE_TELL_NS / 20;
	}
	assert_int_equal(lines, GUESTS);
	targets_set(4000);
	targets_set(4000);
	assert_int_equal(lines, 2 * GUESTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_equals_give_alike, setup),
		cmocka_unit_test_setup(test_by_shares, setup),
		cmocka_unit_test_setup(test_who_has_little_keeps_it, setup),
		cmocka_unit_test_setup(test_idle_memory_is_taxed, setup),
		cmocka_unit_test_setup(test_what_is_used_goes_before_what_is_said, setup),
		cmocka_unit_test_setup(test_bounds, setup),
		cmocka_unit_test_setup(test_shared_pages_are_memory_too, setup),
		cmocka_unit_test_setup(test_not_told_all_the_time, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
