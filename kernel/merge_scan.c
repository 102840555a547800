/* A step of the scanner.  Leaves that are clean are passed over; dirty ones are made clean and have until the next
 * pass to stay so; quiet ones are hashed and looked up, and what has an equal is merged (merge_replace.c). */
#include "arch/x86_64/cpu.h"
#include "kernel/frame.h"
#include "kernel/gmem_uniform.h"
#include "kernel/lib/digest.h"
#include "kernel/merge_batch.h"

#define LEAVES 4096         /* that a step looks at ... */
#define LEAVES_FOR_HASH 128 /* ... a hash counting as so many */
#define LARGE_PASSES 16     /* a large leaf that is written all the time is split once in so many passes */

struct merge_counts merge_counts;

static struct merge_batch batch; /* the scanner's */
static u64 digest_seed, zero_digest;
static u64 afresh_until; /* a: passes; before that all large leaves that are written are split */

void merge_seed(u64 seed)
{
	digest_seed = seed;
	zero_digest = digest_page(hpa_pointer(gmem_zero_frame), seed);
}

/* Groups have different digests for the same content, so that they do not meet in the index. */
static u64 in_group(u64 digest, u32 group)
{
	return digest ^ group * 0x9e3779b97f4a7c15ull;
}

u64 merge_digest(const void *page, u32 group)
{
	return in_group(digest_page(page, digest_seed), group);
}

u64 *merge_page(struct gmem *m, u64 gpa)
{
	u32 level;
	u64 *entry = table_find(m->format, m->root, gpa, &level);

	return level || !(*entry & m->format->present) ? NULL : entry;
}

u64 merge_leaf(struct gmem *m, u64 gpa)
{
	u32 level;
	u64 entry = __atomic_load_n(table_find(m->format, m->root, gpa, &level), __ATOMIC_RELAXED);

	return entry & m->format->present ? entry : 0;
}

/* Hashes a page that was quiet for a whole pass; has it an equal?  m locked. */
static inline bool learn(struct merge_member *member, struct merge_found *f, u64 *entry)
{
	u64 digest = digest_page(hpa_pointer(f->frame), digest_seed);
	bool found = digest == zero_digest;

	f->digest = in_group(digest, member->group);
	merge_counts.hashed++;
	__atomic_or_fetch(entry, LEAF_HASHED, __ATOMIC_RELAXED);
	if (found) {
		f->target = gmem_zero_frame;
	} else {
		spin_lock(&merge_lock);
		found = merge_look_up(member, f);
		spin_unlock(&merge_lock);
	}
	return found;
}

/* In a uniform group what is known is write-protected: it is hashed after the flush.  m locked. */
static void visit_quiet(struct merge_member *member, u64 gpa, u64 *entry, bool *flush)
{
	struct merge_found *f = &batch.found[batch.count];

	*f = (struct merge_found){ .gpa = gpa, .frame = gmem_leaf_frame(*entry) };
	if (!member->uniform) {
		batch.count += learn(member, f, entry);
		return;
	}
	batch.count++;
	if (*entry & member->gmem->format->write) {
		__atomic_and_fetch(entry, ~member->gmem->format->write, __ATOMIC_ACQ_REL);
		*flush = true;
	}
}

/* The batch of a uniform group, protected and flushed: what has an equal stays in it.  m locked. */
static void learn_protected(struct merge_member *member)
{
	u32 count = batch.count;

	batch.count = 0;
	for (u32 i = 0; i < count; i++) {
		struct merge_found f = batch.found[i];
		u64 *entry = merge_page(member->gmem, f.gpa);

		if (*entry & gmem_leaf_dirt(member->gmem))
			gmem_leaf_open(entry, member->gmem->format->write); /* it was written until the flush */
		else if (learn(member, &f, entry))
			batch.found[batch.count++] = f;
	}
}

/* One leaf that is present and not clean; what it cost, in leaves.  m locked. */
static u32 visit(struct merge_member *member, u64 gpa, u64 *entry, bool *flush)
{
	u64 dirt = gmem_leaf_dirt(member->gmem), leaf = *entry;

	if (!gmem_leaf_private(gmem_leaf_frame(leaf))) {
		__atomic_or_fetch(entry, LEAF_HASHED, __ATOMIC_RELAXED); /* nothing to be won here */
		member->settled++;
		return 1;
	}
	if (leaf & dirt) {
		__atomic_and_fetch(entry, ~(dirt | LEAF_HASHED | LEAF_DENSE), __ATOMIC_ACQ_REL);
		member->dirty++;
		*flush = true;
		return 2;
	}
	member->settled++;
	visit_quiet(member, gpa, entry, flush);
	return LEAVES_FOR_HASH;
}

/* How many leaves in a row are known and clean: most are, in most passes. */
static u32 count_known(const u64 *entries, u32 count, u64 dirt)
{
	u32 n = 0;

	while (n < count && (entries[n] & (LEAF_HASHED | dirt)) == LEAF_HASHED)
		n++;
	return n;
}

/* Leaves of a run while there is room; returns how many it dealt with. */
static u32 visit_run(struct merge_member *member, const struct leaf_run *run, u32 *room, bool *flush)
{
	u64 dirt = gmem_leaf_dirt(member->gmem), present = member->gmem->format->present, scanned = 0, skipped = 0;
	u32 i = 0;

	while (i < run->count && *room && batch.count < MERGE_BATCH) {
		u32 known = count_known(&run->entries[i], MIN(run->count - i, *room), dirt), cost = known;

		skipped += known;
		i += known;
		if (!known) {
			bool there = run->entries[i] & present;

			scanned += there;
			cost = there ? visit(member, run->gpa + i * PAGE_SIZE, &run->entries[i], flush) : 1;
			i++;
		}
		*room -= MIN(cost, *room);
	}
	member->settled += skipped;
	merge_counts.scanned += scanned + skipped;
	merge_counts.skipped += skipped;
	return i;
}

/* Whatever the guest did while nothing was merged is in the rest of this pass and in the next one. */
void merge_scan_afresh(void)
{
	__atomic_store_n(&afresh_until, merge_counts.passes + 2, __ATOMIC_RELAXED);
}

/* Is a large leaf that was written to be split all the same?  One bit says of 512 pages that some were: most may have
 * been quiet for long.  What is busy all through becomes large again (collapse.h). */
static bool is_its_turn(u64 gpa)
{
	u64 passes = merge_counts.passes;

	return passes < __atomic_load_n(&afresh_until, __ATOMIC_RELAXED) ||
	       (gpa / table_span(1) + passes) % LARGE_PASSES == LARGE_PASSES - 1;
}

/* A large leaf: what it cost, in leaves.  One that was quiet for a pass, or has its turn, is split, and its pages are
 * looked at next; one that is known all through was not written (that would have split it).  m locked. */
static u32 visit_large(struct merge_member *member, const struct leaf_run *run, u64 *next, bool *flush)
{
	struct gmem *m = member->gmem;
	u64 dirt = gmem_leaf_dirt(m), pages = (*next - run->gpa) >> PAGE_SHIFT;

	if (gmem_leaf_clean(m, *run->large)) {
		member->settled += pages;
		merge_counts.skipped += pages;
	} else if (*run->large & dirt && !is_its_turn(run->gpa)) {
		__atomic_and_fetch(run->large, ~dirt, __ATOMIC_ACQ_REL);
		member->dirty += pages;
		*flush = true;
	} else {
		gmem_leaf_split(m, run->gpa);
		*next = run->gpa;
		return LEAVES_FOR_HASH;
	}
	merge_counts.scanned += pages;
	return 8;
}

/* True at the end of the guest's memory. */
static bool visit_leaves(struct merge_member *member)
{
	struct gmem *m = member->gmem;
	u32 room = LEAVES;
	bool flush = false, end = false;
	struct leaf_run run;

	batch.count = 0;
	spin_lock(&m->lock);
	while (room && batch.count < MERGE_BATCH && !end) {
		u64 next = member->cursor;

		end = !gmem_leaf_run(m, &next, &run);
		if (end)
			break;
		if (run.count) {
			u32 done = visit_run(member, &run, &room, &flush);

			if (done < run.count)
				next = run.gpa + done * PAGE_SIZE;
		} else if (run.large) {
			u32 cost = visit_large(member, &run, &next, &flush);

			room -= MIN(cost, room);
		} else {
			room -= MIN(8, room);
		}
		member->cursor = next;
	}
	if (flush)
		m->shootdown(m);
	if (member->uniform)
		learn_protected(member);
	spin_unlock(&m->lock);
	return end;
}

/* The figures of a pass are shown when it is whole; those of the first one as it goes on. */
static void end_pass(struct merge_member *member, bool end)
{
	u64 shared = member->gmem->shared_pages;

	if (end || !member->whole) {
		member->pages_unshared = member->settled - MIN(member->settled, shared);
		member->pages_volatile = member->dirty;
	}
	if (!end)
		return;
	member->whole = true;
	member->settled = member->dirty = 0;
	member->cursor = 0;
}

bool merge_scan(struct merge_member *member)
{
	bool end = visit_leaves(member);

	cpu_interrupt_window();
	if (batch.count)
		merge_replace(member, &batch);
	end_pass(member, end);
	return end;
}

/* A page of the guest's own that is write-protected as if it were merged. */
static bool is_kept(const struct gmem *m, u64 leaf)
{
	return gmem_uniform_known(m, leaf) && gmem_leaf_private(gmem_leaf_frame(leaf));
}

int merge_unmerge(struct merge_member *member)
{
	struct gmem *m = member->gmem;
	struct leaf_run run;
	u64 next = member->cursor;
	int error = 0;
	bool more;

	spin_lock(&m->lock);
	more = gmem_leaf_run(m, &next, &run);
	for (u32 i = 0, own = 0; more && !error && i < run.count; i++) {
		u64 leaf = run.entries[i], gpa = run.gpa + i * PAGE_SIZE;

		if (!(leaf & m->format->present) || !(gmem_leaf_is_merged(leaf) || is_kept(m, leaf)))
			continue;
		error = gmem_leaf_touch(m, gpa, true, LEDGER_FAULT);
		if (++own < MERGE_BATCH)
			continue;
		next = gpa + PAGE_SIZE;
		break;
	}
	spin_unlock(&m->lock);
	member->cursor = more && !error ? next : 0;
	return error ? error : !more;
}
