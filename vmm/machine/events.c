/* The event thread sleeps in the kernel until the next device's deadline or an event.  Lock: m->lock around
 * all but the sleep.  Invariant: while it sleeps, m->next_deadline is what it sleeps until; while it is awake
 * that is 0, so that nobody wakes it: it looks at all deadlines before it sleeps again. */
#include "vmm/machine/events.h"

#include <stdarg.h>

#include "kernel/lib/fmt.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/device.h"
#include "vmm/machine/hooks.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/state.h"

#define STOP_TEXT 96 /* guest_info.stop_text */

u64 machine_now(const struct machine *m)
{
	return sys_clock() - m->clock_base;
}

/* An event that is raised before the thread sleeps keeps it from sleeping: no wake-up is lost. */
void machine_reschedule(struct machine *m, u64 deadline)
{
	if (deadline >= m->next_deadline)
		return;
	m->next_deadline = deadline;
	sys_event_raise();
}

_Noreturn void machine_stop(struct machine *m, enum stop_reason reason, const char *format, ...)
{
	char text[STOP_TEXT];
	va_list args;

	va_start(args, format);
	fmt_vprint(text, sizeof(text), format, args);
	va_end(args);
	sys_guest_stop(reason, text);
}

/* Gives the UART what it has room for; true while the console may have more. */
static bool events_feed_console(struct machine *m)
{
	u8 bytes[UART_RING];
	u32 room = MIN(uart_room(m), (u32)sizeof(bytes));
	s64 n;

	if (room == 0)
		return true;
	n = sys_console_read(bytes, room);
	if (n > 0)
		uart_receive(m, bytes, (u32)n);
	return n == room;
}

static void events_take(struct machine *m, u32 events)
{
	if (events & EVENT_POWER_BUTTON)
		pm_power_button(m);
	if (events & EVENT_MEMORY)
		balloon_update_target(m);
	if (events & EVENT_VCPUS)
		cpu_hotplug_ask(m);
	if (events & EVENT_HOOK)
		hooks_run(m);
	if (events & EVENT_SAVE)
		state_save(m);
}

_Noreturn void events_run(struct machine *m)
{
	bool input = true; /* the console may have some */
	u64 wake;

	for (u32 events = 0;; events = sys_event_wait(wake)) {
		mutex_lock(&m->lock);
		m->next_deadline = 0;
		device_tick(m, machine_now(m));
		if (input || events & EVENT_CONSOLE)
			input = events_feed_console(m);
		events_take(m, events);
		m->next_deadline = device_deadline(m);
		wake = m->next_deadline == NEVER ? 0 : MAX(m->clock_base + m->next_deadline, 1);
		mutex_unlock(&m->lock);
	}
}
