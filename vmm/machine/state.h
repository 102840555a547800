/* The machine's state across a change of its process. */
#ifndef VMM_MACHINE_STATE_H
#define VMM_MACHINE_STATE_H

struct machine;

/* EVENT_SAVE: hands everything to the kernel, which starts the successor.  Under m->lock, for ever. */
_Noreturn void state_save(struct machine *m);

/* The successor takes it over; stops the guest if it cannot. */
void state_load(struct machine *m);

#endif
