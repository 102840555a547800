/* A recount of everything from the tables alone, against the counters that the kernel keeps. */
#include <string.h>

#include "kernel/gmem_compress.h"
#include "kernel/gmem_leaf.h"
#include "kernel/merge.h"
#include "tests/model/model.h"

static u64 frames_at_start;
static u16 mapped[MODEL_FRAMES];          /* leaves on each frame */
static const char *groups[MODEL_FRAMES];  /* of the guests that do so */
static u64 objects[MODEL_FRAMES];         /* chunks of each frame at which a compressed page begins */
static u64 zero_frame;                    /* learnt: the only frame of the kernel's that guests may map */

struct sums {
	u64 own, shared, file, merged, given, tables, compressed, large;
};

static struct sums all;

static u32 index_of(u64 frame)
{
	REQUIRE(frame - (u64)fake_ram < MODEL_FRAMES * PAGE_SIZE);
	return (u32)((frame - (u64)fake_ram) / PAGE_SIZE);
}

/* A frame that others may use, too, is one group's. */
static void count_group(struct model_guest *g, hpa_t frame)
{
	u32 i = index_of(frame.v);

	REQUIRE(*g->group && g->gmem.member);
	if (groups[i] && strcmp(groups[i], g->group))
		model_fail("a frame is shared by groups %s and %s", groups[i], g->group);
	groups[i] = g->group;
}

/* It holds what its note says. */
static void check_note(struct model_guest *g, hpa_t frame)
{
	u32 group = g->gmem.member->group;

	REQUIRE(merge_note(merge_digest((u8 *)frame.v, group), group) == *frame_note(frame));
}

static void count_leaf(struct model_guest *g, u64 gpa, u64 entry, struct sums *sums)
{
	const struct table_format *f = g->gmem.format;
	hpa_t frame = { entry & TABLE_ADDRESS };
	enum frame_kind kind = frame_kind_of(frame);
	u32 page = model_page_at(gpa);
	bool filler = page == MODEL_PAGES && g->has_block && gpa - MODEL_BLOCK < 2 * MIB;

	REQUIRE(filler || (page < MODEL_PAGES && g->pages[page].kind != MAP_HOLE));
	REQUIRE(!(entry & f->write) || ((filler || g->pages[page].kind != MAP_ROM) && kind == FRAME_GUEST));
	mapped[index_of(frame.v)]++;
	if (kind == FRAME_GUEST) {
		REQUIRE(frame_refs(frame) == 1);
		REQUIRE(!(*g->group == 'u' && entry & LEAF_HASHED && entry & f->write));
		sums->own++;
		return;
	}
	sums->shared++;
	REQUIRE(!(entry & f->dirty));
	if (kind == FRAME_KERNEL) {
		REQUIRE(!zero_frame || zero_frame == frame.v);
		zero_frame = frame.v;
		sums->given += entry & LEAF_GIVEN ? 1 : 0;
	} else if (kind == FRAME_MERGED) {
		count_group(g, frame);
		check_note(g, frame);
		sums->merged++;
	} else {
		REQUIRE(kind == FRAME_FILE);
		count_group(g, frame);
		sums->file++;
	}
}

static void count_compressed(u64 entry, struct sums *sums)
{
	hpa_t at = gmem_leaf_object(entry);
	u64 chunk = BIT(at.v % PAGE_SIZE / ZSTORE_CHUNK);

	REQUIRE(gmem_compressed_valid(entry));
	REQUIRE(!(objects[index_of(at.v)] & chunk));
	REQUIRE(index_of(~entry & TABLE_ADDRESS) && (entry & TABLE_ADDRESS) > (u64)fake_ram); /* no address of memory */
	objects[index_of(at.v)] |= chunk;
	sums->compressed++;
}

/* Frames side by side, all of the guest's own, and the table that is kept for a split. */
static void count_large(struct model_guest *g, u64 gpa, u64 entry, struct sums *sums)
{
	u64 frame = entry & TABLE_ADDRESS, own = sums->own, table = *frame_note((hpa_t){ frame });

	REQUIRE(!(frame & (2 * MIB - 1)) && g->has_block && gpa == MODEL_BLOCK);
	REQUIRE(frame_kind_of((hpa_t){ table }) == FRAME_TABLE && frame_refs((hpa_t){ table }) == 1);
	for (u64 at = 0; at < 2 * MIB; at += PAGE_SIZE)
		count_leaf(g, gpa + at, (entry & ~g->gmem.format->large) + at, sums);
	REQUIRE(sums->own == own + MODEL_BLOCK_PAGES);
	sums->tables++;
	sums->large++;
}

static void count_table(struct model_guest *g, u64 table, u32 level, u64 gpa, struct sums *sums)
{
	const u64 *entries = (const u64 *)table;

	REQUIRE(frame_kind_of((hpa_t){ table }) == FRAME_TABLE && frame_refs((hpa_t){ table }) == 1);
	sums->tables++;
	for (u64 i = 0; i < 512; i++) {
		u64 entry = entries[i], at = gpa + (i << (12 + 9 * level));

		if (!level && entry & LEAF_COMPRESSED)
			count_compressed(entry, sums);
		if (!(entry & g->gmem.format->present))
			continue;
		if (level == 1 && entries[i] & g->gmem.format->large)
			count_large(g, at, entry, sums);
		else if (level)
			count_table(g, entry & TABLE_ADDRESS, level - 1, at, sums);
		else
			count_leaf(g, at, entry, sums);
	}
}

/* A compressed page stays so. */
static int read_page(struct gmem *m, u64 gpa, u8 bytes[PAGE_SIZE])
{
	u32 level;
	u64 entry = *table_find(m->format, m->root, gpa, &level);

	if (!(entry & LEAF_COMPRESSED))
		return gmem_read(m, gpa, bytes, PAGE_SIZE);
	gmem_decompress(entry, bytes);
	return 0;
}

static void compare_guest(struct model_guest *g)
{
	u8 bytes[PAGE_SIZE];

	for (u32 page = 0; page < MODEL_PAGES; page++) {
		int error = read_page(&g->gmem, model_gpa(page), bytes);

		REQUIRE(error == (g->pages[page].kind == MAP_HOLE ? ERR_FAULT : 0));
		if (!error && memcmp(bytes, g->pages[page].bytes, PAGE_SIZE))
			model_fail("guest %ld: page %u has other bytes than it should", (long)(g - model_guests),
				   page);
	}
	for (u64 at = 0; g->has_block && at < 2 * MIB; at += PAGE_SIZE) {
		u64 word;

		if (model_page_at(MODEL_BLOCK + at) < MODEL_PAGES || !g->filler[at / PAGE_SIZE])
			continue;
		REQUIRE(!read_page(&g->gmem, MODEL_BLOCK + at, bytes));
		memcpy(&word, bytes, sizeof(word));
		REQUIRE(word == model_filler(at, g->filler[at / PAGE_SIZE]));
	}
}

/* Each frame of guests and files has as many references as leaves map it, and the file's own. */
static void check_references(void)
{
	u64 own = 0, merged = 0, compressed = 0;

	for (u32 i = 1; i < MODEL_FRAMES; i++) {
		hpa_t frame = { (u64)fake_ram + i * PAGE_SIZE };

		compressed += objects[i] ? 1 : 0;
		REQUIRE(!objects[i] || (!mapped[i] && frame_refs(frame) == 1));
		if (!mapped[i] || frame.v == zero_frame)
			continue;
		own += frame_kind_of(frame) == FRAME_GUEST;
		merged += frame_kind_of(frame) == FRAME_MERGED;
		if (frame_refs(frame) != mapped[i] + (frame_kind_of(frame) == FRAME_FILE ? 1u : 0u))
			model_fail("a frame has %u references and %u mappings", frame_refs(frame), mapped[i]);
	}
	if (frame_count(FRAME_GUEST) != own || frame_count(FRAME_MERGED) != merged)
		model_fail("%lu frames of guests and %lu merged ones, %lu and %lu are mapped",
			   (unsigned long)frame_count(FRAME_GUEST), (unsigned long)frame_count(FRAME_MERGED),
			   (unsigned long)own, (unsigned long)merged);
	REQUIRE(frame_count(FRAME_COMPRESSED) == compressed && gmem_compress_counts.pages == all.compressed);
	REQUIRE(frame_count(FRAME_TABLE) == all.tables);
	REQUIRE(gmem_totals.file == all.file && gmem_totals.merged == all.merged && gmem_totals.given == all.given);
}

static void count_guest(struct model_guest *g)
{
	struct sums sums = { 0 };

	count_table(g, g->gmem.root.v, TABLE_LEVELS - 1, 0, &sums);
	REQUIRE(sums.own == g->gmem.private_pages);
	REQUIRE(sums.shared == g->gmem.shared_pages);
	REQUIRE(sums.file == g->gmem.file_pages);
	REQUIRE(sums.merged == g->gmem.merged_pages);
	REQUIRE(sums.given == g->gmem.given_pages);
	REQUIRE(sums.tables == g->gmem.tables);
	REQUIRE(sums.large == g->gmem.large_leaves);
	REQUIRE(sums.compressed == g->gmem.store.objects);
	REQUIRE(g->account.used == sums.own + sums.tables + g->gmem.store.frames);
	all.compressed += sums.compressed;
	all.file += sums.file, all.merged += sums.merged, all.given += sums.given, all.tables += sums.tables;
}

void recount(bool compare)
{
	memset(mapped, 0, sizeof(mapped));
	memset(groups, 0, sizeof(groups));
	memset(objects, 0, sizeof(objects));
	memset(&all, 0, sizeof(all));
	for (u32 n = 0; n < model_guest_count; n++) {
		count_guest(&model_guests[n]);
		if (compare)
			compare_guest(&model_guests[n]);
	}
	check_references();
	mmu_check();
}

/* The heap keeps what it has for the next object: frames of the kernel's count as free ones. */
static u64 free_frames(void)
{
	return frame_count(FRAME_FREE) + frame_count(FRAME_KERNEL);
}

void recount_start(void)
{
	frames_at_start = free_frames();
}

void recount_end(void)
{
	static const u8 zeroes[PAGE_SIZE];

	REQUIRE(!zero_frame || !memcmp((u8 *)zero_frame, zeroes, PAGE_SIZE));
	REQUIRE(frame_count(FRAME_GUEST) + frame_count(FRAME_MERGED) + frame_count(FRAME_TABLE) == 0);
	REQUIRE(!frame_count(FRAME_COMPRESSED) && !gmem_compress_counts.pages);
	REQUIRE(free_frames() == frames_at_start);
	REQUIRE(!gmem_totals.file && !gmem_totals.merged && !gmem_totals.given);
	zero_frame = 0;
}
