/* Large leaves: a block of 2 MiB whose last pages are among those that all operations pick, with filler before them. */
#include <string.h>

#include "kernel/collapse.h"
#include "kernel/gmem_leaf.h"
#include "tests/model/model.h"

static struct collapse work; /* on worker's memory, as the thread does it */
static struct model_guest *worker;

/* The bits of all leaves of the block together, 0 if one is missing; *is_large. */
static u64 block_bits(const struct model_guest *g, bool *is_large)
{
	u64 all = 0;
	u32 level;

	*is_large = false;
	for (u64 gpa = MODEL_BLOCK; gpa < MODEL_BLOCK + 2 * MIB; gpa += PAGE_SIZE) {
		u64 entry = *table_find(g->gmem.format, g->gmem.root, gpa, &level);

		if (level > 1 || !(entry & g->gmem.format->present))
			return 0;
		*is_large = level == 1;
		all |= entry & ~TABLE_ADDRESS;
	}
	return all;
}

void large_forget(struct model_guest *g)
{
	if (worker == g)
		collapse_abandon(&work);
	if (worker == g)
		worker = NULL;
}

/* All of the block is RAM and is written, the filler with bytes that another guest's may have, too. */
void large_fill(void)
{
	struct model_guest *g = operation_guest();
	u8 salt = (u8)model_pick(3);

	if (!g->has_block)
		return;
	for (u64 at = 0; at < 2 * MIB;) {
		s64 part = gmem_map(&g->gmem, MODEL_BLOCK + at, 2 * MIB - at, MAP_RAM, 0);

		if (part < 0)
			return; /* too much of it: a picked page's mapping took the room */
		for (u64 gpa = MODEL_BLOCK + at; gpa < MODEL_BLOCK + at + (u64)part; gpa += PAGE_SIZE)
			if (model_page_at(gpa) < MODEL_PAGES)
				model_map(g, model_page_at(gpa), 1, MAP_RAM, 0);
		model_fill(g, at, (u64)part, 0);
		at += (u64)part;
	}
	for (u64 at = 0; at < 2 * MIB; at += PAGE_SIZE) {
		u32 page = model_page_at(MODEL_BLOCK + at);
		u64 word = page < MODEL_PAGES ? salt : model_filler(at, salt + 1);

		if (gmem_write(&g->gmem, MODEL_BLOCK + at, &word, sizeof(word)))
			return;
		if (page < MODEL_PAGES)
			memcpy(g->pages[page].bytes, &word, sizeof(word));
		else
			model_fill(g, at, PAGE_SIZE, salt + 1);
	}
	operation_succeeded();
}

/* A page of filler is written, also one that was copied just now. */
static void rewrite(struct model_guest *g)
{
	u64 at = model_pick(252) * 2 * PAGE_SIZE, word;
	u32 salt = 1 + model_pick(3);

	if (!g->filler[at / PAGE_SIZE])
		return;
	word = model_filler(at, salt);
	if (!gmem_write(&g->gmem, MODEL_BLOCK + at, &word, sizeof(word)))
		model_fill(g, at, PAGE_SIZE, salt);
}

/* Steps of the thread's; between two of them anything may happen. */
void large_step(void)
{
	struct model_guest *g = operation_guest();
	u32 steps = 1 + model_pick(24);

	if (worker && worker != g)
		large_forget(worker);
	worker = g;
	for (u32 i = 0; i < steps; i++)
		if (collapse_step(&g->gmem, &work, model_pick(8) != 0))
			operation_succeeded();
		else if (!model_pick(4))
			rewrite(g);
}

/* Whole passes, undisturbed: what is known of the block's pages is known of the large leaf. */
void large_all(void)
{
	struct model_guest *g = operation_guest();
	const struct table_format *f = g->gmem.format;
	struct collapse all = { 0 };
	bool was_large, is_large;
	u64 before = block_bits(g, &was_large), after;

	if (worker)
		large_forget(worker);
	for (u32 pass = 0; pass < 3; pass++)
		while (!collapse_step(&g->gmem, &all, true))
			;
	after = block_bits(g, &is_large);
	REQUIRE(!all.block.v && is_large == (g->gmem.large_leaves != 0));
	if (!is_large || was_large)
		return;
	REQUIRE(before && !(before & ~after & (f->accessed | gmem_leaf_dirt(&g->gmem))));
	operation_succeeded();
}

void large_split(void)
{
	struct model_guest *g = operation_guest();
	bool was_large, is_large;
	u64 before = block_bits(g, &was_large), after, gpa = 0;

	if (model_pick(2))
		gmem_leaf_split(&g->gmem, model_gpa(model_pick(8)));
	else
		while (!collapse_undo_step(&g->gmem, &gpa))
			;
	after = block_bits(g, &is_large);
	REQUIRE(!is_large && !g->gmem.large_leaves);
	REQUIRE(!(before & ~after & (g->gmem.format->accessed | gmem_leaf_dirt(&g->gmem))));
	if (was_large)
		operation_succeeded();
}
