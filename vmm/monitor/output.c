/* The output ring.  Invariant: ring[tail .. tail + used) waits for the console; one thread, no lock. */
#include "vmm/monitor/output.h"

#include <stdarg.h>

#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/events.h"

#define PATIENCE_NS 2000000000ull
#define LINE_SIZE 1024

static char ring[OUTPUT_RING];
static size_t tail, used;
static bool stuck; /* the console took nothing for PATIENCE_NS: do not wait for it again before it does */

size_t output_used(void)
{
	return used;
}

void output_flush(void)
{
	while (used) {
		s64 taken = sys_console_write(ring + tail, MIN(used, OUTPUT_RING - tail));

		if (taken <= 0)
			return;
		tail = (tail + (size_t)taken) % OUTPUT_RING;
		used -= (size_t)taken;
		stuck = false;
	}
}

/* Waits until at most limit bytes are left in the ring; false if the console is stuck. */
static bool wait_until(size_t limit)
{
	for (;;) {
		size_t before = used;

		output_flush();
		if (used <= limit)
			return true;
		if (stuck)
			return false;
		if (used == before) {
			events_wait_room(sys_clock() + PATIENCE_NS);
			output_flush();
			stuck = used == before;
		}
	}
}

void output_drain(void)
{
	wait_until(0);
}

void output_raw(const char *bytes, size_t len)
{
	while (len) {
		size_t head = (tail + used) % OUTPUT_RING;
		size_t n = MIN(len, MIN(OUTPUT_RING - used, OUTPUT_RING - head));

		if (!n && !wait_until(OUTPUT_RING - 1))
			return;
		memcpy(ring + head, bytes, n);
		used += n;
		bytes += n;
		len -= n;
	}
}

void output_text(const char *text, size_t len)
{
	char piece[256];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '\n')
			piece[n++] = '\r';
		else if (c < ' ' || c > '~')
			c = '?';
		piece[n++] = c;
		if (n >= sizeof(piece) - 1) {
			output_raw(piece, n);
			n = 0;
		}
	}
	output_raw(piece, n);
}

static void print_list(const char *format, va_list args)
{
	char line[LINE_SIZE];
	int len = fmt_vprint(line, sizeof(line), format, args);

	output_text(line, MIN((size_t)len, sizeof(line) - 1));
}

void output_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_list(format, args);
	va_end(args);
}

void output_error(const char *format, ...)
{
	va_list args;

	output_text("error: ", 7);
	va_start(args, format);
	print_list(format, args);
	va_end(args);
	output_text("\n", 1);
}
