/* Directed yield: whom a spinning vCPU lets go first. */
/* links: kernel/spin.c kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c
 * kernel/cpuid.c kernel/cpuid_policy.c kernel/msr.c kernel/kvmclock.c kernel/steal.c
 * kernel/hyperv_cpuid.c kernel/hyperv_msr.c kernel/hyperv_clock.c
 * kernel/hyperv_synic.c kernel/hyperv_timer.c tests/unit/fake_vcpu.c
 * tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

#include "kernel/spin.h"
#include "kernel/thread.h"

#define COUNT 4

static struct thread threads[COUNT];
static struct thread *boosted;
static u32 refused; /* bits: had more than their share */

bool thread_boost(struct thread *t)
{
	if (refused >> (t - threads) & 1)
		return false;
	boosted = t;
	return true;
}

static int setup(void **state)
{
	lapic_setup(state);
	fake_start(COUNT);
	refused = 0;
	for (u32 i = 0; i < COUNT; i++) {
		threads[i] = (struct thread){ .state = THREAD_READY };
		V(i)->thread = &threads[i];
	}
	threads[0].state = THREAD_RUNNING;
	return 0;
}

/* Index of the vCPU that 0 lets go first; -1: nobody. */
static s32 chosen(void)
{
	u64 before = V(0)->directed;

	boosted = NULL;
	spin_yield(V(0));
	assert_int_equal(V(0)->directed - before, boosted ? 1 : 0);
	return boosted ? (s32)(boosted - threads) : -1;
}

static void test_turns(void **state)
{
	for (u32 i = 0; i < 9; i++)
		assert_int_equal(chosen(), 1 + i % 3);
}

static void test_who_is_no_help(void **state)
{
	threads[1].state = THREAD_RUNNING;
	V(2)->last = &V(2)->exits[REASON_PAUSE]; /* it spins, too */
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(chosen(), 3);
	refused = BIT(3);
	assert_int_equal(chosen(), -1);
	V(2)->last = &V(2)->exits[REASON_INTERRUPT];
	assert_int_equal(chosen(), 2);
	threads[2].state = THREAD_BLOCKED;
	refused = 0;
	V(3)->thread = NULL; /* not begun */
	assert_int_equal(chosen(), -1);
	fake_guest.absent = BIT(1); /* not plugged in */
	threads[1].state = THREAD_READY;
	assert_int_equal(chosen(), -1);
	fake_guest.absent = 0;
	threads[1].state = THREAD_WOKEN;
	assert_int_equal(chosen(), -1);
}

static void test_alone(void **state)
{
	fake_start(1);
	V(0)->thread = &threads[0];
	threads[0].state = THREAD_READY;
	assert_int_equal(chosen(), -1); /* not itself */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_turns, setup), cmocka_unit_test_setup(test_who_is_no_help, setup),
		cmocka_unit_test_setup(test_alone, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
