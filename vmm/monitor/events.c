/* Events that were put back, merged with the kernel's sticky ones.  One thread: no lock. */
#include "vmm/monitor/events.h"

#include "vmm/lib/sys.h"

#define DEADLINE_PAST 1 /* clock ns: SYS_EVENT_WAIT returns at once */

static u32 kept;

u32 events_take(u64 deadline)
{
	u32 events = sys_event_wait(kept ? DEADLINE_PAST : deadline) | kept;

	kept = 0;
	return events;
}

void events_keep(u32 events)
{
	kept |= events;
}

void events_wait_room(u64 deadline)
{
	u32 events = 0;

	while (!(events & EVENT_CONSOLE_ROOM) && sys_clock() < deadline) {
		events = sys_event_wait(deadline);
		kept |= events & ~EVENT_CONSOLE_ROOM;
	}
}
