/* ksm verify: is all that the merger keeps true?  ksm matrix: who shares how much with whom. */
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/table.h"

#define WIDE 3 /* so many guests have a column each in 80 characters */

static struct merge_matrix matrix;

static const char *name_of(u32 id, struct guest_info *info)
{
	return sys_guest_info(id, info) == 0 ? info->name : "?";
}

void commands_ksm_verify(void)
{
	struct merge_verify result;
	struct guest_info info;
	int error = sys_merge_verify(&result);

	if (error) {
		output_error("it was not verified (%s)%s", error_text(error),
			     error == ERR_NOMEM ? ": not even a page of memory is free, destroy a guest" : "");
		return;
	}
	if (result.what[0] && result.guest)
		output_error("guest %s, address %lx: %s", name_of(result.guest, &info), result.gpa, result.what);
	else if (result.what[0])
		output_error("%s", result.what);
	else
		output_print("clean: %lu guests, %lu leaves, %lu merged frames\n", result.guests, result.leaves,
			     result.frames);
	if (result.undecided)
		output_print("Files' pages changed all the time: %lu windows of memory were not decided.\n",
			     result.undecided);
}

static void cell(char *text, u64 size, u64 value)
{
	(void)fmt_print(text, size, "%lu", value);
}

/* What each guest has for itself, and, of few guests, a column for each. */
static void show_rows(u64 columns)
{
	struct column titles[6 + WIDE] = { { "guest", 12, false }, { "self", 7, true }, { "zero", 7, true },
					   { "given", 7, true }, { "files", 7, true } };
	static char names[WIDE][NAME_MAX], cells[4 + WIDE][24];
	struct guest_info info;

	for (u64 i = 0; i < columns; i++) {
		str_copy(names[i], NAME_MAX, name_of(matrix.rows[i].guest, &info));
		titles[5 + i] = (struct column){ names[i], 7, true };
	}
	table_head(titles);
	for (u64 i = 0; i < matrix.count; i++) {
		const struct merge_row *row = &matrix.rows[i];
		const char *line[6 + WIDE] = { name_of(row->guest, &info) };

		cell(cells[0], 24, row->self);
		cell(cells[1], 24, row->zero);
		cell(cells[2], 24, row->given);
		cell(cells[3], 24, row->file);
		for (u64 k = 0; k < columns; k++)
			cell(cells[4 + k], 24, row->with[k]);
		for (u64 k = 0; k < 4 + columns; k++)
			line[1 + k] = cells[k];
		table_row(titles, line);
	}
}

/* More guests than columns: the pairs that share anything. */
static void show_pairs(void)
{
	static const struct column titles[] = { { "guest", 20, false }, { "and", 20, false }, { "pages", 10, true },
						{ NULL, 0, false } };
	static struct guest_info one, other;
	char pages[24];

	output_print("\n");
	table_head(titles);
	for (u64 a = 0; a < matrix.count; a++)
		for (u64 b = a + 1; b < matrix.count; b++) {
			if (!matrix.rows[a].with[b])
				continue;
			cell(pages, sizeof(pages), matrix.rows[a].with[b]);
			TABLE_ROW(titles, name_of(matrix.rows[a].guest, &one), name_of(matrix.rows[b].guest, &other), pages);
		}
}

void commands_ksm_matrix(void)
{
	int error = sys_merge_matrix(&matrix);

	if (error) {
		output_error("nothing was counted (%s)", error_text(error));
		return;
	}
	if (!matrix.count) {
		output_print("No guest has memory.\n");
		return;
	}
	show_rows(matrix.count <= WIDE ? matrix.count : 0);
	if (matrix.count > WIDE)
		show_pairs();
	if (matrix.further)
		output_print("Of further guests that have memory, %lu, nothing was counted.\n", matrix.further);
}
