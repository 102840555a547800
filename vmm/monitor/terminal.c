/* Who gets a typed byte: the attached guest, else the line editor.  One thread: no lock. */
#include "vmm/monitor/terminal.h"

#include <stdarg.h>

#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/command.h"
#include "vmm/monitor/complete.h"
#include "vmm/monitor/console.h"
#include "vmm/monitor/editor.h"
#include "vmm/monitor/events.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/top.h"

#define READ_ROUNDS 8 /* pieces of input before the other events get their turn */

static struct editor editor;
static char waiting[4096]; /* notices that wait until a guest's console is left */
static size_t waiting_len;

static void run_line(const char *line, bool cut)
{
	if (cut)
		output_error("the line is longer than %u bytes, nothing was done: shorten it", EDITOR_LINE - 1);
	else
		command_run(line);
}

static const struct editor_ops ops = { .write = output_raw, .line = run_line, .complete = complete_line };

void terminal_init(void)
{
	editor_init(&editor, "quire> ", &ops);
}

void terminal_hide(void)
{
	editor_hide(&editor);
}

void terminal_show(void)
{
	if (console_guest() || top_shown())
		return;
	if (waiting_len) {
		terminal_hide();
		output_text(waiting, waiting_len);
		waiting_len = 0;
	}
	editor_show(&editor);
}

void terminal_notice(u32 guest, const char *format, ...)
{
	char line[320];
	va_list args;
	size_t len;

	va_start(args, format);
	len = (size_t)fmt_vprint(line, sizeof(line) - 1, format, args);
	va_end(args);
	len = MIN(len, sizeof(line) - 2);
	line[len++] = '\n';
	if (!console_guest() && !top_shown()) {
		terminal_hide();
		output_text(line, len);
	} else if (console_guest() && console_guest() == guest) {
		output_text("\n", 1);
		output_text(line, len);
	} else if (waiting_len + len <= sizeof(waiting)) {
		memcpy(waiting + waiting_len, line, len);
		waiting_len += len;
	}
}

static void input(u8 byte)
{
	if (console_guest()) {
		console_input(byte);
		return;
	}
	if (top_shown()) {
		top_input(byte);
		return;
	}
	terminal_show();
	editor_input(&editor, byte);
}

void terminal_read(void)
{
	u8 piece[256];

	for (int round = 0; round < READ_ROUNDS; round++) {
		s64 n = sys_console_read(piece, sizeof(piece));

		if (n <= 0)
			return;
		for (s64 i = 0; i < n; i++)
			input(piece[i]);
	}
	events_keep(EVENT_CONSOLE);
}
