/* Each frame's cell has a bit for each guest that maps it; what two bits have in common is counted at the end of a
 * window.  Guests run meanwhile: each leaf is counted as it was at some moment of the walk. */
#include "kernel/merge_matrix.h"

#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"
#include "kernel/lib/string.h"
#include "kernel/merge_walk.h"

#define CELLS 2048 /* that a step adds up */

static struct merge_walk walk;
static struct merge_matrix sums;
static u64 added; /* cells of the window that were added up; UINT64_MAX: guests are walked */

static void count(struct merge_walk *w, u64 gpa, u64 entry)
{
	hpa_t frame = gmem_leaf_frame(entry);
	struct merge_row *row = &sums.rows[w->index - 1];
	u64 *cell = merge_walk_cell(w, frame), bit = BIT(w->index - 1);

	if (entry & LEAF_COMPRESSED || !cell || gmem_leaf_private(frame))
		return;
	if (frame.v == gmem_zero_frame.v) {
		*(entry & LEAF_GIVEN ? &row->given : &row->zero) += 1;
		return;
	}
	row->file += frame_kind_of(frame) == FRAME_FILE;
	row->self += *cell & bit ? 1 : 0;
	*cell |= bit;
}

static void add(u64 guests)
{
	for (u64 a = guests; a; a &= a - 1)
		for (u64 b = a & (a - 1); b; b &= b - 1) {
			u32 one = (u32)__builtin_ctzll(a), other = (u32)__builtin_ctzll(b);

			sums.rows[one].with[other]++;
			sums.rows[other].with[one]++;
		}
}

/* The next guest's memory, NULL: all were walked. */
static struct gmem *next_guest(void)
{
	struct gmem *m = merge_walk_guest(&walk);

	if (walk.index > MERGE_ROWS) {
		sums.further = MAX(sums.further, walk.index - MERGE_ROWS);
	} else if (m) {
		sums.rows[walk.index - 1].guest = walk.guest;
		sums.count = MAX(sums.count, walk.index);
	}
	return m;
}

/* True at the end of the guest's memory; there is nothing to do for one without a row. */
static bool count_some(void)
{
	return walk.index > MERGE_ROWS || merge_walk_leaves(&walk, count);
}

/* True at the window's end. */
static bool add_some(void)
{
	for (u32 i = 0; i < CELLS && added < walk.count; i++)
		add(walk.cells[added++]);
	return added == walk.count;
}

static int begin(void)
{
	int error;

	merge_matrix_abandon();
	memset(&sums, 0, sizeof(sums));
	error = merge_walk_begin(&walk);
	added = UINT64_MAX;
	if (!error && !next_guest())
		added = 0;
	return error ? error : 1;
}

int merge_matrix_step(bool fresh, const struct merge_matrix **matrix)
{
	*matrix = &sums;
	if (fresh || !walk.cells)
		return begin();
	if (added == UINT64_MAX) {
		if (count_some() && !next_guest())
			added = 0;
		return 1;
	}
	if (!add_some())
		return 1;
	added = UINT64_MAX;
	if (merge_walk_window(&walk)) {
		if (!next_guest())
			added = 0;
		return 1;
	}
	merge_matrix_abandon();
	return 0;
}

void merge_matrix_abandon(void)
{
	merge_walk_end(&walk);
}
