/* Timers of a CPU: order, deadlines, cancelling, and that a cancelled timer's memory may go. */
/* links: kernel/timer.c kernel/frame.c kernel/lock.c tests/unit/fake_arch.c tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/timer.h"
#include "tests/unit/fake_arch.h"

const u64 fake_frames = 16;
const u32 fake_cpu_count = 2;

#define TIMERS 200

static struct timer timers[TIMERS];
static u64 fired_at[TIMERS];
static u32 fired[TIMERS], fired_in_all;
static u64 last;

static void expired(struct timer *t)
{
	u64 n = (u64)(t - timers);

	assert_true(t->deadline <= fake_tsc);
	assert_true(t->deadline >= last); /* in their order */
	last = t->deadline;
	fired_at[n] = fake_tsc;
	fired[n]++;
	fired_in_all++;
}

static void on_interrupt(u32 vector)
{
	last = 0;
	timer_interrupt();
}

static void begin(void)
{
	fake_tsc = 1000;
	fake_tsc_start();
	fake_interrupt = on_interrupt;
	memset(timers, 0, sizeof(timers));
	memset(fired, 0, sizeof(fired));
	fired_in_all = 0;
	for (u32 i = 0; i < TIMERS; i++)
		timers[i].expired = expired;
}

static void pass(u64 cycles)
{
	fake_tsc += cycles;
	fake_take_interrupts();
}

static void test_fires_once_in_order(void **state)
{
	begin();
	for (u32 i = 0; i < TIMERS; i++)
		timer_arm(&timers[i], 2000 + i * 7919 % TIMERS * 10);
	pass(999);
	assert_int_equal(fired_in_all, 0);
	pass(1);
	assert_int_equal(fired_in_all, 1);
	pass(1000);
	assert_int_equal(fired_in_all, 101);
	pass(10000);
	for (u32 i = 0; i < TIMERS; i++)
		assert_int_equal(fired[i], 1);
	pass(10000);
	assert_int_equal(fired_in_all, TIMERS);
	assert_int_equal(host_cpu()->apic_timer.deadline, APIC_TIMER_OFF);
}

static void test_rearm_and_cancel(void **state)
{
	begin();
	timer_arm(&timers[0], 5000);
	timer_arm(&timers[0], 3000); /* earlier */
	timer_arm(&timers[1], 3000);
	timer_arm(&timers[1], 6000); /* later */
	timer_arm(&timers[2], 3000);
	timer_arm(&timers[2], TIMER_NEVER);
	timer_arm(&timers[3], 3000);
	timer_cancel(&timers[3]);
	timer_cancel(&timers[3]);
	timer_cancel(&timers[4]); /* never armed */
	timer_arm(&timers[5], 10); /* past */
	pass(0);
	assert_int_equal(fired[5], 1);
	pass(2000);
	assert_int_equal(fired[0], 1);
	assert_int_equal(fired_in_all, 2);
	pass(3000);
	assert_int_equal(fired[1], 1);
	assert_int_equal(fired_in_all, 3);
}

static void again(struct timer *t)
{
	fired_in_all++;
	timer_arm(t, t->deadline + 100);
}

static void test_callback_arms_itself(void **state)
{
	begin();
	timers[0].expired = again;
	timer_arm(&timers[0], 1100);
	for (u32 i = 0; i < 50; i++)
		pass(100);
	assert_int_equal(fired_in_all, 50);
	timer_cancel(&timers[0]);
	pass(1000);
	assert_int_equal(fired_in_all, 50);
}

static void test_slice_end(void **state)
{
	begin();
	timer_arm(&timers[0], 5000);
	host_cpu()->slice_end = 3000;
	timer_program(host_cpu());
	pass(1999);
	assert_int_equal(host_cpu()->resched, 0);
	pass(1);
	assert_int_equal(host_cpu()->resched, 1);
	assert_int_equal(fired_in_all, 0);
	assert_int_equal(host_cpu()->apic_timer.deadline, 5000);
	host_cpu()->resched = 0;
	pass(2000);
	assert_int_equal(fired_in_all, 1);
	assert_int_equal(host_cpu()->resched, 0);
}

/* One that moved to another CPU does not fire on the first any more. */
static void test_moves_with_its_owner(void **state)
{
	begin();
	timer_arm(&timers[0], 2000);
	fake_cpu_enter(1);
	timer_arm(&timers[0], 3000);
	fake_cpu_enter(0);
	pass(1500);
	assert_int_equal(fired_in_all, 0);
	fake_cpu_enter(1);
	pass(1500);
	assert_int_equal(fired_in_all, 1);
	fake_cpu_enter(0);
}

/* ---- CPU 1 makes, cancels and throws away timers of CPU 0, which takes its interrupts ---- */

struct owned {
	struct timer timer;
	u32 alive;
};

static struct owned *wanted, *armed; /* a */
static u32 over, calls;              /* a */

static void touch(struct timer *t)
{
	struct owned *o = CONTAINER_OF(t, struct owned, timer);

	if (o->alive != 0x1234)
		abort();
	for (u32 i = 0; i < 50; i++) /* long enough to be met in it */
		__builtin_ia32_pause();
	if (o->alive != 0x1234)
		abort();
	__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
}

static void owner_or_user(u32 cpu)
{
	while (cpu == 0 && !__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		struct owned *o = __atomic_exchange_n(&wanted, NULL, __ATOMIC_ACQ_REL);

		if (!o) {
			sched_yield();
			continue;
		}
		timer_arm(&o->timer, 1);
		__atomic_store_n(&armed, o, __ATOMIC_RELEASE);
		fake_take_interrupts();
	}
	for (u32 i = 0; cpu == 1 && i < 3000; i++) {
		struct owned *o = calloc(1, sizeof(*o));

		o->alive = 0x1234;
		o->timer.expired = touch;
		__atomic_store_n(&wanted, o, __ATOMIC_RELEASE);
		while (__atomic_load_n(&armed, __ATOMIC_ACQUIRE) != o)
			__builtin_ia32_pause();
		timer_cancel(&o->timer);
		o->alive = 0;
		__atomic_store_n(&armed, NULL, __ATOMIC_RELEASE);
		free(o);
	}
	if (cpu == 1)
		__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
}

static void take(u32 vector)
{
	timer_interrupt();
}

static void test_memory_may_go_after_cancel(void **state)
{
	over = calls = 0;
	fake_interrupt = take;
	fake_cpus_run(owner_or_user);
	assert_true(calls > 10); /* not always in time */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_fires_once_in_order), FAKE_TEST(test_rearm_and_cancel),
		FAKE_TEST(test_callback_arms_itself), FAKE_TEST(test_slice_end), FAKE_TEST(test_moves_with_its_owner),
		FAKE_TEST(test_memory_may_go_after_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
