/* A recount of everything from the tables alone, against the counters that the kernel keeps. */
#include <string.h>

#include "tests/model/model.h"

static u64 free_at_start;
static u16 mapped[MODEL_FRAMES]; /* leaves on each frame */
static u64 zero_frame;           /* learnt: the only frame of the kernel's that guests may map */

struct sums {
	u64 own, shared, tables;
};

static u32 index_of(u64 frame)
{
	REQUIRE(frame - (u64)fake_ram < MODEL_FRAMES * PAGE_SIZE);
	return (u32)((frame - (u64)fake_ram) / PAGE_SIZE);
}

static void count_leaf(struct model_guest *g, u64 gpa, u64 entry, struct sums *sums)
{
	hpa_t frame = { entry & TABLE_ADDRESS };
	u32 page = model_page_at(gpa);
	bool write = entry & g->gmem.format->write;

	REQUIRE(page < MODEL_PAGES && g->pages[page].kind != MAP_HOLE);
	REQUIRE(!write || g->pages[page].kind != MAP_ROM);
	if (frame_kind_of(frame) == FRAME_KERNEL) {
		REQUIRE(!zero_frame || zero_frame == frame.v);
		zero_frame = frame.v;
		REQUIRE(!write);
		sums->shared++;
		return;
	}
	mapped[index_of(frame.v)]++;
	if (frame_kind_of(frame) == FRAME_GUEST) {
		sums->own++;
		REQUIRE(!write || frame_refs(frame) == 1);
	} else {
		REQUIRE(frame_kind_of(frame) == FRAME_FILE && !write);
		sums->shared++;
	}
}

static void count_table(struct model_guest *g, u64 table, u32 level, u64 gpa, struct sums *sums)
{
	const u64 *entries = (const u64 *)table;

	REQUIRE(frame_kind_of((hpa_t){ table }) == FRAME_TABLE && frame_refs((hpa_t){ table }) == 1);
	sums->tables++;
	for (u64 i = 0; i < 512; i++) {
		u64 entry = entries[i], at = gpa + (i << (12 + 9 * level));

		if (!(entry & g->gmem.format->present))
			continue;
		if (level)
			count_table(g, entry & TABLE_ADDRESS, level - 1, at, sums);
		else
			count_leaf(g, at, entry, sums);
	}
}

static void compare_guest(struct model_guest *g)
{
	u8 bytes[PAGE_SIZE];

	for (u32 page = 0; page < MODEL_PAGES; page++) {
		int error = gmem_read(&g->gmem, model_gpa(page), bytes, PAGE_SIZE);

		REQUIRE(error == (g->pages[page].kind == MAP_HOLE ? ERR_FAULT : 0));
		if (!error && memcmp(bytes, g->pages[page].bytes, PAGE_SIZE))
			model_fail("guest %ld: page %u has other bytes than it should", (long)(g - model_guests),
				   page);
	}
}

/* Each frame of guests and files has as many references as leaves map it, and the file's own. */
static void check_references(u64 tables)
{
	u64 guest_frames = 0;

	for (u32 i = 1; i < MODEL_FRAMES; i++) {
		hpa_t frame = { (u64)fake_ram + i * PAGE_SIZE };

		if (!mapped[i])
			continue;
		if (frame_kind_of(frame) == FRAME_GUEST)
			guest_frames++;
		if (frame_refs(frame) != mapped[i] + (frame_kind_of(frame) == FRAME_FILE ? 1u : 0u))
			model_fail("a frame has %u references and %u mappings", frame_refs(frame), mapped[i]);
	}
	if (frame_count(FRAME_GUEST) != guest_frames)
		model_fail("%lu frames of guests, %lu are mapped", (unsigned long)frame_count(FRAME_GUEST),
			   (unsigned long)guest_frames);
	REQUIRE(frame_count(FRAME_TABLE) == tables);
}

void recount(bool compare)
{
	u64 tables = 0;

	memset(mapped, 0, sizeof(mapped));
	for (u32 n = 0; n < model_guest_count; n++) {
		struct model_guest *g = &model_guests[n];
		struct sums sums = { 0 };

		count_table(g, g->gmem.root.v, TABLE_LEVELS - 1, 0, &sums);
		REQUIRE(sums.own == g->gmem.private_pages);
		REQUIRE(sums.shared == g->gmem.shared_pages);
		REQUIRE(sums.tables == g->gmem.tables);
		REQUIRE(g->account.used == sums.own + sums.tables);
		tables += sums.tables;
		if (compare)
			compare_guest(g);
	}
	check_references(tables);
	mmu_check();
}

void recount_start(void)
{
	free_at_start = frame_count(FRAME_FREE);
}

void recount_end(void)
{
	static const u8 zeroes[PAGE_SIZE];

	REQUIRE(!zero_frame || !memcmp((u8 *)zero_frame, zeroes, PAGE_SIZE));
	REQUIRE(frame_count(FRAME_GUEST) == 0 && frame_count(FRAME_TABLE) == 0);
	REQUIRE(frame_count(FRAME_FREE) == free_at_start);
	zero_frame = 0;
}
