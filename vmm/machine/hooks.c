/* The four ways to misbehave: crash, loop, call at random, reach for other guests.  Runs on the event thread
 * with m->lock held, and does not give it back: none of them is meant to go on. */
#include "vmm/machine/hooks.h"

#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

#define CALLS 1000000
#define SEED 0x9e3779b97f4a7c15ull
#define SCRATCH (64 * KIB)
#define GUESTS_TRIED 64

static u64 hooks_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* These end the run, sleep without an end, flood the log, or start a thread that crashes: each would stop the
 * hook, legitimately.  So would the monitor's calls, which HOOK_HANDLES tries. */
static bool hooks_may_call(u64 number)
{
	switch (number) {
	case SYS_EXIT:
	case SYS_LOG:
	case SYS_CONSOLE_WRITE:
	case SYS_THREAD_CREATE:
	case SYS_FUTEX_WAIT:
	case SYS_EVENT_WAIT:
	case SYS_VCPU_RUN:
	case SYS_GUEST_STOP:
	case SYS_STATE_SAVE:
		return false;
	}
	return number < SYS_HOST_INFO || number > SYS_HOST_POWER;
}

static u64 hooks_argument(u64 *random, u8 *scratch)
{
	u64 r = hooks_random(random);

	switch (r >> 60) {
	case 0: return hooks_random(random);
	case 1: return 0;
	case 2: return UINT64_MAX - (r & 0xfff);
	case 3: return 0xffff800000000000ull + (r & 0xffffff);     /* the kernel's half */
	case 4: return 0x00007ffffffff000ull + (r & 0x1fff);       /* the end of the canonical half */
	case 5: return (u64)scratch + SCRATCH - (r & 0x1fff);      /* the end of the heap */
	case 6: return (u64)&hooks_argument & ~7ull;               /* code: not writable */
	case 7: return (r & 0xfffff) << PAGE_SHIFT;
	case 8: return 1ull << (r & 63);
	case 9: return r & 0xffffffff;
	case 10:
	case 11: return (u64)scratch + (r & 0x7ff8);
	default: return r & 0xff;
	}
}

static void hooks_call_randomly(struct machine *m)
{
	u64 random = SEED, number, refused = 0;
	u8 *scratch = sys_memory_grow(SCRATCH);

	for (u32 i = 0; i < CALLS && scratch; i++) {
		number = hooks_random(&random) % 61;
		if (number == 60) /* now and then one that does not exist */
			number = hooks_random(&random) | 0x100;
		if (!hooks_may_call(number))
			continue;
		if (sys_call(number, hooks_argument(&random, scratch), hooks_argument(&random, scratch),
			     hooks_argument(&random, scratch), hooks_argument(&random, scratch),
			     hooks_argument(&random, scratch)) < 0)
			refused++;
	}
	sys_log(LOG_INFO, "hook: %lu of %u random system calls were refused", refused, CALLS);
	machine_stop(m, STOP_CRASH, "hook: done");
}

/* The kernel ends this process at the first of them; reaching the end is the failure. */
static void hooks_try_handles(struct machine *m)
{
	for (u64 id = 0; id < GUESTS_TRIED; id++)
		for (u64 number = SYS_HOST_INFO; number <= SYS_HOST_POWER; number++)
			sys_call(number, id, (u64)m, 1, 0, 0);
	machine_stop(m, STOP_CRASH, "hook: FAIL: the monitor's calls did not end this process");
}

void hooks_run(struct machine *m)
{
	if (sys_machine_info(&m->info)) /* it was set after this process started */
		return;
	switch (m->info.hook) {
	case HOOK_CRASH:
		/* in assembler: the compiler may leave out a write that it knows to be wrong */
		__asm__ volatile("movb $0, (%0)" : : "r"(0ull) : "memory");
		break;
	case HOOK_LOOP:
		for (;;)
			__asm__ volatile("pause");
	case HOOK_SYSCALLS:
		hooks_call_randomly(m);
		break;
	case HOOK_HANDLES:
		hooks_try_handles(m);
		break;
	}
}
