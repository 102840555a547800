/* The event thread: time, console input, the operator's requests. */
#ifndef VMM_MACHINE_EVENTS_H
#define VMM_MACHINE_EVENTS_H

struct machine;

_Noreturn void events_run(struct machine *m);

#endif
