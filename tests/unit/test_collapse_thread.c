/* When blocks are collapsed: pass by pass, a copy's pieces in a row, only while memory is plentiful; split when it is
 * short. */
/* links: kernel/collapse_thread.c kernel/clock.c kernel/frame.c kernel/lock.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/erratum.h"
#include "arch/x86_64/virt.h"
#include "kernel/boot_info.h"
#include "kernel/clock.h"
#include "kernel/collapse.h"
#include "kernel/guest.h"
#include "kernel/thread.h"
#include "tests/unit/fake_arch.h"

#define HZ 2000000000ull
#define MS (HZ / 1000)
#define COST (MS / 10) /* of a step */
#define GUESTS 3

const u64 fake_frames = 1024;
const u32 fake_cpu_count = 1;
static struct table_format format = { .large = 1 };
static const struct virt_ops ops = { .stage2 = &format };
const struct virt_ops *virt = &ops;
struct collapse_counts collapse_counts;

static struct thread thread;
static u64 armed; /* what the thread's timer was set to */
static struct gmem memories[GUESTS];
static struct ledger_account accounts[GUESTS];
static bool gone[GUESTS];
static u32 steps[GUESTS], undone[GUESTS], abandoned, copying, copies_allowed;
static enum memory_level level;
static u64 available;
static bool has_erratum;

struct thread *thread_create(struct process *process, enum step (*step)(struct thread *t), u32 weight)
{
	thread.step = step;
	return &thread;
}

void thread_start(struct thread *t) { }
void thread_wake(struct thread *t) { }
void log_print(u32 l, const char *text, ...) { }
void timer_arm(struct timer *t, u64 deadline) { armed = deadline; }

bool erratum_page_size_change(struct cpuid (*leaf)(u32 leaf, u32 subleaf), u64 (*read)(u32 msr))
{
	return has_erratum;
}

void ledger_info(struct ledger_info *info)
{
	*info = (struct ledger_info){ .level = level, .available = available };
}

bool ledger_at_limit(struct ledger_account *a)
{
	return a->limited;
}

struct gmem *guest_gmem_hold(u32 *id)
{
	for (u32 i = *id ? *id - 1 : 0; i < GUESTS; i++) {
		if (gone[i])
			continue;
		memories[i].held++;
		memories[i].account = &accounts[i];
		*id = i + 1;
		return &memories[i];
	}
	*id = 0;
	return NULL;
}

void guest_gmem_release(struct gmem *m)
{
	m->held--;
}

/* One step a guest, but copying pieces more of the first. */
bool collapse_step(struct gmem *m, struct collapse *c, bool may_copy)
{
	u32 i = (u32)(m - memories);

	assert_int_equal(m->held, 1);
	assert_true(!c->block.v || c->gpa == i + 1); /* what is copied is this guest's */
	fake_tsc += COST;
	steps[i]++;
	copies_allowed += may_copy;
	c->block.v = copying ? 0x200000 : 0;
	c->gpa = copying ? i + 1 : 0;
	if (copying)
		return copying--, false;
	return true;
}

void collapse_abandon(struct collapse *c)
{
	abandoned += c->block.v ? 1 : 0;
	c->block.v = 0;
}

bool collapse_undo_step(struct gmem *m, u64 *gpa)
{
	undone[m - memories]++;
	*gpa = 0;
	return true;
}

/* Steps until it sleeps; for how long. */
static u64 sleep_cycles(void)
{
	while (thread.step(&thread) == STEP_AGAIN)
		;
	return armed - fake_tsc;
}

/* To the end of a pass; how long it was. */
static u64 pass(void)
{
	u64 began = fake_tsc;

	while (sleep_cycles() < 1000 * MS)
		fake_tsc = armed;
	fake_tsc = armed;
	return armed - began;
}

static void begin(void)
{
	fake_tsc_start();
	clock_init(fake_tsc, HZ, 0);
	format.large = 1;
	has_erratum = false;
	assert_int_equal(collapse_start(LARGE_PAGES_AUTO), 0);
	assert_string_equal(collapse_state(), "on");
	memset(gone, 0, sizeof(gone));
	level = MEMORY_HIGH;
	available = GIB;
	copying = 0;
	fake_tsc += 10000 * MS;
	pass(); /* what the last test began */
	memset(steps, 0, sizeof(steps));
	memset(undone, 0, sizeof(undone));
	abandoned = copies_allowed = 0;
}

static void test_passes_and_budget(void **state)
{
	u64 began;

	begin();
	began = fake_tsc;
	assert_int_equal(sleep_cycles(), 49 * COST); /* 2 % */
	assert_int_equal(steps[0] + steps[1] + steps[2], 1);
	fake_tsc = armed;
	pass();
	assert_int_equal((fake_tsc - began) / MS, 2000);
	assert_int_equal(pass() / MS, 2000);
	for (u32 i = 0; i < GUESTS; i++)
		assert_int_equal(steps[i], 2);
	assert_int_equal(copies_allowed, 2 * GUESTS);
}

static void test_a_copy_is_not_interrupted(void **state)
{
	begin();
	copying = 17;
	assert_int_equal(sleep_cycles(), (18 * 50 - 1) * COST); /* it pays for all of it afterwards */
	assert_int_equal(steps[0], 18);
	assert_int_equal(abandoned, 0);
}

/* The guest that is worked on goes: the next one is not taken for it. */
static void test_guest_goes(void **state)
{
	begin();
	copying = 5;
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(thread.step(&thread), STEP_AGAIN);
	gone[0] = true;
	copying = 0;
	pass();
	assert_int_equal(abandoned, 1);
	assert_true(steps[1] && steps[2]);
}

static void test_memory_short(void **state)
{
	begin();
	available = 15 * MIB; /* less than what copies leave free */
	pass();
	assert_int_equal(copies_allowed, 0);
	assert_int_equal(steps[2], 1);
	available = GIB;
	copying = 5;
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(thread.step(&thread), STEP_AGAIN);
	level = MEMORY_SOFT;
	collapse_look();
	pass();
	assert_int_equal(abandoned, 1);
	for (u32 i = 0; i < GUESTS; i++)
		assert_int_equal(undone[i], 1);
}

/* A guest that waits at its memory-max is left to the compressor, be it in the middle of a copy. */
static void test_limited(void **state)
{
	begin();
	copying = 5;
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(thread.step(&thread), STEP_AGAIN);
	accounts[0].limited = true;
	copying = 0;
	pass();
	assert_int_equal(abandoned, 1);
	assert_int_equal(steps[0], 3);
	assert_true(steps[1] && steps[2]);
	accounts[0].limited = false;
	pass();
	assert_int_equal(steps[0], 4);
}

static void test_off(void **state)
{
	begin();
	thread.step = NULL;
	assert_int_equal(collapse_start(LARGE_PAGES_OFF), 0);
	assert_string_equal(collapse_state(), "off");
	has_erratum = true;
	assert_int_equal(collapse_start(LARGE_PAGES_AUTO), 0);
	assert_memory_equal(collapse_state(), "off: a guest", 12);
	format.large = 0;
	assert_int_equal(collapse_start(LARGE_PAGES_ON), 0);
	assert_memory_equal(collapse_state(), "off: the processor", 18);
	assert_null(thread.step);
	format.large = 1;
	assert_int_equal(collapse_start(LARGE_PAGES_ON), 0);
	assert_non_null(thread.step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_passes_and_budget), FAKE_TEST(test_a_copy_is_not_interrupted), FAKE_TEST(test_guest_goes),
		FAKE_TEST(test_memory_short), FAKE_TEST(test_limited), FAKE_TEST(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
