/* Output to the operator: through a ring of 64 KiB, so that a slow serial line does not hold up the
 * monitor. */
#ifndef VMM_MONITOR_OUTPUT_H
#define VMM_MONITOR_OUTPUT_H

#include "kernel/lib/types.h"

#define OUTPUT_RING 65536

/* Bytes as they are.  Waits for room when the ring is full; a console that takes nothing for two seconds
 * loses output instead of stopping the monitor. */
void output_raw(const char *bytes, size_t len);

/* Text for the operator: "\n" becomes "\r\n" and every other byte that is not printable ASCII becomes "?", so
 * that no name, command line or log line can play with the operator's terminal. */
void output_text(const char *text, size_t len);

/* Formatted text, at most 1023 bytes. */
void output_print(const char *format, ...) printf_like(1, 2);

/* "error: " and one line: what, and what to do. */
void output_error(const char *format, ...) printf_like(1, 2);

/* How many bytes wait in the ring. */
size_t output_used(void);

/* Hands the console what it takes now. */
void output_flush(void);

/* Waits until everything is handed over, two seconds without progress at most. */
void output_drain(void);

#endif
