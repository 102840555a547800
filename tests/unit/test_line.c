/* The monitor's line editor against a small model of an 80-column terminal. */
/* links: vmm/monitor/editor.c kernel/lib/fmt.c kernel/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/monitor/editor.h"

/* The terminal: one row that matters, its cursor, and how often it was told to ring. */
static struct {
	char row[81];
	int column, bells, rows;
	int csi;      /* within an escape sequence: 1 after ESC, 2 after [ */
	int number;
} screen;

static struct editor editor;
static char last_line[EDITOR_LINE];
static int line_count;
static bool last_cut, completed;

static void terminal_csi(char c)
{
	if (c >= '0' && c <= '9') {
		screen.number = screen.number * 10 + c - '0';
		return;
	}
	screen.csi = 0;
	switch (c) {
	case 'C': screen.column += screen.number ? screen.number : 1; break;
	case 'K': memset(screen.row + screen.column, ' ', 80 - (size_t)screen.column); break;
	case 'H': screen.column = 0; break;
	case 'J': memset(screen.row, ' ', 80); break;
	default: fail_msg("the editor sent CSI %c", c);
	}
	assert_true(screen.column < 80);
}

static void terminal_byte(char c)
{
	if (screen.csi == 1) {
		assert_int_equal(c, '[');
		screen.csi = 2;
		screen.number = 0;
	} else if (screen.csi == 2) {
		terminal_csi(c);
	} else if (c == 0x1b) {
		screen.csi = 1;
	} else if (c == '\r') {
		screen.column = 0;
	} else if (c == '\n') {
		memset(screen.row, ' ', 80);
		screen.rows++;
	} else if (c == '\a') {
		screen.bells++;
	} else {
		assert_in_range(c, ' ', '~');
		assert_true(screen.column < 80);
		screen.row[screen.column++] = c;
	}
}

static void terminal_write(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		terminal_byte(bytes[i]);
}

static void take_line(const char *line, bool cut)
{
	strcpy(last_line, line);
	last_cut = cut;
	line_count++;
	editor_show(&editor);
}

static void take_tab(struct editor *e)
{
	completed = true;
	editor_insert(e, "xyz", 3);
}

static const struct editor_ops ops = { terminal_write, take_line, take_tab };

static int setup(void **state)
{
	memset(&screen, 0, sizeof(screen));
	memset(screen.row, ' ', 80);
	line_count = 0;
	completed = false;
	last_line[0] = 0;
	editor_init(&editor, "quire> ", &ops);
	editor_show(&editor);
	return 0;
}

static void type(const char *keys)
{
	for (; *keys; keys++)
		editor_input(&editor, (u8)*keys);
}

/* The screen must show prompt and the visible part of the line with the cursor where it belongs. */
static void check_screen(void)
{
	char want[81];
	size_t visible = MIN(editor.len - editor.left, 72);

	assert_true(editor.left <= editor.cursor && editor.cursor <= editor.len && editor.len < EDITOR_LINE);
	assert_int_equal(editor.line[editor.len], 0);
	memset(want, ' ', 80);
	memcpy(want, "quire> ", 7);
	memcpy(want + 7, editor.line + editor.left, visible);
	assert_memory_equal(screen.row, want, 80);
	assert_int_equal(screen.column, 7 + editor.cursor - editor.left);
}

static void expect(const char *keys, const char *line)
{
	type(keys);
	check_screen();
	type("\r");
	assert_string_equal(last_line, line);
	assert_false(last_cut);
}

static void test_typing(void **state)
{
	expect("list", "list");
	expect("", "");
	expect("a b  c", "a b  c");
	assert_int_equal(line_count, 3);
}

static void test_keys(void **state)
{
	expect("bc\001a", "abc");
	expect("ac\x1b[Db", "abc");
	expect("bc\x1b[Ha\x1b[Fd", "abcd");
	expect("bc\x1b[1~a\x1b[4~d", "abcd");
	expect("bc\x1bOHa\x1bOFd", "abcd");
	expect("axb\x1b[D\x1b[D\x1b[3~", "ab");
	expect("axb\x02\x02\x04", "ab");
	expect("abx\x7fy\x08", "ab");
	expect("one two  \x17three", "one three");
	expect("abcdef\x02\x02\x0b", "abcd");
	expect("abcdef\x02\x02\x15", "ef");
	expect("junk\x03good", "good");
	expect("ab\x0c" "c", "abc");
	expect("\x7f\x04\x1b[D\x1b[C\x1b[3~", "");
}

static void test_tab_and_newlines(void **state)
{
	expect("a\tb", "axyzb");
	assert_true(completed);
	type("one\r\ntwo\nthree\r");
	assert_int_equal(line_count, 4);
	assert_string_equal(last_line, "three");
	type("\n");
	assert_int_equal(line_count, 4); /* it belongs to the \r before */
	type("\n");
	assert_int_equal(line_count, 5);
}

static void test_history(void **state)
{
	char line[32];

	expect("first", "first");
	expect("second", "second");
	expect("second", "second");
	expect("\x1b[A\x1b[A", "first");
	expect("dra\x1b[A\x1b[B" "ft", "draft");
	expect("\x1b[B\x1b[B", "");
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "line %d", i);
		expect(line, line);
	}
	for (int i = 0; i < 200; i++)
		type("\x1b[A");
	expect("", "line 68"); /* 32 lines back from "line 99" */
}

static void test_escape_junk(void **state)
{
	expect("a\x1b[999999999999;5R\x1b[200~b\x1b[201~\x1b[1;5Hc", "cab"); /* Ctrl-Home is Home too */
	expect("a\x1b[12345678901234567890123~", "a67890123~"); /* too long to be a sequence: noise as typed */
	expect("\x1b\x1b[Aok\x1bz", "a67890123~ok");
	expect("\x1b[\x1b[\x1b[", "");
}

static void test_long_lines(void **state)
{
	static char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 500; i++) {
		editor_input(&editor, (u8)('a' + i % 26));
		check_screen();
	}
	for (int i = 0; i < 500; i++) {
		type("\x1b[D");
		check_screen();
	}
	type("\x05");
	check_screen();
	for (int i = 0; i < 450; i++) {
		type("\x7f");
		check_screen();
	}
	type(text);
	check_screen();
	assert_int_equal(screen.bells, 1); /* not one for each byte */
	assert_int_equal(editor.len, EDITOR_LINE - 1);
	type("\r");
	assert_true(last_cut); /* a cut line must not be executed */
	expect("fresh", "fresh");
	editor_insert(&editor, text, sizeof(text) - 1);
	check_screen();
	expect("\x15" "fine", "fine"); /* killing the whole line forgives */
}

static void test_hide_and_show(void **state)
{
	type("abcd\x02");
	editor_hide(&editor);
	editor_hide(&editor);
	assert_int_equal(screen.column, 0);
	assert_int_equal(screen.row[0], ' ');
	editor_show(&editor);
	editor_show(&editor);
	check_screen();
	assert_int_equal(screen.column, 7 + 3);
}

static void test_noise(void **state)
{
	static const char *const keys[] = { "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[3~",
					    "\x1b[H", "\x1b[F" };

	srand(7);
	for (int i = 0; i < 400000; i++) {
		if (rand() % 4 == 0)
			type(keys[rand() % (int)ARRAY_SIZE(keys)]);
		else if (rand() % 4 == 0)
			editor_input(&editor, (u8)rand());
		else
			editor_input(&editor, (u8)('a' + rand() % 26));
		assert_true(editor.left <= editor.cursor && editor.cursor <= editor.len);
		assert_true(editor.len < EDITOR_LINE && !editor.line[editor.len]);
		if (i % 64 == 0 && !editor.escape)
			check_screen();
	}
	assert_true(line_count > 100);
	for (int i = 0; i < 20; i++)
		editor_input(&editor, 'q');
	type("\x03");
	expect("list", "list");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_typing, setup),
		cmocka_unit_test_setup(test_keys, setup),
		cmocka_unit_test_setup(test_tab_and_newlines, setup),
		cmocka_unit_test_setup(test_history, setup),
		cmocka_unit_test_setup(test_escape_junk, setup),
		cmocka_unit_test_setup(test_long_lines, setup),
		cmocka_unit_test_setup(test_hide_and_show, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
