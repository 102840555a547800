/* The monitor's one place to wait.  An event that somebody took but did not answer is put back. */
#ifndef VMM_MONITOR_EVENTS_H
#define VMM_MONITOR_EVENTS_H

#include "kernel/lib/types.h"

/* Waits for events until deadline (clock ns, 0 = none) and takes them all, with those put back. */
u32 events_take(u64 deadline);

/* Puts events back: the next events_take returns at once with them. */
void events_keep(u32 events);

/* Waits until the host's console may take output again or the deadline; other events are put back. */
void events_wait_room(u64 deadline);

#endif
