/* The line editor.  Invariant: left <= cursor <= len < EDITOR_LINE, line[len] is 0 and the line holds only
 * printable ASCII; while shown, the screen shows prompt and line[left..] with its cursor at line[cursor]. */
#include "vmm/monitor/editor.h"

#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define COLUMNS 80
#define CTRL(c) ((c) & 0x1f)
#define ESC 0x1b
#define RUBOUT 0x7f
#define ESCAPE_MAX 16 /* a longer sequence is noise */

/* ECMA-48: ESC alone, CSI (ESC [) with parameters, SS3 (ESC O). */
enum escape_state { ESCAPE_NONE, ESCAPE_ESC, ESCAPE_CSI, ESCAPE_SS3 };

static void write_text(struct editor *e, const char *text)
{
	e->ops->write(text, strlen(text));
}

static size_t prompt_len(const struct editor *e)
{
	return strlen(e->prompt);
}

/* How much of the line fits beside the prompt; the last column stays free so that terminals do not wrap. */
static size_t text_width(const struct editor *e)
{
	return COLUMNS - 1 - prompt_len(e);
}

static void move_to(struct editor *e, size_t column)
{
	char text[16];

	fmt_print(text, sizeof(text), "\r\x1b[%uC", (unsigned)column);
	write_text(e, text);
}

/* Draws the text anew.  The prompt is left alone, and bytes that are typed later follow the text at once:
 * scripts that talk to the monitor look for both. */
static void redraw(struct editor *e)
{
	size_t width = text_width(e);

	if (!e->shown)
		return;
	if (e->cursor < e->left || e->cursor > e->left + width)
		e->left = e->cursor > width / 2 ? e->cursor - width / 2 : 0;
	if (e->len <= width)
		e->left = 0;
	move_to(e, prompt_len(e));
	write_text(e, "\x1b[K");
	e->ops->write(e->line + e->left, MIN(e->len - e->left, width));
	if (e->cursor != e->len || e->len - e->left > width)
		move_to(e, prompt_len(e) + e->cursor - e->left);
}

void editor_init(struct editor *e, const char *prompt, const struct editor_ops *ops)
{
	memset(e, 0, sizeof(*e));
	e->prompt = prompt;
	e->ops = ops;
}

void editor_show(struct editor *e)
{
	if (e->shown)
		return;
	e->shown = true;
	write_text(e, e->prompt);
	if (e->len)
		redraw(e);
}

void editor_hide(struct editor *e)
{
	if (e->shown)
		write_text(e, "\r\x1b[K");
	e->shown = false;
}

void editor_insert(struct editor *e, const char *text, size_t len)
{
	size_t n = MIN(len, EDITOR_LINE - 1 - e->len);
	bool at_end = e->cursor == e->len;

	if (n < len) {
		if (!e->cut)
			write_text(e, "\a");
		e->cut = true;
	}
	if (!n)
		return;
	memmove(e->line + e->cursor + n, e->line + e->cursor, e->len - e->cursor + 1);
	memcpy(e->line + e->cursor, text, n);
	e->len += n;
	e->cursor += n;
	if (e->shown && at_end && e->cursor - e->left <= text_width(e))
		e->ops->write(text, n);
	else
		redraw(e);
}

static void delete_range(struct editor *e, size_t from, size_t to)
{
	if (from == to)
		return;
	memmove(e->line + from, e->line + to, e->len - to + 1);
	e->len -= to - from;
	e->cursor = from;
	e->cut &= e->len > 0;
	redraw(e);
}

static void delete_word(struct editor *e)
{
	size_t from = e->cursor;

	while (from && e->line[from - 1] == ' ')
		from--;
	while (from && e->line[from - 1] != ' ')
		from--;
	delete_range(e, from, e->cursor);
}

static void move_cursor(struct editor *e, size_t to)
{
	if (to == e->cursor)
		return;
	e->cursor = to;
	redraw(e);
}

static void set_line(struct editor *e, const char *text)
{
	str_copy(e->line, sizeof(e->line), text);
	e->len = e->cursor = strlen(e->line);
	e->left = 0;
	redraw(e);
}

static char *history_line(struct editor *e, u32 back)
{
	return e->history[(e->history_count - back) % EDITOR_HISTORY];
}

static void history_add(struct editor *e)
{
	if (!e->len || e->cut || (e->history_count && strcmp(history_line(e, 1), e->line) == 0))
		return;
	str_copy(e->history[e->history_count % EDITOR_HISTORY], EDITOR_LINE, e->line);
	e->history_count++;
}

static void history_move(struct editor *e, bool older)
{
	u32 back = older ? e->history_back + 1 : e->history_back - 1;

	if (older ? back > MIN(e->history_count, EDITOR_HISTORY) : !e->history_back)
		return;
	if (!e->history_back)
		str_copy(e->draft, sizeof(e->draft), e->line);
	e->history_back = back;
	set_line(e, back ? history_line(e, back) : e->draft);
}

static void clear_line(struct editor *e)
{
	e->line[0] = 0;
	e->len = e->cursor = e->left = 0;
	e->cut = false;
	e->history_back = 0;
}

static void enter(struct editor *e)
{
	bool cut = e->cut;

	history_add(e);
	str_copy(e->draft, sizeof(e->draft), e->line);
	write_text(e, "\r\n");
	clear_line(e);
	e->shown = false;
	e->ops->line(e->draft, cut);
}

static void cancel(struct editor *e)
{
	write_text(e, "\r\n");
	clear_line(e);
	e->shown = false;
	editor_show(e);
}

static void clear_screen(struct editor *e)
{
	write_text(e, "\x1b[H\x1b[2J");
	e->shown = false;
	editor_show(e);
}

static void move_left(struct editor *e)
{
	move_cursor(e, e->cursor - (e->cursor > 0));
}

static void move_right(struct editor *e)
{
	move_cursor(e, e->cursor + (e->cursor < e->len));
}

static void delete_here(struct editor *e)
{
	delete_range(e, e->cursor, e->cursor + (e->cursor < e->len));
}

/* What a complete CSI or SS3 sequence asks for (xterm's and VT220's keys); others are swallowed. */
static void escape_key(struct editor *e, u8 final)
{
	switch (final == '~' ? e->escape_number : final) {
	case 'A': history_move(e, true); break;
	case 'B': history_move(e, false); break;
	case 'C': move_right(e); break;
	case 'D': move_left(e); break;
	case 'H': case 1: case 7: move_cursor(e, 0); break;
	case 'F': case 4: case 8: move_cursor(e, e->len); break;
	case 3: delete_here(e); break;
	}
}

/* A byte within an escape sequence; false if it does not belong to one. */
static bool escape_input(struct editor *e, u8 byte)
{
	u8 state = e->escape;

	if (state == ESCAPE_NONE || byte < ' ' || byte >= RUBOUT || e->escape_len++ == ESCAPE_MAX) {
		e->escape = ESCAPE_NONE;
		return false;
	}
	if (state == ESCAPE_ESC) {
		e->escape = byte == '[' ? ESCAPE_CSI : byte == 'O' ? ESCAPE_SS3 : ESCAPE_NONE;
	} else if (state == ESCAPE_CSI && byte < '@') {
		if (byte >= '0' && byte <= '9')
			e->escape_number = MIN(e->escape_number * 10 + byte - '0', 1000u);
	} else {
		e->escape = ESCAPE_NONE;
		escape_key(e, byte);
	}
	return true;
}

static void control_key(struct editor *e, u8 byte)
{
	switch (byte) {
	case ESC:
		e->escape = ESCAPE_ESC;
		e->escape_len = 0;
		e->escape_number = 0;
		break;
	case '\r': case '\n': enter(e); break;
	case '\t': e->ops->complete(e); break;
	case CTRL('A'): move_cursor(e, 0); break;
	case CTRL('B'): move_left(e); break;
	case CTRL('C'): cancel(e); break;
	case CTRL('D'): delete_here(e); break;
	case CTRL('E'): move_cursor(e, e->len); break;
	case CTRL('F'): move_right(e); break;
	case CTRL('H'): case RUBOUT: delete_range(e, e->cursor - (e->cursor > 0), e->cursor); break;
	case CTRL('K'): delete_range(e, e->cursor, e->len); break;
	case CTRL('L'): clear_screen(e); break;
	case CTRL('N'): history_move(e, false); break;
	case CTRL('P'): history_move(e, true); break;
	case CTRL('U'): delete_range(e, 0, e->cursor); break;
	case CTRL('W'): delete_word(e); break;
	}
}

void editor_input(struct editor *e, u8 byte)
{
	bool after_cr = e->after_cr;

	e->after_cr = byte == '\r';
	if (escape_input(e, byte) || (byte == '\n' && after_cr))
		return;
	if (byte < ' ' || byte == RUBOUT)
		control_key(e, byte);
	else if (byte < RUBOUT)
		editor_insert(e, (const char *)&byte, 1);
}
