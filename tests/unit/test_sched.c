/* The scheduler: fair shares and wake-ups in simulated time on one CPU; on four, real threads that pass
 * tokens to each other, none of which may be lost, and idle CPUs that take work. */
/* links: kernel/sched.c kernel/sched_core.c kernel/sched_queue.c kernel/sched_balance.c kernel/thread.c
 * kernel/timer.c kernel/clock.c kernel/frame.c kernel/lock.c
 * tests/unit/fake_arch.c tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "kernel/clock.h"
#include "kernel/heap.h"
#include "kernel/monitor.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include "tests/unit/fake_arch.h"

const u64 fake_frames = 64;
const u32 fake_cpu_count = 4;

#define MS 1000000ull
#define THREADS 32

static struct thread *threads[THREADS];
static u64 end_at;

/* What the scheduler asks of others. */
void *heap_alloc(size_t size)
{
	static _Alignas(64) u8 room[8 * THREADS][1024];
	static u32 used;

	assert_true(used < ARRAY_SIZE(room) && size <= sizeof(room[0]));
	return room[used++];
}

void monitor_raise(u32 events) { }
hpa_t space_kernel_root(void) { return (hpa_t){ 0 }; }
void space_switch(hpa_t root) { }
void thread_activate(struct thread *t) { }
void thread_deactivate(struct thread *t, bool ready) { }
void thread_exited(struct thread *t) { }
void barrier_pass(void) { }

static void on_interrupt(u32 vector)
{
	if (vector == VECTOR_TIMER)
		timer_interrupt();
}

static void make(u32 index, enum step (*step)(struct thread *t), u32 weight)
{
	threads[index] = thread_create(NULL, step, weight);
	assert_non_null(threads[index]);
}

/* ---- one CPU in simulated time ---- */

static void simulate(u32 cpu)
{
	if (cpu == 0)
		sched_loop(NULL);
}

static void begin_simulation(u64 length)
{
	fake_tsc = 1000 * MS;
	fake_tsc_start();
	clock_init(0, 1000000000, 0); /* a cycle is a nanosecond */
	sched_start();
	host_cpu_count = 1;
	fake_interrupt = on_interrupt;
	end_at = fake_tsc + length;
}

static enum step burn(struct thread *t)
{
	fake_tsc += MS / 5;
	fake_take_interrupts();
	if (fake_tsc >= end_at) {
		sched_account(host_cpu());
		fake_cpu_leave();
	}
	return STEP_AGAIN;
}

static void idle_time_passes(void)
{
	u64 next = host_cpu()->apic_timer.deadline;

	if (fake_tsc >= end_at)
		fake_cpu_leave();
	fake_tsc = next == APIC_TIMER_OFF ? end_at : MAX(fake_tsc, next);
}

static void test_weights_are_shares(void **state)
{
	static const u32 weights[] = { 256, 256, 512, 1024, 64, 128 };
	u64 sum = 0, length = 3000 * MS;

	begin_simulation(length);
	for (u32 i = 0; i < ARRAY_SIZE(weights); i++) {
		make(i, burn, weights[i]);
		sum += weights[i];
	}
	for (u32 i = 0; i < ARRAY_SIZE(weights); i++)
		thread_start(threads[i]);
	fake_cpus_run(simulate);
	for (u32 i = 0; i < ARRAY_SIZE(weights); i++) {
		s64 share = (s64)(length * weights[i] / sum), off = (s64)threads[i]->sched.run_cycles - share;

		if (off < -15 * (s64)MS || off > 15 * (s64)MS)
			fail_msg("thread %u of weight %u ran %ld us, not %ld", i, weights[i],
				 (long)(threads[i]->sched.run_cycles / 1000), (long)(share / 1000));
	}
	host_cpu_count = fake_cpu_count;
}

static u64 woken_at, worst, naps;

static void nap_over(struct timer *t)
{
	woken_at = fake_tsc;
	thread_wake(CONTAINER_OF(t, struct thread, timer));
}

/* Sleeps 7 ms, works 0.2 ms. */
static enum step nap(struct thread *t)
{
	if (woken_at && naps > 20) /* at first all have run as little as it */
		worst = MAX(worst, fake_tsc - woken_at);
	woken_at = 0;
	naps++;
	fake_tsc += MS / 5;
	fake_take_interrupts();
	t->timer.expired = nap_over;
	timer_arm(&t->timer, fake_tsc + 7 * MS);
	return STEP_BLOCK;
}

static void test_sleeper_runs_at_once(void **state)
{
	begin_simulation(2000 * MS);
	worst = naps = woken_at = 0;
	make(0, nap, 256);
	for (u32 i = 1; i < 5; i++)
		make(i, burn, 256);
	for (u32 i = 0; i < 5; i++)
		thread_start(threads[i]);
	fake_cpus_run(simulate);
	assert_in_range(naps, 200, 300);
	assert_true(worst <= MS); /* among four that never sleep */
	host_cpu_count = fake_cpu_count;
}

static void test_idle_until_the_timer(void **state)
{
	begin_simulation(1000 * MS);
	naps = woken_at = 0;
	fake_halted = idle_time_passes;
	make(0, nap, 256);
	thread_start(threads[0]);
	fake_cpus_run(simulate);
	assert_in_range(naps, 130, 145);
	assert_true(host_cpus[0]->idle_cycles > 900 * MS);
	host_cpu_count = fake_cpu_count;
}

static u32 rounds;

/* What it waits for comes after its look and before it blocks. */
static enum step woken_meanwhile(struct thread *t)
{
	if (++rounds == 3)
		fake_cpu_leave();
	thread_wake(t);
	return STEP_BLOCK;
}

static void test_woken_while_it_runs(void **state)
{
	begin_simulation(100 * MS);
	rounds = 0;
	fake_halted = idle_time_passes;
	make(0, woken_meanwhile, 256);
	thread_start(threads[0]);
	fake_cpus_run(simulate);
	assert_int_equal(rounds, 3);
	host_cpu_count = fake_cpu_count;
}

/* ---- four CPUs in real time ---- */

#define HOPS 4000

static u32 tokens[THREADS], arrived, stop, ran_on[THREADS]; /* a */
static time_t deadline;

static void all(u32 cpu)
{
	sched_loop(NULL);
}

static void leave_at_end(void)
{
	if (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) || time(NULL) > deadline)
		fake_cpu_leave();
}

static u32 index_of(struct thread *t)
{
	u32 i = 0;

	while (threads[i] != t)
		i++;
	return i;
}

/* Takes its tokens, passes each on to the next thread, and blocks. */
static enum step pass(struct thread *t)
{
	u32 i = index_of(t), next = (i * 5 + 7) % THREADS; /* all of them, in one ring */
	u32 mine = __atomic_exchange_n(&tokens[i], 0, __ATOMIC_SEQ_CST);

	leave_at_end();
	fake_take_interrupts();
	if (!mine)
		return STEP_BLOCK;
	if (__atomic_add_fetch(&arrived, mine, __ATOMIC_SEQ_CST) >= HOPS)
		__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&tokens[next], mine, __ATOMIC_SEQ_CST);
	thread_wake(threads[next]);
	return i % 3 ? STEP_BLOCK : STEP_YIELD;
}

static void begin_real(void)
{
	clock_init(__builtin_ia32_rdtsc(), 2000000000, 0);
	sched_start();
	fake_interrupt = on_interrupt;
	fake_halted = leave_at_end;
	stop = arrived = 0;
	deadline = time(NULL) + 40;
	memset(tokens, 0, sizeof(tokens));
}

static void test_no_wake_up_is_lost(void **state)
{
	begin_real();
	for (u32 i = 0; i < THREADS; i++)
		make(i, pass, 256);
	for (u32 i = 0; i < THREADS; i++)
		thread_start(threads[i]);
	for (u32 i = 0; i < 3; i++) {
		tokens[i * 11] = 1;
		thread_wake(threads[i * 11]);
	}
	fake_cpus_run(all);
	if (!stop)
		fail_msg("%u of %u hops, then all slept", arrived, HOPS);
}

static u32 guest_on[4], mixed; /* a */

/* The same for a guest, or for nobody: which other one does its core's other thread run meanwhile? */
static enum step pass_alone(struct thread *t)
{
	u32 cpu = host_cpu()->arch.index, other;
	enum step s;

	__atomic_store_n(&guest_on[cpu], t->guest, __ATOMIC_SEQ_CST);
	s = pass(t);
	sched_yield();
	other = __atomic_load_n(&guest_on[cpu ^ 1], __ATOMIC_SEQ_CST);
	if (t->guest && other && other != t->guest)
		__atomic_add_fetch(&mixed, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&guest_on[cpu], 0, __ATOMIC_SEQ_CST);
	return s;
}

/* Two cores of two threads, three guests and what is nobody's: all tokens go round. */
static void run_guests(bool one_a_core)
{
	begin_real();
	mixed = 0;
	memset(guest_on, 0, sizeof(guest_on));
	for (u32 i = 0; i < 4; i++) {
		host_cpus[i]->sibling = host_cpus[i ^ 1];
		host_cpus[i]->place.core = i / 2;
		host_cpus[i]->core = one_a_core ? &host_cpus[i & ~1u]->own_core : NULL;
	}
	for (u32 i = 0; i < THREADS; i++) {
		make(i, pass_alone, 256);
		threads[i]->guest = i % 4;
	}
	for (u32 i = 0; i < THREADS; i++)
		thread_start(threads[i]);
	for (u32 i = 0; i < 20; i++) {
		tokens[i] = 1;
		thread_wake(threads[i]);
	}
	fake_cpus_run(all);
	if (!stop)
		fail_msg("%u of %u hops, then all slept", arrived, HOPS);
}

static void test_one_guest_a_core(void **state)
{
	run_guests(true);
	assert_int_equal(mixed, 0);
}

/* Without it the same test sees two. */
static void test_any_guests_a_core(void **state)
{
	run_guests(false);
	assert_true(mixed);
}

static enum step spin(struct thread *t)
{
	__atomic_or_fetch(&ran_on[index_of(t)], 1u << host_cpu()->arch.index, __ATOMIC_RELAXED);
	leave_at_end();
	fake_take_interrupts();
	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_RELAXED) > 20000)
		__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	return arrived % 64 ? STEP_AGAIN : STEP_YIELD;
}

/* All begin on one CPU's queue; the others find them there. */
static void test_idle_cpus_take_work(void **state)
{
	u32 seen = 0;

	begin_real();
	memset(ran_on, 0, sizeof(ran_on));
	for (u32 i = 0; i < 8; i++)
		make(i, spin, 256);
	for (u32 i = 0; i < 8; i++)
		thread_start(threads[i]);
	fake_cpus_run(all);
	assert_true(stop);
	for (u32 i = 0; i < 8; i++)
		seen |= ran_on[i];
	assert_int_equal(seen, 15);
}

/* Before its start and after its end a thread is not to be woken. */
static void test_late_wake_ups(void **state)
{
	begin_real();
	make(0, spin, 256);
	thread_wake(threads[0]);
	assert_int_equal(threads[0]->state, THREAD_READY);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(host_cpus[i]->queue.count, 0);
	thread_free(threads[0]);
	thread_wake(threads[0]);
	make(1, spin, 256);
	assert_ptr_equal(threads[0], threads[1]); /* the same memory, begun anew */
	thread_wake(threads[0]);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(host_cpus[i]->queue.count, 0);
	thread_start(threads[1]);
	assert_int_equal(host_cpus[0]->queue.count + host_cpus[1]->queue.count + host_cpus[2]->queue.count +
			 host_cpus[3]->queue.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_late_wake_ups), FAKE_TEST(test_weights_are_shares), FAKE_TEST(test_sleeper_runs_at_once),
		FAKE_TEST(test_idle_until_the_timer), FAKE_TEST(test_woken_while_it_runs),
		FAKE_TEST(test_no_wake_up_is_lost), FAKE_TEST(test_one_guest_a_core),
		FAKE_TEST(test_any_guests_a_core),
		FAKE_TEST(test_idle_cpus_take_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
