/* The operator's terminal as a guest's serial console: raw both ways until Ctrl-]. */
#ifndef VMM_MONITOR_CONSOLE_H
#define VMM_MONITOR_CONSOLE_H

#include "kernel/abi.h"

/* Attaches to a guest; what it wrote before is shown first. */
void console_attach(const struct guest_info *info);

/* The guest that the terminal is attached to, 0 for none. */
u32 console_guest(void);

/* A typed byte; Ctrl-] detaches. */
void console_input(u8 byte);

/* Moves typed bytes to the guest and what it wrote to the terminal, as far as both take them. */
void console_pump(void);

/* When console_pump wants to be called again without an event (clock ns), 0 for never. */
u64 console_deadline(void);

#endif
