/* The log ring.  end counts every byte that was ever logged; the last LOG_SIZE of them are in ring, at their
 * position modulo its size.  Lock: LOCK_LOG. */
#include "kernel/log.h"

#include "kernel/clock.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/lock.h"

static struct spinlock lock = SPINLOCK(LOCK_LOG);
static char ring[LOG_SIZE]; /* l */
static u64 end;             /* l */

void (*log_sink)(const char *line, size_t len);
void (*log_notify)(void);
u32 log_console_level = LOG_INFO;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static void append(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ring[end++ % LOG_SIZE] = text[i];
}

static void line_put(u32 level, const char *text, size_t len)
{
	char line[LOG_LINE_MAX];
	u64 us = clock_ns() / 1000;
	size_t at;

	level = MIN(level, (u32)LOG_DEBUG);
	at = (size_t)fmt_print(line, sizeof(line), "[%5llu.%06llu] %s: ", (unsigned long long)(us / 1000000),
			       (unsigned long long)(us % 1000000), level_names[level]);
	for (size_t i = 0; i < len && at < sizeof(line) - 1; i++)
		line[at++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	line[at++] = '\n';

	spin_lock(&lock);
	append(line, at);
	if (log_sink && level <= log_console_level)
		log_sink(line, at);
	spin_unlock(&lock);
	if (log_notify)
		log_notify();
}

void log_write(u32 level, const char *text, size_t len)
{
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	line_put(level, text, len);
}

void log_vprint(u32 level, const char *format, va_list args)
{
	char text[LOG_LINE_MAX];
	int len = fmt_vprint(text, sizeof(text), format, args);

	log_write(level, text, MIN((size_t)len, sizeof(text) - 1));
}

void log_print(u32 level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vprint(level, format, args);
	va_end(args);
}

bool log_limit_take(struct log_limit *limit, u64 now_ns, u32 *suppressed)
{
	u64 refill = (now_ns - limit->refilled_ns) / LOG_LIMIT_NS;

	if (refill >= limit->used) {
		limit->used = 0;
		limit->refilled_ns = now_ns;
	} else {
		limit->used -= (u32)refill;
		limit->refilled_ns += refill * LOG_LIMIT_NS;
	}
	if (limit->used == LOG_LIMIT_BURST) {
		limit->suppressed++;
		return false;
	}
	limit->used++;
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}

bool log_allowed(struct log_limit *limit, u32 level)
{
	u32 suppressed = 0;
	bool allowed;

	spin_lock(&lock);
	allowed = log_limit_take(limit, clock_ns(), &suppressed);
	spin_unlock(&lock);
	if (suppressed)
		log_print(level, "(%u lines like the next one were left out)", suppressed);
	return allowed;
}

void log_limited(struct log_limit *limit, u32 level, const char *format, ...)
{
	va_list args;

	if (!log_allowed(limit, level))
		return;
	va_start(args, format);
	log_vprint(level, format, args);
	va_end(args);
}

/* The first position whose text is there; after an overwrite, the start of the first whole line. */
static u64 oldest(void)
{
	u64 at;

	if (end <= LOG_SIZE)
		return 0;
	for (at = end - LOG_SIZE; at < end; at++)
		if (ring[at % LOG_SIZE] == '\n')
			return at + 1;
	return end;
}

size_t log_read(u64 *position, char *buf, size_t len)
{
	size_t n = 0;

	spin_lock(&lock);
	if (*position > end)
		*position = end;
	if (end - *position > LOG_SIZE)
		*position = oldest();
	while (n < len && *position < end)
		buf[n++] = ring[(*position)++ % LOG_SIZE];
	spin_unlock(&lock);
	return n;
}

u64 log_end(void)
{
	u64 at;

	spin_lock(&lock);
	at = end;
	spin_unlock(&lock);
	return at;
}

void log_break(void)
{
	__atomic_store_n(&lock.taken, 0, __ATOMIC_RELEASE);
}
