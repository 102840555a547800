/* What a guest's parameters mean in the ledger: its start out of the host's reserve, and other terms while it runs. */
/* links: kernel/guest_ledger.c kernel/ledger.c kernel/ledger_admit.c kernel/frame.c kernel/lock.c
 * tests/unit/fake_arch.c tests/unit/fake_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/guest.h"
#include "kernel/process.h"
#include "tests/unit/fake_arch.h"

const u64 fake_frames = 8192;
const u32 fake_cpu_count = 1;

#define RESERVE 512 /* frames */

static struct guest guest, other;
static u64 saved; /* frames that sharing saves other guests */
static u32 looks;

u64 gmem_tables_max(u64 limit) { return 4; }
void process_raise(struct process *p, u32 events) { }
void pressure_look(void) { looks++; }

u64 guest_saved_frames(const struct guest *but)
{
	assert_int_equal(but->lock.taken, 0); /* the list's lock goes before */
	return saved;
}

static void begin(enum overcommit overcommit)
{
	ledger_start(RESERVE * PAGE_SIZE, overcommit);
	guest = (struct guest){ .id = 1, .state = GUEST_RUNNING, .vcpu_count = 1, .lock.class = LOCK_GUEST,
				.params = { .memory = 16 * MIB, .memory_max = 2 * MIB, .memory_shares = 256 } };
	other = (struct guest){ .id = 2, .vcpu_count = 1, .params = { .memory = 16 * MIB, .memory_shares = 256 } };
	saved = looks = 0;
}

static void admit_both(void)
{
	struct admission a;

	assert_int_equal(guest_admit(&guest, &a), 0);
	assert_int_equal(guest_admit(&other, &a), 0);
}

static void test_build_comes_out_of_the_reserve(void **state)
{
	struct admission a;

	begin(OVERCOMMIT_FULL);
	assert_true(guest_may_build(64, &a));
	fake_leave(RESERVE + 100);
	assert_true(guest_may_build(1, &a)); /* half of the reserve is for such things */
	assert_false(guest_may_build(64, &a));
	assert_int_equal(a.verdict, ADMIT_BUILD);
	assert_int_equal(a.free, (RESERVE + 100) * PAGE_SIZE);
	assert_int_equal(a.reserve, RESERVE * PAGE_SIZE);
	assert_in_range(a.needs, 2 * MIB, 3 * MIB);
	fake_leave(0);
	assert_false(guest_may_build(1, &a));
	fake_give_back();
}

static void test_max_is_held_to_the_setting(void **state)
{
	struct guest_tune tune = { .max = 16 * MIB, .shares = 256 };
	struct admission a;

	begin(OVERCOMMIT_NONE);
	admit_both();
	fake_leave(5000); /* 20 MiB */
	assert_int_equal(guest_tune(&guest, &tune, &a), ERR_NOMEM);
	assert_int_equal(a.verdict, ADMIT_SIZES);
	assert_int_equal(guest.params.memory_max, 2 * MIB);
	assert_int_equal(looks, 0);
	tune.max = MIB;
	assert_int_equal(guest_tune(&guest, &tune, &a), ERR_INVAL); /* it could not live */
	tune.max = 5 * MIB / 2;
	assert_int_equal(guest_tune(&guest, &tune, &a), ERR_NOMEM);
	fake_give_back();
	assert_int_equal(guest_tune(&guest, &tune, &a), 0);
	assert_int_equal(guest.params.memory_max, tune.max);
	assert_int_equal(looks, 1);
	guest.state = GUEST_STOPPED;
	assert_int_equal(guest_tune(&guest, &tune, &a), ERR_STATE);
}

/* What others share counts at a tuning as at a start. */
static void test_max_and_sharing(void **state)
{
	const struct guest_tune tune = { .max = 16 * MIB, .shares = 256 };
	struct admission a;

	begin(OVERCOMMIT_SHARING);
	admit_both();
	fake_leave(5000);
	assert_int_equal(guest_tune(&guest, &tune, &a), ERR_NOMEM);
	saved = 4096;
	assert_int_equal(guest_tune(&guest, &tune, &a), 0);
	fake_give_back();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_build_comes_out_of_the_reserve), FAKE_TEST(test_max_is_held_to_the_setting),
		FAKE_TEST(test_max_and_sharing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
