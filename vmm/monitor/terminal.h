/* The operator's terminal: the prompt with its line editor, or a guest's console, and the lines that the
 * monitor prints by itself. */
#ifndef VMM_MONITOR_TERMINAL_H
#define VMM_MONITOR_TERMINAL_H

#include "kernel/lib/types.h"

void terminal_init(void);

/* Reads what was typed and acts on it: EVENT_CONSOLE. */
void terminal_read(void);

/* One line above the prompt about a guest (0: about none).  While the terminal is some guest's console, only
 * lines about that guest appear at once; others wait until it is left. */
void terminal_notice(u32 guest, const char *format, ...) printf_like(2, 3);

/* A row for text outside the prompt; the prompt returns with terminal_show. */
void terminal_hide(void);

/* Shows the prompt, if there should be one. */
void terminal_show(void);

#endif
