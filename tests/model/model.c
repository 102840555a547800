/* What should be: arrays of bytes, and the file that guests map. */
#include <string.h>

#include "tests/model/model.h"

#define LOW_PAGES 16

struct model_guest model_guests[MODEL_GUESTS];
u32 model_guest_count;

static u64 file;

u64 model_gpa(u32 page)
{
	return page < LOW_PAGES ? 2 * MIB - LOW_PAGES / 2 * PAGE_SIZE + page * PAGE_SIZE :
				  GMEM_TOP - (MODEL_PAGES - page) * PAGE_SIZE;
}

u32 model_page_at(u64 gpa)
{
	for (u32 page = 0; page < MODEL_PAGES; page++)
		if (gpa - model_gpa(page) < PAGE_SIZE)
			return page;
	return MODEL_PAGES;
}

bool model_whole(const struct model_guest *g, u32 page, u64 offset, u64 len, bool write)
{
	for (u64 at = 0; at < offset + len; at += PAGE_SIZE, page++) {
		if (page >= MODEL_PAGES || (at && page == LOW_PAGES) || g->pages[page].kind == MAP_HOLE)
			return false;
		if (write && g->pages[page].kind == MAP_ROM)
			return false;
	}
	return true;
}

u8 *model_byte(struct model_guest *g, u32 page, u64 offset)
{
	return &g->pages[page + offset / PAGE_SIZE].bytes[offset % PAGE_SIZE];
}

void model_map(struct model_guest *g, u32 page, u32 count, enum map_kind kind, u64 source)
{
	for (u32 i = 0; i < count; i++) {
		struct model_page *p = &g->pages[page + i];

		p->kind = kind;
		if (source)
			model_pattern(p->bytes, 16 + (u32)((source - file) / PAGE_SIZE) + i);
		else
			memset(p->bytes, 0, PAGE_SIZE);
	}
}

void model_fill(struct model_guest *g, u64 offset, u64 len, u32 salt)
{
	for (u64 at = offset; at < offset + len; at += PAGE_SIZE)
		g->filler[at / PAGE_SIZE] = (u8)salt;
}

u64 model_filler(u64 offset, u32 salt)
{
	return salt ? (offset / PAGE_SIZE / (salt == 1 ? 1 : 4)) << 8 | salt : 0; /* all different, or some equal */
}

/* 0: zeroes; 1 to 15: made by guests; from 16 on: the file's pages.  Some pairs differ in their last byte only. */
void model_pattern(u8 bytes[PAGE_SIZE], u32 pattern)
{
	memset(bytes, (int)(pattern / 2 * 37), PAGE_SIZE);
	if (pattern & 1)
		bytes[PAGE_SIZE - 1] = (u8)pattern;
}

void model_file_start(void)
{
	u32 order = 0;
	hpa_t at;

	while (1u << order < MODEL_FILE_PAGES)
		order++;
	at = frame_alloc(order, FRAME_FILE);
	REQUIRE(at.v);
	frame_split(at);
	file = at.v;
	for (u32 i = 0; i < MODEL_FILE_PAGES; i++)
		model_pattern((u8 *)model_file(i), 16 + i), *frame_note((hpa_t){ model_file(i) }) = 0;
}

u64 model_file(u32 page)
{
	return file + page * PAGE_SIZE;
}

void model_file_end(void)
{
	u8 bytes[PAGE_SIZE];

	for (u32 i = 0; i < MODEL_FILE_PAGES; i++) {
		model_pattern(bytes, 16 + i);
		REQUIRE(!memcmp(bytes, (u8 *)model_file(i), PAGE_SIZE));
		REQUIRE(frame_refs((hpa_t){ model_file(i) }) == 1);
		frame_put((hpa_t){ model_file(i) });
	}
}
