/* The log: a ring of text lines "[    1.234567] warn: text\n", at absolute positions that never repeat.
 *
 * Callable in ring 0 everywhere but in an NMI.  LOCK_LOG guards the ring; log_sink is called with it held. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>

#include "kernel/abi.h"
#include "kernel/lib/types.h"

#define LOG_SIZE 65536
#define LOG_LINE_MAX 256 /* with stamp and newline; longer text is cut */

/* Where lines of log_console_level and more important ones are echoed, until it is set to NULL.  It must not
 * log, and may take only locks above LOCK_LOG. */
extern void (*log_sink)(const char *line, size_t len);
extern u32 log_console_level; /* enum log_level */

/* Called after each line without the log's lock, but with whatever locks the caller of log_* holds: it must
 * only leave a mark (EVENT_LOG) and take no lock. */
extern void (*log_notify)(void);

#define log_error(...) log_print(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_print(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)

void log_print(u32 level, const char *format, ...) printf_like(2, 3);
void log_vprint(u32 level, const char *format, va_list args);

/* One line of any bytes, for SYS_LOG: what is not printable ASCII becomes '?', so nobody's text can play
 * with the operator's terminal.  (The same holds for log_print.) */
void log_write(u32 level, const char *text, size_t len);

/* For what a guest or a process can provoke: at most LOG_LIMIT_BURST lines at once and one a second in the
 * long run, for each struct; then a line says how many were left out.  Zeroed is ready.  l: LOCK_LOG. */
#define LOG_LIMIT_BURST 8
#define LOG_LIMIT_NS 1000000000ull
struct log_limit {
	u64 refilled_ns; /* l: the tokens below were complete at this time */
	u32 used;        /* l */
	u32 suppressed;  /* l */
};
void log_limited(struct log_limit *limit, u32 level, const char *format, ...) printf_like(3, 4);
bool log_allowed(struct log_limit *limit, u32 level); /* the same for a report of several lines */

/* Copies text from *position on into buf (not user memory: the lock is held) and moves the position behind
 * it.  A position whose text was overwritten moves forward to the first whole line; one beyond the end moves
 * back to it.  Returns the bytes. */
size_t log_read(u64 *position, char *buf, size_t len);
u64 log_end(void);

/* Panic only: other CPUs are stopped, the lock may be held by one of them. */
void log_break(void);

/* Pure: may a line be logged at now?  If so *suppressed gets how many were not since the last. */
bool log_limit_take(struct log_limit *limit, u64 now_ns, u32 *suppressed);

#endif
