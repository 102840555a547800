/* Proof at run time, while guests run, without stopping any of them.
 *
 * Counters: a guest's leaves are counted in bounded steps.  If none of them changed meanwhile (gmem.changes), the
 * counters must agree, and the ledger's account with what the guest has; if they did, again; the last time the whole
 * guest is counted under its lock.
 *
 * References: the scanner rests, so no leaf begins to map a merged frame: their references only fall.  A frame's are
 * noted before any guest is walked; leaves on it are counted; and afterwards, whatever guests did meanwhile,
 *     references now <= leaves that were seen <= references noted
 * or a reference is leaked or missing.  Leaves on files' frames may begin at any time: they must agree exactly, and a
 * window of frames in which one changed is walked again.
 *
 * Rights, groups, kinds and compressed pages are looked at leaf by leaf under the guest's lock, digests under
 * merge_lock, which keeps a merged frame from becoming a guest's own. */
#include "kernel/merge_verify.h"

#include "kernel/frame.h"
#include "kernel/gmem_compress.h"
#include "kernel/gmem_uniform.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/merge.h"
#include "kernel/merge_walk.h"

#define TRIES 4        /* until a guest is counted under its lock, or a window is left undecided */
#define CELLS 2048     /* that a step looks at ... */
#define CELLS_FOR_DIGEST 64 /* ... a digest counting as so many */

enum phase { COUNT, NOTE, WALK, COMPARE };

/* A frame's cell. */
struct references {
	u32 noted, seen;
};

struct counts {
	u64 own, shared, file, merged, given, compressed;
};

static struct {
	struct merge_walk walk;
	enum phase phase;
	u32 tries;
	u64 cell;          /* where NOTE and COMPARE go on */
	u64 changes;       /* gmem.changes, or gmem_totals.changes, when the count began */
	struct counts counts;
	struct merge_verify result;
} now;

static void violation(u64 gpa, const char *format, ...) printf_like(2, 3);
static void violation(u64 gpa, const char *format, ...)
{
	struct merge_verify *r = &now.result;
	va_list args;

	if (r->what[0])
		return;
	r->guest = now.walk.gmem ? now.walk.guest : 0;
	r->gpa = gpa;
	va_start(args, format);
	fmt_vprint(r->what, sizeof(r->what), format, args);
	va_end(args);
}

/* ---- counters and rights ---- */

static void check_merged(u64 gpa, hpa_t frame)
{
	const struct merge_member *member = now.walk.gmem->member;
	u32 group = merge_note_group(*frame_note(frame));

	now.counts.merged++;
	if (!member)
		violation(gpa, "a merged frame in a guest that does not merge");
	else if (group != member->group)
		violation(gpa, "a frame of share group %u in a guest of group %u", group, member->group);
}

/* A file's frame has its group's number as its note (merge_own_frames). */
static void check_file(u64 gpa, hpa_t frame)
{
	const struct merge_member *member = now.walk.gmem->member;
	u64 group = *frame_note(frame);

	now.counts.file++;
	if (!member || member->group != group)
		violation(gpa, "a file's frame of share group %lu in a guest of group %u", (unsigned long)group,
			  member ? member->group : 0);
}

static void check_leaf(struct merge_walk *w, u64 gpa, u64 entry)
{
	hpa_t frame = gmem_leaf_frame(entry);
	enum frame_kind kind;
	struct counts *c = &now.counts;

	now.result.leaves++;
	if (entry & LEAF_COMPRESSED) {
		c->compressed++;
		if (!gmem_compressed_valid(entry))
			violation(gpa, "a compressed page cannot be decompressed");
		return;
	}
	kind = frame_kind_of(frame);
	if (gmem_leaf_private(frame)) {
		c->own++;
		if (frame_refs(frame) != 1)
			violation(gpa, "a frame of its own has %u references", frame_refs(frame));
		if (gmem_uniform_known(w->gmem, entry) && entry & w->gmem->format->write)
			violation(gpa, "a known page of a uniform share group is writable");
		return;
	}
	c->shared++;
	if (entry & w->gmem->format->write)
		violation(gpa, "a shared frame is writable");
	if (frame.v == gmem_zero_frame.v)
		c->given += entry & LEAF_GIVEN ? 1 : 0;
	else if (kind == FRAME_MERGED)
		check_merged(gpa, frame);
	else if (kind == FRAME_FILE)
		check_file(gpa, frame);
	else
		violation(gpa, "it maps a frame of kind %u", kind);
}

static void check_counter(const char *name, u64 counter, u64 counted)
{
	if (counter != counted)
		violation(0, "%s is %lu, and %lu are mapped", name, (unsigned long)counter, (unsigned long)counted);
}

/* The account changes with m locked only; its tables and its store's frames are as m has counted them. */
static void check_account(const struct gmem *m)
{
	u64 used = __atomic_load_n(&m->account->used, __ATOMIC_RELAXED);

	if (used != now.counts.own + m->tables + m->store.frames)
		violation(0, "the ledger has %lu frames for it; it has %lu own, %lu tables, %lu compressed",
			  (unsigned long)used, (unsigned long)now.counts.own, (unsigned long)m->tables,
			  (unsigned long)m->store.frames);
}

static void check_counters(const struct gmem *m)
{
	const struct counts *c = &now.counts;

	check_counter("its count of own pages", m->private_pages, c->own);
	check_counter("its count of shared pages", m->shared_pages, c->shared);
	check_counter("its count of files' pages", m->file_pages, c->file);
	check_counter("its count of merged pages", m->merged_pages, c->merged);
	check_counter("its count of pages given back", m->given_pages, c->given);
	check_counter("its count of compressed pages", m->store.objects, c->compressed);
	check_account(m);
}

static void begin_count(void)
{
	now.walk.gpa = 0;
	memset(&now.counts, 0, sizeof(now.counts));
	now.changes = __atomic_load_n(&now.walk.gmem->changes, __ATOMIC_RELAXED);
}

/* The guest's leaves once more, under one lock. */
static void count_at_once(struct gmem *m)
{
	spin_lock(&m->lock);
	begin_count();
	while (!merge_walk_locked(&now.walk, check_leaf))
		;
	check_counters(m);
	spin_unlock(&m->lock);
}

/* A step of counting; true when all guests are done. */
static bool count_step(void)
{
	struct gmem *m = now.walk.gmem;

	if (!merge_walk_leaves(&now.walk, check_leaf))
		return false;
	spin_lock(&m->lock);
	if (m->changes == now.changes) {
		check_counters(m);
		now.tries = 0;
	}
	spin_unlock(&m->lock);
	if (m->changes != now.changes && ++now.tries < TRIES)
		return begin_count(), false;
	if (now.tries)
		count_at_once(m);
	now.tries = 0;
	now.result.guests++;
	if (!merge_walk_guest(&now.walk))
		return true;
	begin_count();
	return false;
}

/* ---- references and digests ---- */

static hpa_t frame_of(u64 cell)
{
	return (hpa_t){ now.walk.first.v + cell * PAGE_SIZE };
}

static struct references *references_of(hpa_t frame)
{
	return (struct references *)merge_walk_cell(&now.walk, frame);
}

/* A merged frame of whatever guest. */
static void note_merged(hpa_t frame, struct references *r)
{
	u64 note = 0, digest = 0;

	spin_lock(&merge_lock);
	if (frame_kind_of(frame) == FRAME_MERGED) {
		r->noted = frame_refs(frame);
		note = *frame_note(frame);
		digest = merge_digest(hpa_pointer(frame), merge_note_group(note));
	}
	spin_unlock(&merge_lock);
	now.result.frames++;
	if (r->noted && merge_note(digest, merge_note_group(note)) != note)
		violation(0, "frame %lx: its content is not what its digest says", (unsigned long)frame.v);
}

/* True when the window's frames are noted. */
static bool note_step(void)
{
	u32 room = CELLS;

	for (; room && now.cell < now.walk.count; now.cell++) {
		hpa_t frame = frame_of(now.cell);
		struct references *r = references_of(frame);

		room -= MIN(room, frame_kind_of(frame) == FRAME_MERGED ? CELLS_FOR_DIGEST : 1);
		if (frame_kind_of(frame) == FRAME_MERGED)
			note_merged(frame, r);
		else if (frame_kind_of(frame) == FRAME_FILE)
			r->noted = frame_refs(frame) - 1; /* the file's own */
	}
	return now.cell == now.walk.count;
}

static void see_leaf(struct merge_walk *w, u64 gpa, u64 entry)
{
	struct references *r;
	enum frame_kind kind;

	if (entry & LEAF_COMPRESSED)
		return;
	r = references_of(gmem_leaf_frame(entry));
	kind = frame_kind_of(gmem_leaf_frame(entry));
	if (!r || (kind != FRAME_MERGED && kind != FRAME_FILE))
		return;
	r->seen++;
	if (kind == FRAME_MERGED && r->seen > r->noted)
		violation(gpa, "its frame has %u references, and %u leaves and more map it", r->noted, r->seen);
}

static void compare(hpa_t frame, const struct references *r, bool files_still)
{
	u32 refs = frame_refs(frame);

	if (frame_kind_of(frame) == FRAME_MERGED && refs > r->seen)
		violation(0, "frame %lx has %u references, and %u leaves map it", (unsigned long)frame.v, refs, r->seen);
	if (frame_kind_of(frame) == FRAME_FILE && files_still && r->noted != r->seen)
		violation(0, "a file's frame %lx has %u users, and %u leaves map it", (unsigned long)frame.v, r->noted,
			  r->seen);
}

/* True when the window is compared. */
static bool compare_step(bool files_still)
{
	for (u32 room = CELLS; room && now.cell < now.walk.count; room--, now.cell++)
		compare(frame_of(now.cell), references_of(frame_of(now.cell)), files_still);
	return now.cell == now.walk.count;
}

static void begin_window(void)
{
	now.phase = NOTE;
	now.cell = 0;
	now.changes = __atomic_load_n(&gmem_totals.file_changes, __ATOMIC_SEQ_CST);
}

/* The walk of a window has ended: is it to be done again, because files' leaves changed? */
static bool window_again(void)
{
	if (gmem_totals.file_changes == now.changes || ++now.tries >= TRIES)
		return false;
	memset(now.walk.cells, 0, now.walk.count * sizeof(u64));
	begin_window();
	return true;
}

/* True when the last window is done. */
static bool references_step(void)
{
	switch (now.phase) {
	case NOTE:
		if (!note_step())
			break;
		now.phase = merge_walk_guest(&now.walk) ? WALK : COMPARE;
		now.cell = 0;
		break;
	case WALK:
		if (!merge_walk_leaves(&now.walk, see_leaf) || merge_walk_guest(&now.walk) || window_again())
			break;
		now.phase = COMPARE;
		break;
	default:
		if (!compare_step(now.tries < TRIES))
			break;
		now.result.undecided += now.tries < TRIES ? 0 : 1;
		now.tries = 0;
		if (!merge_walk_window(&now.walk))
			return true;
		begin_window();
	}
	return false;
}

/* ---- the whole ---- */

static int begin(void)
{
	static const u8 zeroes[PAGE_SIZE];
	int error;

	merge_verify_abandon();
	memset(&now, 0, sizeof(now));
	error = merge_walk_begin(&now.walk);
	if (error)
		return error;
	merge_hold_scanner();
	if (memcmp(hpa_pointer(gmem_zero_frame), zeroes, PAGE_SIZE))
		violation(0, "the zero frame is not zeroes");
	if (merge_walk_guest(&now.walk))
		begin_count();
	else
		begin_window();
	return 1;
}

int merge_verify_step(bool fresh, const struct merge_verify **result)
{
	bool ended = false;

	*result = &now.result;
	if (fresh || !now.walk.cells)
		return begin();
	if (now.phase != COUNT)
		ended = references_step();
	else if (count_step())
		begin_window();
	if (!ended && !now.result.what[0])
		return 1;
	merge_verify_abandon();
	return 0;
}

void merge_verify_abandon(void)
{
	if (now.walk.cells)
		merge_release_scanner();
	merge_walk_end(&now.walk);
}
