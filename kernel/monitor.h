/* The monitor process as the kernel knows it: started at boot, started again when it dies, told of events. */
#ifndef KERNEL_MONITOR_H
#define KERNEL_MONITOR_H

#include "kernel/abi.h"

struct guest;
struct process;

/* Starts it; ERR_NOMEM. */
int monitor_start(void) must_check;

void monitor_raise(u32 events);

/* Its last thread has gone: it is started again, at most so often. */
void monitor_gone(struct process *p);

/* The guest whose output raises EVENT_GUEST_OUTPUT. */
void monitor_watch(u32 id);
void monitor_output(const struct guest *g);

/* The host's console, implemented by drivers; set by main.c. */
struct host_console {
	size_t (*write)(const char *from, size_t len); /* takes what fits */
	size_t (*read)(char *to, size_t len);
	void (*log)(const char *line, size_t len); /* log lines while there is no monitor */
	void (*power)(enum host_power what);           /* may return if it cannot */
};
extern const struct host_console *host_console;

/* Called by the console's driver. */
void monitor_console_input(void);
void monitor_console_room(void);

#endif
