/* What happens when a guest's run ends, and what the operator wants to happen once it has ended. */
#ifndef VMM_MONITOR_POLICY_H
#define VMM_MONITOR_POLICY_H

#include "kernel/abi.h"

enum policy_next {
	NEXT_NONE,
	NEXT_START,    /* start it once it is off */
	NEXT_UNDEFINE, /* undefine it once it is off */
};

#define POLICY_RESTARTS 5                    /* restarts by policy ... */
#define POLICY_WINDOW_NS (10 * 1000000000ull) /* ... within this time: then it stays off */

/* Looks at every guest and does what is due: EVENT_GUEST, and once at the start. */
void policy_run(void);

/* What shall happen when the guest is off; replaces what was wanted before. */
void policy_set_next(u32 id, enum policy_next next);

/* The guest's next power-off or reset means "start again", whatever its policy says. */
void policy_expect_restart(u32 id, bool expect);

#endif
