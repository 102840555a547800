/* The trace: rings of their own for two CPUs, which keep the last records. */
/* links: kernel/trace.c kernel/heap.c kernel/frame.c kernel/lock.c tests/unit/fake_arch.c tests/unit/fake_trap.c
 * kernel/sched_queue.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "kernel/frame.h"
#include "kernel/trace.h"
#include "tests/unit/fake_arch.h"

const u64 fake_frames = 256;
const u32 fake_cpu_count = 2;

static struct trace_record records[TRACE_RECORDS + 1];

static void check_off(void)
{
	u64 position = 7;

	trace(TRACE_RUN, 0, 1, 2, 3, 4); /* nothing, and no ring yet */
	assert_int_equal(trace_read(0, &position, records, 10), 0);
	assert_int_equal(position, 0);
}

static void check_last_ones(void)
{
	u64 position = 0;

	assert_int_equal(trace_start(), 0);
	for (u64 i = 0; i < TRACE_RECORDS + 100; i++)
		trace(TRACE_EXIT, 9, 3, 1, 1000 + i, 1005 + i);
	assert_int_equal(trace_read(0, &position, records, TRACE_RECORDS + 1), TRACE_RECORDS);
	assert_int_equal(position, TRACE_RECORDS + 100);
	for (u64 i = 0; i < TRACE_RECORDS; i++) {
		assert_int_equal(records[i].tsc, 1100 + i);
		assert_int_equal(records[i].cycles, 5);
		assert_true(records[i].guest == 3 && records[i].vcpu == 1 && records[i].kind == TRACE_EXIT &&
			    records[i].detail == 9);
	}
	position = 150;
	assert_int_equal(trace_read(0, &position, records, 2), 2);
	assert_int_equal(records[0].tsc, 1150);
	assert_int_equal(position, 152);
	position = 0;
	assert_int_equal(trace_read(1, &position, records, 10), 0); /* the other's own */
	fake_cpu_enter(1);
	trace(TRACE_RUN, 1, 0, TRACE_NO_VCPU, 1, 2);
	fake_cpu_enter(0);
	assert_int_equal(trace_read(1, &position, records, 10), 1);
	assert_int_equal(records[0].vcpu, TRACE_NO_VCPU);
}

static void check_stop_and_anew(void)
{
	u64 position = 0, free;

	assert_int_equal(trace_start(), 0);
	trace(TRACE_INJECT, 0x30, 1, 0, 5, 5);
	trace_stop();
	trace(TRACE_INJECT, 0x31, 1, 0, 6, 6);
	assert_int_equal(trace_read(0, &position, records, 10), 1);
	assert_int_equal(records[0].detail, 0x30);
	free = frame_count(FRAME_FREE);
	assert_int_equal(trace_start(), 0); /* in the same rings, from the beginning */
	assert_int_equal(frame_count(FRAME_FREE), free);
	assert_int_equal(trace_read(0, &position, records, 10), 0);
	assert_int_equal(position, 0);
	trace_stop();
}

/* The rings stay, in RAM that is gone after a test: one holds all. */
static void test_trace(void **state)
{
	check_off();
	check_last_ones();
	check_stop_and_anew();
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_trace) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
