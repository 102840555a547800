/* Directed yield: whom a spinning vCPU calls, when it goes on and when it yields, and who runs together later. */
/* links: kernel/spin.c kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c
 * kernel/cpuid.c kernel/cpuid_policy.c kernel/msr.c kernel/kvmclock.c kernel/steal.c
 * kernel/hyperv_cpuid.c kernel/hyperv_msr.c kernel/hyperv_clock.c
 * kernel/hyperv_synic.c kernel/hyperv_timer.c tests/unit/fake_vcpu.c
 * tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

#include "arch/x86_64/registers.h"
#include "kernel/sched_gang.h"
#include "kernel/spin.h"

#define COUNT 4

static struct thread threads[COUNT];
static u32 called, parted, runs; /* bits: who was called, parted from its caller; who can run at once */

u64 clock_cycles(u64 ns)
{
	return 1000 * ns; /* the test takes no longer */
}

bool sched_call(const struct thread *caller, struct thread *t, u64 now)
{
	assert_ptr_equal(caller, &threads[0]);
	called |= 1u << (t - threads);
	return runs >> (t - threads) & 1;
}

void sched_part(const struct thread *caller, struct thread *t)
{
	assert_false(called >> (t - threads) & 1); /* to where it is called then */
	parted |= 1u << (t - threads);
}

static int setup(void **state)
{
	lapic_setup(state);
	fake_start(COUNT);
	runs = 0;
	for (u32 i = 0; i < COUNT; i++) {
		threads[i] = (struct thread){ .state = THREAD_READY, .cpu = i };
		V(i)->thread = &threads[i];
		V(i)->together_until = 0;
	}
	threads[0].state = THREAD_RUNNING;
	return 0;
}

/* Index of the vCPU that 0 calls; -1: nobody.  *goes_on: it need not yield. */
static s32 chosen(bool *goes_on)
{
	u64 before = V(0)->directed;

	called = parted = 0;
	*goes_on = spin_wait(V(0));
	assert_int_equal(called, parted);
	assert_int_equal(V(0)->directed - before, called ? 1 : 0);
	return called ? (s32)__builtin_ctz(called) : -1;
}

static void test_turns(void **state)
{
	bool goes_on;

	runs = 1 << 2;
	for (u32 i = 0; i < 9; i++) {
		assert_int_equal(chosen(&goes_on), 1 + i % 3);
		assert_int_equal(goes_on, i % 3 == 1);
	}
}

static void test_who_is_no_help(void **state)
{
	bool goes_on;

	threads[1].state = THREAD_RUNNING;
	V(2)->last = &V(2)->exits[REASON_PAUSE]; /* it spins, too */
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(chosen(&goes_on), 3);
	threads[3].state = THREAD_BLOCKED;
	assert_int_equal(chosen(&goes_on), 2); /* the ticket may be its, all the same */
	V(2)->thread = NULL; /* not begun */
	assert_int_equal(chosen(&goes_on), -1);
	assert_true(goes_on); /* for 1 runs */
	threads[1].state = THREAD_BLOCKED;
	assert_int_equal(chosen(&goes_on), -1);
	assert_false(goes_on);
	threads[1].state = THREAD_READY;
	fake_guest.absent = BIT(1); /* not plugged in */
	assert_int_equal(chosen(&goes_on), -1);
	fake_guest.absent = 0;
}

static void test_alone(void **state)
{
	bool goes_on;

	fake_start(1);
	V(0)->thread = &threads[0];
	threads[0].state = THREAD_READY;
	assert_int_equal(chosen(&goes_on), -1); /* not itself */
	assert_false(goes_on);
}

static u32 gathered(void)
{
	called = 0;
	spin_gather(V(0));
	return called;
}

static void test_together_later(void **state)
{
	bool goes_on;

	assert_int_equal(gathered(), 0);
	chosen(&goes_on);
	chosen(&goes_on);
	assert_int_equal(gathered(), 1 << 1 | 1 << 2);
	threads[2].cpu = 0; /* behind its caller: it cannot */
	assert_int_equal(gathered(), 1 << 1);
	threads[1].state = THREAD_RUNNING;
	assert_int_equal(gathered(), 0);
	threads[1].state = THREAD_READY;
	V(1)->together_until = rdtsc();
	assert_int_equal(gathered(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_turns, setup), cmocka_unit_test_setup(test_who_is_no_help, setup),
		cmocka_unit_test_setup(test_alone, setup), cmocka_unit_test_setup(test_together_later, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
