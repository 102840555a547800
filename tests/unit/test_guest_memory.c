/* How much memory a guest is asked for: the least of all wishes, told once, and its own figures bounded. */
/* links: kernel/guest_memory.c kernel/lock.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/guest.h"
#include "kernel/panic.h"
#include "kernel/process.h"

static struct guest g;
static struct process process;
static u32 raised;
static u32 sampled, forgotten;

void working_set_sample(struct gmem *m, struct working_set *w)
{
	sampled++;
	*w = (struct working_set){ .known = true, .used = 250 };
}

void working_set_forget(struct working_set *w)
{
	forgotten++;
	w->known = false;
}

void process_raise(struct process *p, u32 events)
{
	assert_ptr_equal(p, &process);
	assert_int_equal(events, EVENT_MEMORY);
	raised++;
}

void panic(const char *format, ...)
{
	abort();
}

static int setup(void **state)
{
	memset(&g, 0, sizeof(g));
	g.params.memory = 128 * MIB;
	g.process = &process;
	raised = 0;
	return 0;
}

static void least_wish_counts(void **state)
{
	assert_int_equal(guest_memory_target(&g), 128 * MIB);
	guest_set_memory_wish(&g, 96 * MIB);
	assert_int_equal(guest_memory_target(&g), 96 * MIB);
	assert_int_equal(raised, 1);
	guest_set_memory_target(&g, 100 * MIB); /* asks for no more than the operator does */
	assert_int_equal(guest_memory_target(&g), 96 * MIB);
	assert_int_equal(raised, 1);
	guest_set_memory_target(&g, 64 * MIB);
	assert_int_equal(guest_memory_target(&g), 64 * MIB);
	guest_set_memory_wish(&g, 0);
	assert_int_equal(guest_memory_target(&g), 64 * MIB);
	assert_int_equal(raised, 2);
	guest_set_memory_target(&g, 0); /* the pressure is over */
	assert_int_equal(guest_memory_target(&g), 128 * MIB);
	guest_set_memory_wish(&g, UINT64_MAX);
	assert_int_equal(guest_memory_target(&g), 128 * MIB);
	assert_int_equal(raised, 3);
}

static void wishes_are_kept_without_a_process(void **state)
{
	struct guest_memory memory;

	g.process = NULL;
	guest_set_memory_wish(&g, 32 * MIB);
	guest_set_memory_target(&g, 48 * MIB);
	guest_memory(&g, &memory);
	assert_int_equal(memory.memory, 128 * MIB);
	assert_int_equal(memory.wish, 32 * MIB);
	assert_int_equal(memory.pressure, 48 * MIB);
	assert_int_equal(memory.target, 32 * MIB);
}

static void no_balloon_is_larger_than_its_guest(void **state)
{
	struct memory_stats stats;
	struct guest_memory memory;

	memset(&stats, 0xff, sizeof(stats));
	guest_set_memory_stats(&g, &stats);
	guest_memory(&g, &memory);
	assert_int_equal(memory.stats.balloon, 128 * MIB);
	assert_int_equal(memory.target, 128 * MIB); /* its words change nothing else */
}

static void only_a_running_guest_is_sampled(void **state)
{
	struct guest_memory memory;

	sampled = forgotten = 0;
	guest_memory(&g, &memory);
	assert_true(memory.working_set == MEMORY_UNKNOWN);
	g.state = GUEST_RUNNING;
	g.gmem.private_pages = 1000;
	guest_sample_memory(&g, true);
	guest_memory(&g, &memory);
	assert_int_equal(memory.working_set, 250 * PAGE_SIZE);
	guest_sample_memory(&g, false); /* the pressure is over */
	guest_memory(&g, &memory);
	assert_true(memory.working_set == MEMORY_UNKNOWN);
	g.state = GUEST_DYING;
	guest_sample_memory(&g, true);
	assert_int_equal(sampled, 1);
	assert_int_equal(forgotten, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(least_wish_counts, setup),
		cmocka_unit_test_setup(wishes_are_kept_without_a_process, setup),
		cmocka_unit_test_setup(no_balloon_is_larger_than_its_guest, setup),
		cmocka_unit_test_setup(only_a_running_guest_is_sampled, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
