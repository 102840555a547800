/* Starting a guest: everything that can be known to fail is checked and said before the kernel is asked. */
#ifndef VMM_MONITOR_START_H
#define VMM_MONITOR_START_H

#include "vmm/monitor/definitions.h"

/* Starts a guest that is off; 0 once the kernel accepted it, or an error and a reason that says what and what
 * to do.  reason needs DEFINITION_REASON bytes. */
int start_guest(u32 id, char *reason, size_t size);

/* The arithmetic of the ledger's refusal of a guest, in one line. */
void start_say_no_memory(u32 id, const struct admission *admission, char *reason, size_t size);

#endif
