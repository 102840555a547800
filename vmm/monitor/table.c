/* Columns have fixed widths, so that a table needs no second pass and no memory. */
#include "vmm/monitor/table.h"

#include <stdarg.h>

#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/monitor/output.h"

#define GAP 2
#define LINE_WIDTH 80
#define FACT_WIDTH 18

static size_t put_cell(char *line, size_t at, const struct column *c, const char *cell)
{
	size_t len = strlen(cell), width = c->width;
	size_t pad = len < width ? width - len : 0;

	if (at + width >= LINE_WIDTH)
		return at;
	if (c->right) {
		memset(line + at, ' ', pad);
		at += pad;
	}
	memcpy(line + at, cell, MIN(len, width));
	at += MIN(len, width);
	if (len > width)
		line[at - 1] = '~';
	if (!c->right) {
		memset(line + at, ' ', pad);
		at += pad;
	}
	return at;
}

void table_row(const struct column *columns, const char *const *cells)
{
	char line[LINE_WIDTH + GAP + 1];
	size_t at = 0;

	for (const struct column *c = columns; c->title; c++) {
		at = put_cell(line, at, c, *cells++);
		if (c[1].title && at + GAP <= LINE_WIDTH) {
			memset(line + at, ' ', GAP);
			at += GAP;
		}
	}
	while (at && line[at - 1] == ' ')
		at--;
	line[at++] = '\n';
	output_text(line, at);
}

void table_head(const struct column *columns)
{
	const char *titles[16];
	size_t n = 0;

	for (const struct column *c = columns; c->title && n < ARRAY_SIZE(titles); c++)
		titles[n++] = c->title;
	table_row(columns, titles);
}

void table_fact(const char *name, const char *format, ...)
{
	char value[LINE_WIDTH - FACT_WIDTH];
	va_list args;

	va_start(args, format);
	fmt_vprint(value, sizeof(value), format, args);
	va_end(args);
	output_print("%-*s%s\n", FACT_WIDTH, name, value);
}
