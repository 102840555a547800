/* Log text comes in pieces; lines are put together here.  A line is "[    1.234567] warn: text". */
#include "vmm/monitor/loglines.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/console.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/terminal.h"
#include "vmm/monitor/top.h"

#define DMESG_MAX (4 * MIB) /* more than any log keeps: ends dmesg even if the log grows meanwhile */

static u64 position;   /* of the new lines */
static char line[512]; /* one that has not ended yet */
static size_t line_len;

void loglines_init(void)
{
	char piece[512];

	while (sys_log_read(&position, piece, sizeof(piece)) > 0)
		;
}

/* A line that does not say its level counts as information. */
static enum log_level line_level(void)
{
	static const char *const names[] = { "error:", "warn:", "info:", "debug:" };
	const char *text = strchr(line, ']');

	if (line[0] != '[' || !text)
		return LOG_INFO;
	text++;
	while (*text == ' ')
		text++;
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (str_starts(text, names[i]))
			return (enum log_level)i;
	return LOG_INFO;
}

static void line_end(u32 level)
{
	line[line_len] = 0;
	if (line_len && line_level() <= level) {
		terminal_hide();
		output_text(line, line_len);
		output_text("\n", 1);
	}
	line_len = 0;
}

void loglines_print_new(void)
{
	static struct host_info host;
	char piece[512];
	s64 n;

	if (console_guest() || top_shown()) /* the log keeps them until that is left */
		return;
	if (sys_host_info(&host) != 0)
		host.log_level = LOG_INFO;
	while ((n = sys_log_read(&position, piece, sizeof(piece))) > 0) {
		for (s64 i = 0; i < n; i++) {
			if (piece[i] == '\n')
				line_end(host.log_level);
			else if (line_len < sizeof(line) - 1)
				line[line_len++] = piece[i];
		}
	}
}

void loglines_print_all(void)
{
	char piece[1024];
	u64 from = 0, printed = 0;
	s64 n;

	while (printed < DMESG_MAX && (n = sys_log_read(&from, piece, sizeof(piece))) > 0) {
		output_text(piece, (size_t)n);
		printed += (u64)n;
	}
}
