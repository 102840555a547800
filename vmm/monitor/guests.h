/* Finding guests, and the words for their states. */
#ifndef VMM_MONITOR_GUESTS_H
#define VMM_MONITOR_GUESTS_H

#include "kernel/abi.h"

/* Walks all guests: info is the guest after id (0: the first); false at the end. */
bool guests_next(u32 id, struct guest_info *info);
#define GUESTS_EACH(info) (info)->id = 0; guests_next((info)->id, (info));

/* The guest that word means: its name or its number.  Prints an error and returns false if there is none. */
bool guests_find(const char *word, struct guest_info *info);

/* Also wants it to be in use (running, paused or stopped): else an error that says so. */
bool guests_find_on(const char *word, struct guest_info *info);

const char *guests_state(const struct guest_info *info); /* "running" */
const char *guests_stop_reason(u32 reason); /* "powered off" */

/* A guest's name may be [A-Za-z0-9._-]{1,31}. */
bool guests_name_valid(const char *name);

#endif
