/* The sums of sharing: from the counts of leaves that gmem keeps and those of frames. */
#include "kernel/sharing.h"

#include "kernel/file.h"
#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"

/* A merged frame stays with the last of its leaves, a file's stays the file's.  The zero frame is no guest's gain by
 * itself, for an untouched page costs nothing either way; but a page that the merger gave back for its zeroes had a
 * frame. */
void sharing_info(struct ledger_info *info)
{
	u64 merged = frame_count(FRAME_MERGED), leaves = gmem_totals.merged;

	info->shared = (merged + file_frames_mapped()) * PAGE_SIZE;
	info->debt = (leaves - MIN(leaves, merged) + gmem_totals.file + gmem_totals.given) * PAGE_SIZE;
}
