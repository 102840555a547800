/* sim.h: see there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/clock.h"
#include "kernel/collapse.h"
#include "kernel/compress.h"
#include "kernel/gmem_compress.h"
#include "kernel/gmem_leaf.h"
#include "kernel/guest.h"
#include "kernel/ledger_parts.h"
#include "kernel/merge.h"
#include "kernel/monitor.h"
#include "kernel/process.h"
#include "kernel/thread.h"
#include "tests/unit/fake_arch.h"
#include "tests/unit/sim.h"

#define HZ 1000000000ull /* a TSC tick is a nanosecond */
#define TICK (HZ / SIM_SECOND)

const u64 fake_frames = 2 * SIM_PAGES;
const u32 fake_cpu_count = 1;

struct guest sim_guests[SIM_GUESTS];
struct sim sims[SIM_GUESTS];
static u64 random_state;
static u64 ticks;

static u64 random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

u32 sim_pick(u32 below)
{
	return (u32)(random64() >> 20) % below;
}

/* ---- the kernel around ---- */

static struct {
	struct thread thread;
	bool ready;
	u64 deadline; /* TSC, 0: none */
} threads[2];     /* the keeper, the compressor */
static u32 thread_count;

struct thread *thread_create(struct process *process, enum step (*step)(struct thread *t), u32 weight)
{
	threads[thread_count].thread = (struct thread){ .step = step };
	return &threads[thread_count++].thread;
}

void thread_wake(struct thread *t)
{
	for (u32 i = 0; i < thread_count; i++)
		if (t == &threads[i].thread)
			threads[i].ready = true;
}

void thread_start(struct thread *t) { thread_wake(t); }

void timer_arm(struct timer *timer, u64 deadline)
{
	for (u32 i = 0; i < thread_count; i++)
		if (timer == &threads[i].thread.timer)
			threads[i].deadline = deadline;
}

void guest_each(void (*look)(struct guest *g, void *argument), void *argument)
{
	for (u32 i = 0; i < SIM_GUESTS; i++)
		look(&sim_guests[i], argument);
}

struct guest *guest_find(u32 id)
{
	for (u32 i = 0; i < SIM_GUESTS; i++)
		if (sim_guests[i].id == id)
			return &sim_guests[i];
	return NULL;
}

void guest_kick(struct guest *g, u32 requests) { }
u64 guest_saved_frames(const struct guest *but) { return 0; }
void process_wake(struct process *p) { }
void process_raise(struct process *p, u32 events) { }
void monitor_raise(u32 events) { }
void merge_hurry(bool hurry) { }
bool merge_is_running(void) { return false; }
void collapse_look(void) { }
void targets_set(u64 frames) { }

static void run_threads(void)
{
	for (u32 i = 0; i < thread_count; i++) {
		struct thread *t = &threads[i].thread;

		if (threads[i].deadline && fake_tsc >= threads[i].deadline) {
			threads[i].deadline = 0;
			t->timer.expired(&t->timer);
		}
		if (!threads[i].ready)
			continue;
		threads[i].ready = false;
		if (t->step(t) == STEP_AGAIN)
			threads[i].ready = true;
	}
}

/* ---- what a vCPU does ---- */

static void shootdown(struct gmem *m)
{
	m->generation++; /* its accesses walk the tables each time */
}

/* The page's frame, accessible; NULL: it has to wait. */
static u64 *reach(struct guest *g, u64 gpa, bool write)
{
	const struct table_format *f = g->gmem.format;

	for (u32 faults = 0; ; faults++) {
		u32 level;
		u64 *entry = table_find(f, g->gmem.root, gpa, &level);

		if (entry && *entry & f->present && (!write || *entry & f->write)) {
			*entry |= f->accessed | (write ? f->dirty : 0);
			return (u64 *)gmem_leaf_frame_of(*entry, level, gpa).v;
		}
		assert_true(faults < 2);
		if (gmem_fault(&g->gmem, gpa, write)) {
			guest_wait_memory(g);
			return NULL;
		}
	}
}

/* New content: a stamp, then as many random words as the guest's content has, then its stamp again. */
static void fill(const struct sim *s, u64 *page, u64 stamp)
{
	u32 words = PAGE_SIZE / 8, dense = words * s->dense / 100;

	page[0] = stamp;
	for (u32 i = 1; i < dense; i++)
		page[i] = random64();
	for (u32 i = dense ? dense : 1; i < words; i++)
		page[i] = stamp;
	page[words - 1] = stamp;
}

static bool access_page(struct guest *g, struct sim *s, u32 page, bool write)
{
	u64 *at = reach(g, (u64)page * PAGE_SIZE, write);

	if (!at)
		return false;
	assert_true(at[0] == s->stamps[page] && at[PAGE_SIZE / 8 - 1] == s->stamps[page]);
	if (write) {
		s->stamps[page] = random64() | 1;
		fill(s, at, s->stamps[page]);
	}
	s->accesses++;
	return true;
}

/* A device's write, which may draw on the guest's buffer: only then it waits at its next entry. */
static void device_write(struct guest *g, struct sim *s, u32 page)
{
	u64 bytes[PAGE_SIZE / 8], stamp = random64() | 1;

	fill(s, bytes, stamp);
	if (gmem_write(&g->gmem, (u64)page * PAGE_SIZE, bytes, PAGE_SIZE))
		guest_wait_memory(g);
	else
		s->stamps[page] = stamp;
}

static u32 next_page(struct sim *s)
{
	if (s->program == PROGRAM_SWEEP)
		return s->next++ % s->pages;
	return sim_pick(s->program == PROGRAM_HOT && sim_pick(10) ? s->pages / 8 : s->pages);
}

static void run_guest(u32 i)
{
	struct guest *g = &sim_guests[i];
	struct sim *s = &sims[i];

	if (g->state != GUEST_RUNNING || g->hold || (s->period && ticks % s->period))
		return;
	if (g->account.drawn && ledger_refill(&g->account)) {
		guest_wait_memory(g);
		return;
	}
	for (u32 n = 0; n < s->pace; n++)
		if (!access_page(g, s, next_page(s), s->program == PROGRAM_SWEEP || sim_pick(2)))
			return;
	if (s->pace && !sim_pick(4))
		device_write(g, s, next_page(s));
}

/* ---- what must hold ---- */

struct guest *sim_first(void)
{
	struct guest *first = NULL;

	for (u32 i = 0; i < SIM_GUESTS; i++)
		if (sim_guests[i].state != GUEST_OFF && (!first || ledger_goes_before(&sim_guests[i].account, &first->account)))
			first = &sim_guests[i];
	return first;
}

static bool has_room(const struct guest *g)
{
	struct ledger_least least;
	u64 kept = ledger.total / 100 + g->account.drawn; /* at most, for those before it */

	return ledger_slack(ledger_sum(), &g->account, &least) > (s64)kept ||
	       ledger_unfilled(&g->account) >= MAX(g->account.drawn + g->account.refused, 1);
}

/* Now it is held for memory. */
static void check_wait(const struct guest *g, struct sim *s)
{
	if (!s->held_since)
		s->held_since = s->room_since = ticks;
	s->longest = MAX(s->longest, ticks - s->held_since);
	if (g->account.limited || g->account.used >= g->account.full || !has_room(g))
		s->room_since = ticks;
	if (ticks - s->room_since > 3 * SIM_SECOND)
		fail_msg("guest %u waits, and there is room for it", g->id);
}

static const struct guest *first;
static u64 since; /* ticks: it is the first */

static void check_waits(void)
{
	if (first != sim_first()) {
		first = sim_first();
		since = ticks;
	}
	for (u32 i = 0; i < SIM_GUESTS; i++) {
		struct sim *s = &sims[i];

		if (!guest_is_alive(&sim_guests[i]) || !(sim_guests[i].hold & HOLD_MEMORY))
			s->held_since = 0;
		else
			check_wait(&sim_guests[i], s);
		if (&sim_guests[i] == first && s->held_since && ticks - MAX(s->room_since, since) > 300)
			fail_msg("guest %u waits, and none goes before it", i + 1);
	}
}

/* Each account is what its guest has; everybody's claim can be met from what is free and what those after it have. */
static void check_ledger(void)
{
	struct ledger_sums sums = ledger_sum();
	struct ledger_least least;

	for (u32 i = 0; i < SIM_GUESTS; i++) {
		const struct gmem *m = &sim_guests[i].gmem;

		if (guest_is_alive(&sim_guests[i]))
			assert_int_equal(m->account->used, m->private_pages + m->tables + m->store.frames);
	}
	assert_true(ledger_slack(sums, NULL, &least) >= 0);
	assert_true(sums.free >= ledger.reserve);
}

void sim_run(u32 n)
{
	while (n--) {
		ticks++;
		fake_tsc += TICK;
		for (u32 i = 0; i < SIM_GUESTS; i++)
			run_guest(i);
		run_threads();
		check_waits();
		if (ticks % 64 == 0)
			check_ledger();
	}
}

/* ---- their lives ---- */

void sim_stop(u32 i)
{
	ledger_freeze(&sim_guests[i].account);
	sim_guests[i].state = GUEST_STOPPED;
}

void sim_destroy(u32 i)
{
	struct guest *g = &sim_guests[i];

	ledger_freeze(&g->account);
	g->state = GUEST_DYING;
	for (bool done = false; !done; sim_run(1))
		done = compress_leave(&g->gmem) && gmem_fini_step(&g->gmem);
	ledger_remove(&g->account);
	g->state = GUEST_OFF;
	pressure_look();
}

/* False: it was not admitted. */
bool sim_create(u32 i, const struct sim *sim, struct guest_params params)
{
	const struct table_format *format = sim_pick(2) ? &table_format_npt : &table_format_ept;
	struct guest *g = &sim_guests[i];
	struct admission a;

	params.memory = (u64)sim->pages * PAGE_SIZE;
	*g = (struct guest){ .id = i + 1, .name = "g", .state = GUEST_RUNNING, .lock.class = LOCK_GUEST,
			     .vcpu_count = 1, .params = params };
	g->name[1] = (char)('1' + i);
	sims[i] = *sim;
	assert_int_equal(gmem_init(&g->gmem, format, params.memory, &g->account, 0, shootdown), 0);
	if (guest_admit(g, &a)) {
		sim_destroy(i);
		return false;
	}
	for (u64 done = 0; done < params.memory;) {
		s64 part = gmem_map(&g->gmem, done, params.memory - done, MAP_RAM, 0);

		assert_true(part > 0);
		done += (u64)part;
	}
	return true;
}

void sim_begin(u64 seed)
{
	static u32 machine;

	random_state = seed * 0x9e3779b97f4a7c15ull;
	memset(sim_guests, 0, sizeof(sim_guests));
	memset(threads, 0, sizeof(threads));
	thread_count = 0;
	first = NULL;
	ticks = since = 0;
	fake_tsc_start();
	clock_init(fake_tsc, HZ, 0);
	if (machine != fake_machines)
		assert_int_equal(gmem_start(), 0);
	machine = fake_machines;
	ledger_start(0, OVERCOMMIT_FULL);
	assert_int_equal(pressure_start(), 0);
	assert_int_equal(compress_start(), 0);
}

void sim_end(void)
{
	for (u32 i = 0; i < SIM_GUESTS; i++)
		if (sim_guests[i].state != GUEST_OFF)
			sim_destroy(i);
	assert_int_equal(frame_count(FRAME_GUEST), 0);
	assert_int_equal(frame_count(FRAME_COMPRESSED), 0);
	assert_int_equal(frame_count(FRAME_TABLE), 0);
}
