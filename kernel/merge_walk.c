/* The walk of merge_walk.h. */
#include "kernel/merge_walk.h"

#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"
#include "kernel/guest.h"
#include "kernel/lib/string.h"

#define TABLES_FOR_LEAVES 64 /* what a place without a table costs, in leaves, ... */
#define LEAVES_FOR_COMPRESSED 16 /* ... and a page that is compressed: it may be looked into */

static u64 capacity(u32 order)
{
	return (PAGE_SIZE << order) / sizeof(u64);
}

int merge_walk_begin(struct merge_walk *w)
{
	u64 all;
	hpa_t first = frame_range(&all), block;
	u32 order = 0;

	memset(w, 0, sizeof(*w));
	while (order < FRAME_ORDER_2M && capacity(order) < all)
		order++;
	block = frame_alloc(order, FRAME_KERNEL);
	while (!block.v && order)
		block = frame_alloc(--order, FRAME_KERNEL);
	if (!block.v)
		return ERR_NOMEM;
	w->cells = hpa_pointer(block);
	w->order = order;
	w->first = first; /* with a count of 0, after which the first window comes */
	return merge_walk_window(w) ? 0 : ERR_NOMEM;
}

void merge_walk_end(struct merge_walk *w)
{
	if (w->cells)
		frame_put(pointer_hpa(w->cells));
	memset(w, 0, sizeof(*w));
}

bool merge_walk_window(struct merge_walk *w)
{
	u64 all, done;
	hpa_t first = frame_range(&all);

	w->first.v += w->count * PAGE_SIZE;
	done = (w->first.v - first.v) >> PAGE_SHIFT;
	w->count = MIN(capacity(w->order), all - done);
	memset(w->cells, 0, w->count * sizeof(u64));
	return w->count;
}

u64 *merge_walk_cell(struct merge_walk *w, hpa_t frame)
{
	u64 at = (frame.v - w->first.v) >> PAGE_SHIFT;

	return at < w->count ? &w->cells[at] : NULL;
}

struct gmem *merge_walk_guest(struct merge_walk *w)
{
	w->gmem = guest_gmem_next(&w->guest);
	w->gpa = 0;
	w->index = w->gmem ? w->index + 1 : 0;
	if (!w->gmem)
		w->guest = 0;
	return w->gmem;
}

bool merge_walk_locked(struct merge_walk *w, void (*leaf)(struct merge_walk *w, u64 gpa, u64 entry))
{
	u32 room = MERGE_WALK_LEAVES;
	struct leaf_run run;
	bool more = true;

	while (room && (more = gmem_leaf_run(w->gmem, &w->gpa, &run))) {
		u32 large = run.large ? (u32)((w->gpa - run.gpa) >> PAGE_SHIFT) : 0;

		room -= MIN(room, run.count + large ? run.count + large : TABLES_FOR_LEAVES);
		for (u32 i = 0; i < run.count; i++) {
			u64 entry = run.entries[i];

			if (entry & LEAF_COMPRESSED)
				room -= MIN(room, LEAVES_FOR_COMPRESSED);
			if (entry & (LEAF_COMPRESSED | w->gmem->format->present))
				leaf(w, run.gpa + i * PAGE_SIZE, entry);
		}
		for (u64 gpa = run.gpa; large && gpa < w->gpa; gpa += PAGE_SIZE)
			leaf(w, gpa, gmem_leaf_part(w->gmem, *run.large, gpa));
	}
	return !more;
}

bool merge_walk_leaves(struct merge_walk *w, void (*leaf)(struct merge_walk *w, u64 gpa, u64 entry))
{
	bool end;

	spin_lock(&w->gmem->lock);
	end = merge_walk_locked(w, leaf);
	spin_unlock(&w->gmem->lock);
	return end;
}
