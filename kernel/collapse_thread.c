/* When blocks are collapsed: a kernel thread goes through all guests' memory, a pass each INTERVAL_NS, in bounded steps
 * for which it takes CPU_PERCENT of one processor at most; the pieces of one copy follow one another at once, so that
 * little is written meanwhile.  It copies only while memory is plentiful: nothing is taken from anybody for it.  Below
 * the level "high" it takes large leaves apart, so that what reclaims memory finds pages.
 *
 * All of this is the thread's own. */
#include "arch/x86_64/erratum.h"
#include "arch/x86_64/virt.h"
#include "kernel/boot_info.h"
#include "kernel/clock.h"
#include "kernel/collapse.h"
#include "kernel/frame.h"
#include "kernel/guest.h"
#include "kernel/ledger.h"
#include "kernel/log.h"
#include "kernel/thread.h"

#define INTERVAL_NS 2000000000ull
#define CPU_PERCENT 2
#define PLENTY_PERCENT 8 /* of memory that guests may still be given, at least, and: */
#define PLENTY_FRAMES (8 * BIT(FRAME_ORDER_2M))

static struct thread *worker; /* NULL: large leaves are off */
static const char *state = "off";
static struct collapse at;
static u32 at_guest;          /* whose memory at is about; 0: a pass begins */
static u64 pass_began;        /* host TSC */
static u64 pause_until;       /* a: host TSC */
static u64 owed;              /* cycles that were used since the last pause */

/* A bounded piece of work; true when the guest is done with. */
static bool work_on(struct gmem *m)
{
	struct ledger_info i;
	u64 plenty = MAX(frame_total() * PLENTY_PERCENT / 100, PLENTY_FRAMES);

	if (ledger_at_limit(m->account)) { /* it is to be compressed, page by page */
		collapse_abandon(&at);
		at = (struct collapse){ 0 };
		return true;
	}
	ledger_info(&i);
	if (i.level == MEMORY_HIGH)
		return collapse_step(m, &at, i.available >= plenty * PAGE_SIZE);
	collapse_abandon(&at);
	return collapse_undo_step(m, &at.gpa);
}

/* One step; until when (host TSC) the thread rests after it, 0: not. */
static u64 work(u64 now)
{
	u32 id = at_guest;
	struct gmem *m;

	if (!id)
		pass_began = now;
	m = guest_gmem_hold(&id);
	if (id != at_guest) { /* the one of the last step has gone, or a pass begins or ends */
		collapse_abandon(&at);
		at = (struct collapse){ 0 };
	}
	at_guest = id;
	if (!m)
		return pass_began + clock_cycles(INTERVAL_NS);
	if (work_on(m))
		at_guest++;
	guest_gmem_release(m);
	return 0;
}

static enum step worker_step(struct thread *t)
{
	u64 now = rdtsc(), until = __atomic_load_n(&pause_until, __ATOMIC_SEQ_CST), rest;

	if (now < until) {
		timer_arm(&t->timer, until);
		return STEP_BLOCK;
	}
	rest = work(now);
	owed += rdtsc() - now;
	collapse_counts.cycles += rdtsc() - now;
	if (!at.block.v) {
		rest = MAX(rest, now + owed * (100 / CPU_PERCENT));
		owed = 0;
		__atomic_compare_exchange_n(&pause_until, &until, rest, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	cpu_interrupt_window();
	return STEP_AGAIN;
}

void collapse_look(void)
{
	__atomic_store_n(&pause_until, 0, __ATOMIC_SEQ_CST);
	if (worker)
		thread_wake(worker);
}

static void wake_up(struct timer *timer)
{
	thread_wake(CONTAINER_OF(timer, struct thread, timer));
}

static const char *why_not(u32 wish)
{
	if (wish == LARGE_PAGES_OFF)
		return "off";
	if (!virt->stage2->large)
		return "off: the processor's EPT has none";
	if (wish == LARGE_PAGES_AUTO && erratum_page_size_change(cpuid, rdmsr))
		return "off: a guest could stop this processor by them";
	return NULL;
}

const char *collapse_state(void)
{
	return state;
}

int collapse_start(u32 wish)
{
	const char *reason = why_not(wish);

	state = reason ? reason : "on";
	log_info("pages of 2 MiB for guests: %s", state);
	if (reason)
		return 0;
	worker = thread_create(NULL, worker_step, WEIGHT_DEFAULT);
	if (!worker)
		return ERR_NOMEM;
	worker->timer.expired = wake_up;
	thread_start(worker);
	return 0;
}
