/* The host's console: the UART if there is one, else the framebuffer (output only). */
#ifndef DRIVERS_CONSOLE_H
#define DRIVERS_CONSOLE_H

#include "kernel/boot_info.h"
#include "kernel/lib/types.h"

/* Finds what there is, the framebuffer's memory being mapped. */
void console_init(const struct boot_info *info);
/* "UART at port 0x3f8" and so on. */
void console_describe(char *to, size_t size);

/* Never waits.  Bytes as they are; returns how many were taken. */
size_t console_write(const char *text, size_t len);
size_t console_read(char *text, size_t len);

/* A log line: \n becomes \r\n; a line that has no room is left out, and counted in the next that has. */
void console_log(const char *line, size_t len);

/* For struct panic_hooks: polled, no locks. */
void console_panic(void);
void console_panic_write(const char *text, size_t len);
int console_panic_read(void);

#endif
