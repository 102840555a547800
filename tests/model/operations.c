/* What can happen to guest memory, one function each.  An operation takes its arguments from the input, does it
 * to the kernel's memory and to the model, and requires that both say the same. */
#include <string.h>

#include "kernel/merge.h"
#include "tests/model/model.h"

#define BYTES (3 * PAGE_SIZE) /* of one copy, at most */

u64 operation_done[MODEL_OPERATIONS];
static u32 current; /* the operation that runs */
static u8 bytes[BYTES], seen[BYTES];

static void done(void)
{
	operation_done[current]++;
}

void operation_succeeded(void)
{
	done();
}

static struct model_guest *pick_guest(void)
{
	return &model_guests[model_pick(model_guest_count)];
}

struct model_guest *operation_guest(void)
{
	return pick_guest();
}

/* Offsets meet the borders often. */
static u64 pick_offset(void)
{
	u32 byte = model_take();

	if (byte < 64)
		return byte % 8;
	return byte < 128 ? PAGE_SIZE - 1 - byte % 8 : byte * 16u + byte % 7;
}

static u64 pick_len(void)
{
	u32 byte = model_take();

	return byte < 200 ? 1 + byte % 40 : 1 + (byte - 200) * (BYTES - PAGE_SIZE) / 56;
}

void model_create(struct model_guest *g)
{
	static struct table_format ept_plain; /* without accessed and dirty bits */
	const struct table_format *formats[] = { &table_format_npt, &table_format_ept, &ept_plain };
	static const char *const groups[] = { "a", "b", "", "a", "uniform", "uniform" };
	const struct table_format *format;
	s64 mapped;
	u64 pages;
	int error;

	ept_plain = table_format_ept;
	ept_plain.accessed = ept_plain.dirty = 0;
	format = formats[model_pick(3)];
	g->account = (struct ledger_account){ .full = BIT(40), .min = BIT(40) };
	pages = MODEL_PAGES - model_pick(6) + (model_with_blocks ? MODEL_BLOCK_PAGES : 0);
	error = gmem_init(&g->gmem, format, pages * PAGE_SIZE, &g->account, 0, mmu_shootdown);
	mmu_forget(g);
	memset(g->pages, 0, sizeof(g->pages));
	memset(g->filler, 0, sizeof(g->filler));
	g->has_block = model_with_blocks;
	REQUIRE(!error);
	mapped = gmem_map(&g->gmem, model_gpa(0), 12 * PAGE_SIZE, MAP_RAM, 0);
	REQUIRE(mapped == 12 * PAGE_SIZE);
	model_map(g, 0, 12, MAP_RAM, 0);
	g->group = groups[model_pick(ARRAY_SIZE(groups))];
	if (*g->group)
		REQUIRE(!merge_join(&g->gmem, g->group, *g->group == 'u'));
}

bool model_destroy(struct model_guest *g)
{
	if (!merge_leave(&g->gmem))
		return false; /* it is being scanned */
	large_forget(g);
	mmu_forget(g);
	while (!gmem_fini_step(&g->gmem))
		;
	REQUIRE(!g->account.used);
	return true;
}

/* ---- vCPUs ---- */

static void vcpu_read(void)
{
	struct model_guest *g = pick_guest();
	u32 vcpu = model_pick(MODEL_VCPUS), page = model_pick(MODEL_PAGES);
	u64 offset = pick_offset();
	u8 value;

	if (!model_whole(g, page, offset, 1, false)) {
		REQUIRE(gmem_fault(&g->gmem, model_gpa(page) + offset, false) == ERR_FAULT);
		return;
	}
	if (mmu_read(g, vcpu, model_gpa(page) + offset, &value))
		return;
	REQUIRE(value == *model_byte(g, page, offset));
	done();
}

static void vcpu_write(void)
{
	struct model_guest *g = pick_guest();
	u32 vcpu = model_pick(MODEL_VCPUS), page = model_pick(MODEL_PAGES);
	u64 offset = pick_offset();
	u8 value = (u8)model_pick(4);

	if (!model_whole(g, page, offset, 1, true)) {
		REQUIRE(gmem_fault(&g->gmem, model_gpa(page) + offset, true) == ERR_FAULT);
		return;
	}
	if (mmu_write(g, vcpu, model_gpa(page) + offset, value))
		return;
	*model_byte(g, page, offset) = value;
	done();
}

/* A whole page that others may have, too. */
static void vcpu_fill(void)
{
	struct model_guest *g = pick_guest();
	u32 vcpu = model_pick(MODEL_VCPUS), page = model_pick(MODEL_PAGES), pattern = model_take();
	u8 *at;

	if (!model_whole(g, page, 0, PAGE_SIZE, true))
		return;
	at = mmu_page(g, vcpu, model_gpa(page));
	if (!at)
		return;
	model_pattern(at, pattern & 7 ? pattern % 6 : 16 + pattern / 8 % MODEL_FILE_PAGES);
	memcpy(g->pages[page].bytes, at, PAGE_SIZE);
	done();
}

static void vcpu_leave(void)
{
	struct model_guest *g = pick_guest();

	mmu_leave(g, model_pick(MODEL_VCPUS));
	done();
}

static void vcpu_race(void)
{
	struct model_guest *g = pick_guest();
	u32 writer = model_pick(MODEL_VCPUS), reader = model_pick(MODEL_VCPUS), page = model_pick(MODEL_PAGES);

	mmu_arm(g, writer, reader, page, (u32)pick_offset(), (u8)model_take());
	done();
}

/* ---- the kernel and the machine process ---- */

static void kernel_read(void)
{
	struct model_guest *g = pick_guest();
	u32 page = model_pick(MODEL_PAGES);
	u64 offset = pick_offset(), len = pick_len();
	int error = gmem_read(&g->gmem, model_gpa(page) + offset, seen, len);

	REQUIRE(error == (model_whole(g, page, offset, len, false) ? 0 : ERR_FAULT));
	for (u64 i = 0; !error && i < len; i++)
		REQUIRE(seen[i] == *model_byte(g, page, offset + i));
	if (!error)
		done();
}

/* What a write left: all of it, or, when it was refused for memory, a beginning.  Another vCPU may have written
 * one of the bytes meanwhile. */
static void adopt_written(struct model_guest *g, u32 page, u64 offset, u64 len, bool all)
{
	bool ended = false;
	u8 *model;

	REQUIRE(!gmem_read(&g->gmem, model_gpa(page) + offset, seen, len));
	for (u64 i = 0; i < len; i++) {
		model = model_byte(g, page, offset + i);
		if (seen[i] == *model && mmu_raced(g, page, offset + i))
			continue;
		ended |= !all && seen[i] != bytes[i];
		REQUIRE(seen[i] == (ended ? *model : bytes[i]));
		*model = seen[i];
	}
}

static void kernel_write(void)
{
	struct model_guest *g = pick_guest();
	u32 page = model_pick(MODEL_PAGES);
	u64 offset = pick_offset(), len = pick_len();
	int error;

	memset(bytes, (int)model_pick(8), len);
	mmu_race_blind = true;
	error = gmem_write(&g->gmem, model_gpa(page) + offset, bytes, len);
	mmu_race_blind = false;
	if (!model_whole(g, page, offset, len, true)) {
		REQUIRE(error == ERR_FAULT);
		return;
	}
	REQUIRE(!error || error == ERR_NOMEM);
	adopt_written(g, page, offset, len, !error);
	if (!error)
		done();
}

static void kernel_swap(void)
{
	struct model_guest *g = pick_guest();
	u32 page = model_pick(MODEL_PAGES), size = model_pick(2) ? 8 : 4, stale = !model_pick(4);
	u64 offset = ALIGN_DOWN(pick_offset(), size), old = stale, now = 0;
	u64 fresh = model_take() * 0x0101010101010101ull;
	int error;

	memcpy(&now, model_byte(g, page, offset), size);
	old += now;
	error = gmem_swap(&g->gmem, model_gpa(page) + offset, size, old, fresh);
	if (!model_whole(g, page, offset, size, true)) {
		REQUIRE(error == ERR_FAULT);
		return;
	}
	memcpy(&now, model_byte(g, page, offset), size); /* another vCPU may have been there */
	REQUIRE(error == (now == old ? 0 : ERR_AGAIN) || error == ERR_NOMEM);
	if (!error) {
		memcpy(model_byte(g, page, offset), &fresh, size);
		done();
	}
}

static void kernel_word(void)
{
	struct model_guest *g = pick_guest();
	u32 page = model_pick(MODEL_PAGES);
	u64 offset = pick_offset() & ~7ull, word;
	int error = gmem_read_word(&g->gmem, model_gpa(page) + offset, &word);

	REQUIRE(error == (model_whole(g, page, offset, 8, false) ? 0 : ERR_FAULT));
	REQUIRE(error || !memcmp(&word, model_byte(g, page, offset), 8));
	if (!error)
		done();
}

static void kernel_peek(void)
{
	struct model_guest *g = pick_guest();
	u32 page = model_pick(MODEL_PAGES);
	const u8 *at = gmem_peek(&g->gmem, model_gpa(page));

	if (!at)
		return;
	REQUIRE(g->pages[page].kind != MAP_HOLE && !memcmp(at, g->pages[page].bytes, PAGE_SIZE));
	done();
}

/* How many pages from this one on, without a gap. */
static u32 pick_stretch(u32 page)
{
	u32 count = 1 + model_pick(6);

	while (page + count > MODEL_PAGES || model_gpa(page + count - 1) - model_gpa(page) != (count - 1) * PAGE_SIZE)
		count--;
	return count;
}

static void kernel_map(void)
{
	struct model_guest *g = pick_guest();
	u32 page = model_pick(MODEL_PAGES), count = pick_stretch(page), what = model_take();
	enum map_kind kind = what & 3;
	bool file = kind == MAP_FILE || (kind == MAP_ROM && what & 4);
	u64 source = file ? model_file(what / 8 % (MODEL_FILE_PAGES - 5)) : 0;

	if (file && !merge_own_frames(&g->gmem, (hpa_t){ source }, count))
		return; /* its machine would copy */
	for (u32 at = 0; at < count;) {
		s64 part = gmem_map(&g->gmem, model_gpa(page + at), (count - at) * PAGE_SIZE, kind,
				    source ? source + at * PAGE_SIZE : 0);

		if (part < 0) {
			REQUIRE(part == ERR_NOMEM || part == ERR_TOOBIG);
			return;
		}
		REQUIRE(part && !(part & (s64)~PAGE_MASK) && (u64)part <= (count - at) * PAGE_SIZE);
		model_map(g, page + at, (u32)part / PAGE_SIZE, kind, source ? source + at * PAGE_SIZE : 0);
		at += (u32)part / PAGE_SIZE;
	}
	done();
}

static void kernel_discard(void)
{
	struct model_guest *g = pick_guest();
	u32 page = model_pick(MODEL_PAGES), count = pick_stretch(page);
	bool ram = model_whole(g, page, 0, count * PAGE_SIZE, true);

	for (u32 at = 0; at < count;) {
		s64 part = gmem_discard(&g->gmem, model_gpa(page + at), (count - at) * PAGE_SIZE);

		if (part < 0) {
			REQUIRE((part == ERR_FAULT && !ram) || part == ERR_NOMEM);
			return;
		}
		REQUIRE(part && !(part & (s64)~PAGE_MASK) && (u64)part <= (count - at) * PAGE_SIZE);
		for (u64 i = 0; i < (u64)part / PAGE_SIZE; i++)
			memset(g->pages[page + at + i].bytes, 0, PAGE_SIZE);
		at += (u32)((u64)part / PAGE_SIZE);
	}
	REQUIRE(ram);
	done();
}

static void renew(void)
{
	struct model_guest *g = pick_guest();

	if (merge_is_verifying())
		return;
	fake_give_back();
	if (!model_destroy(g))
		return;
	model_create(g);
	done();
}

/* ---- the host ---- */

static void memory_short(void)
{
	fake_give_back();
	fake_leave(MIN(model_pick(6), frame_count(FRAME_FREE)));
	done();
}

static void memory_back(void)
{
	fake_give_back();
	done();
}

#define OPERATION(function, weight) { function, #function, weight }
static const struct {
	void (*run)(void);
	const char *name;
	u32 weight; /* how often it is chosen, against the others */
} operations[] = {
	OPERATION(vcpu_read, 6), OPERATION(vcpu_write, 6), OPERATION(vcpu_fill, 6), OPERATION(vcpu_leave, 2),
	OPERATION(vcpu_race, 3), OPERATION(kernel_read, 2), OPERATION(kernel_write, 2), OPERATION(kernel_swap, 1),
	OPERATION(kernel_word, 1), OPERATION(kernel_peek, 1), OPERATION(kernel_map, 2), OPERATION(kernel_discard, 2),
	OPERATION(renew, 1), OPERATION(memory_short, 1), OPERATION(memory_back, 1), OPERATION(merge_some, 4),
	OPERATION(merge_all, 1), OPERATION(merge_undo, 1), OPERATION(merge_check, 1), OPERATION(compress_some, 3),
	OPERATION(large_fill, 1), OPERATION(large_step, 3), OPERATION(large_all, 1), OPERATION(large_split, 1),
};
_Static_assert(ARRAY_SIZE(operations) <= MODEL_OPERATIONS, "their counts have room");
const u32 operation_count = ARRAY_SIZE(operations);

/* One in the middle of another. */
void operation_nested(void)
{
	void (*const possible[])(void) = { vcpu_write, vcpu_fill, vcpu_read, kernel_write, kernel_map, kernel_discard,
					   renew, memory_short };
	u32 outer = current;

	possible[model_pick(ARRAY_SIZE(possible))]();
	current = outer;
}

u32 operation_weight(u32 number)
{
	return operations[number].weight;
}

const char *operation_name(u32 number)
{
	return operations[number].name;
}

void operation_run(u32 number)
{
	current = number;
	mmu_race_over();
	operations[number].run();
}
