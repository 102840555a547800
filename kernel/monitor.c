/* The monitor's life.  Lock: monitor_lock (LOCK_PROCESS class would be below the process's own: it is a lock of
 * the guest-list class) guards the pointer. */
#include "kernel/monitor.h"

#include "kernel/clock.h"
#include "kernel/guest.h"
#include "kernel/log.h"
#include "kernel/merge_matrix.h"
#include "kernel/merge_verify.h"
#include "kernel/process.h"
#include "kernel/program.h"

#define RESTARTS_MAX 10 /* within RESTART_WINDOW_NS */
#define RESTART_WINDOW_NS 10000000000ull

const struct host_console *host_console;

static struct spinlock monitor_lock = SPINLOCK(LOCK_GUEST);
static struct process *monitor;  /* monitor_lock */
static u32 watched;              /* a */
static u32 restarts;             /* o: of the thread that ends it */
static u64 window_start;

int monitor_start(void)
{
	struct process *p = process_create(PROCESS_MONITOR, NULL, program_monitor);

	if (!p)
		return ERR_NOMEM;
	spin_lock(&monitor_lock);
	monitor = p;
	spin_unlock(&monitor_lock);
	log_sink = NULL; /* from now on it shows the log */
	process_start(p);
	return 0;
}

void monitor_raise(u32 events)
{
	spin_lock(&monitor_lock);
	if (monitor)
		process_raise(monitor, events);
	spin_unlock(&monitor_lock);
}

void monitor_gone(struct process *p)
{
	merge_verify_abandon();
	merge_matrix_abandon();
	spin_lock(&monitor_lock);
	monitor = NULL;
	spin_unlock(&monitor_lock);
	log_sink = host_console->log;
	log_error("monitor: %s; it is started again", p->end_text[0] ? p->end_text : "it ended");
	if (clock_ns() - window_start > RESTART_WINDOW_NS) {
		window_start = clock_ns();
		restarts = 0;
	}
	if (++restarts > RESTARTS_MAX || monitor_start())
		log_error("monitor: it cannot be started; the guests go on without it");
}

void monitor_watch(u32 id)
{
	__atomic_store_n(&watched, id, __ATOMIC_RELAXED);
}

void monitor_output(const struct guest *g)
{
	if (__atomic_load_n(&watched, __ATOMIC_RELAXED) == g->id)
		monitor_raise(EVENT_GUEST_OUTPUT);
}

void monitor_console_input(void)
{
	monitor_raise(EVENT_CONSOLE);
}

void monitor_console_room(void)
{
	monitor_raise(EVENT_CONSOLE_ROOM);
}
