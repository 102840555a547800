/* Tables and lists of facts that stay within 80 columns. */
#ifndef VMM_MONITOR_TABLE_H
#define VMM_MONITOR_TABLE_H

#include "kernel/lib/types.h"

struct column {
	const char *title; /* NULL ends the columns */
	u8 width;          /* a longer cell is cut and ends in "~" */
	bool right;
};

/* The line of titles. */
void table_head(const struct column *columns);

/* One line; a cell for each column. */
void table_row(const struct column *columns, const char *const *cells);
#define TABLE_ROW(columns, ...) table_row(columns, (const char *const[]){ __VA_ARGS__ })

/* "Memory            128 MiB": a fact and its formatted value. */
void table_fact(const char *name, const char *format, ...) printf_like(2, 3);

#endif
