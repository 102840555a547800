/* A line editor for a serial terminal of 80 columns: bytes in, edited lines and redrawing out.  Pure: it
 * knows no system call and no command. */
#ifndef VMM_MONITOR_EDITOR_H
#define VMM_MONITOR_EDITOR_H

#include "kernel/lib/types.h"

#define EDITOR_LINE 1024 /* bytes of a line, with its 0 */
#define EDITOR_HISTORY 32

struct editor;

struct editor_ops {
	void (*write)(const char *bytes, size_t len);
	/* Enter was pressed, the editor is hidden; cut: bytes were refused because the line was full. */
	void (*line)(const char *line, bool cut);
	void (*complete)(struct editor *e); /* Tab; may call editor_insert, editor_hide and editor_show */
};

struct editor {
	const struct editor_ops *ops;
	const char *prompt;
	char line[EDITOR_LINE];
	size_t len, cursor;
	size_t left;       /* first byte of the line that is on the screen */
	bool shown;        /* the prompt and the line are on the screen */
	bool cut;          /* bytes were refused since the line was begun */
	bool after_cr;     /* a newline right after a carriage return is the same key */
	u8 escape;         /* enum escape_state of editor.c */
	u8 escape_len;
	u32 escape_number; /* first parameter of a CSI sequence */
	char history[EDITOR_HISTORY][EDITOR_LINE]; /* a ring */
	u32 history_count; /* lines ever put into it */
	u32 history_back;  /* how far back the shown line is, 0: the line being written */
	char draft[EDITOR_LINE]; /* the line being written, while an older one is shown */
};

void editor_init(struct editor *e, const char *prompt, const struct editor_ops *ops);

/* One byte from the terminal.  The editor must be shown. */
void editor_input(struct editor *e, u8 byte);

/* Puts prompt and line on the current, empty row; takes them away again.  Both may be called twice. */
void editor_show(struct editor *e);
void editor_hide(struct editor *e);

/* Inserts text at the cursor; what does not fit is refused with a bell. */
void editor_insert(struct editor *e, const char *text, size_t len);

#endif
