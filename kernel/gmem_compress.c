/* Pages to compressed ones and back, by the rules of gmem_compress.h. */
#include "kernel/gmem_compress.h"

#include "kernel/frame.h"
#include "kernel/gmem_leaf.h"
#include "kernel/lib/string.h"
#include "kernel/lz4.h"
#include "kernel/panic.h"

#define LEAVES 4096 /* that a step looks at, at most ... */
#define BATCH 16    /* ... until it has so many pages to compress */

struct gmem_compress_counts gmem_compress_counts;

/* Leaves that a step has taken away. */
struct batch {
	struct {
		u64 *entry, old;
	} pages[BATCH];
	u32 count;
	bool flush;
};

/* The compressor's, which is one thread. */
static u8 packed[ZSTORE_MOST];
static u64 work[LZ4_WORK_SIZE / sizeof(u64)];

static void count(u64 *counter, s64 by)
{
	__atomic_add_fetch(counter, (u64)by, __ATOMIC_RELAXED);
}

static bool is_dense(const struct gmem *m, u64 leaf)
{
	return (leaf & (LEAF_DENSE | gmem_leaf_dirt(m))) == LEAF_DENSE;
}

static bool is_cold(const struct gmem *m, u64 leaf, struct gmem_compress_how how)
{
	if (how.known_only && m->member && !gmem_leaf_clean(m, leaf))
		return false;
	return !is_dense(m, leaf) && (how.at_rest || (m->format->accessed && !(leaf & m->format->accessed)));
}

/* A leaf that is present.  m locked. */
static void visit(struct gmem *m, u64 *entry, struct gmem_compress_how how, struct batch *b)
{
	u64 leaf = *entry;

	if (!gmem_leaf_private(gmem_leaf_frame(leaf)))
		return;
	if (leaf & m->format->accessed && !how.at_rest) {
		__atomic_or_fetch(entry, LEAF_USED, __ATOMIC_RELAXED);
		__atomic_and_fetch(entry, ~m->format->accessed, __ATOMIC_ACQ_REL);
		b->flush = true;
	} else if (!how.look && is_cold(m, leaf, how)) {
		b->pages[b->count].entry = entry;
		b->pages[b->count++].old = __atomic_exchange_n(entry, 0, __ATOMIC_ACQ_REL);
		b->flush = true;
	}
}

/* Leaves of a run while there is room; returns how many it dealt with. */
static u32 visit_run(struct gmem *m, const struct leaf_run *run, struct gmem_compress_how how, u32 room,
		     struct batch *b)
{
	u32 i = 0;

	for (; i < run->count && i < room && b->count < BATCH; i++)
		if (run->entries[i] & m->format->present)
			visit(m, &run->entries[i], how, b);
	return i;
}

/* True at the end of m's memory. */
static bool visit_leaves(struct gmem *m, struct gmem_compress_how how, struct batch *b)
{
	struct leaf_run run;
	u32 room = LEAVES;

	while (room && b->count < BATCH) {
		u64 next = m->compress_at;
		u32 done = 8; /* where there is no table */

		if (!gmem_leaf_run(m, &next, &run)) {
			m->compress_at = 0;
			return true;
		}
		if (run.count)
			done = visit_run(m, &run, how, room, b);
		if (!run.count && run.large && how.split) {
			gmem_leaf_split(m, run.gpa);
			next = run.gpa;
		}
		if (done < run.count)
			next = run.gpa + done * PAGE_SIZE;
		room -= MIN(done, room);
		m->compress_at = next;
	}
	return false;
}

/* The page stays as it was, and is left alone until it is written to. */
static void refuse(struct gmem *m, u64 *entry, u64 old)
{
	u64 leaf = old & ~(m->format->accessed | gmem_leaf_dirt(m));

	if (!gmem_leaf_clean(m, old))
		leaf &= ~LEAF_HASHED; /* it was written since the merger looked */
	__atomic_store_n(entry, leaf | LEAF_DENSE, __ATOMIC_RELEASE);
	count(&gmem_compress_counts.refused, 1);
}

/* A page that nobody reaches any more.  m locked. */
static void put_away(struct gmem *m, u64 *entry, u64 old)
{
	hpa_t frame = gmem_leaf_frame(old), at;
	u32 len = lz4_pack(hpa_pointer(frame), packed, sizeof(packed), work);
	bool taken;

	if (!len) {
		refuse(m, entry, old);
		return;
	}
	at = zstore_put(&m->store, packed, len, frame, &taken);
	__atomic_store_n(entry, gmem_leaf_compressed(at), __ATOMIC_RELEASE);
	m->changes++;
	m->compressions++;
	m->private_pages--;
	count(&gmem_compress_counts.pages, 1);
	count(&gmem_compress_counts.compressed, 1);
	if (taken)
		return; /* it is still m's */
	ledger_put(m->account, 1);
	frame_put(frame);
}

bool gmem_compress(struct gmem *m, struct gmem_compress_how how)
{
	struct batch b = { .count = 0 };
	bool end;

	if (m->uniform)
		return true; /* who reads a page could tell that it was nobody else's */
	spin_lock(&m->lock);
	end = visit_leaves(m, how, &b);
	if (b.flush)
		m->shootdown(m);
	for (u32 i = 0; i < b.count; i++)
		put_away(m, b.pages[i].entry, b.pages[i].old);
	spin_unlock(&m->lock);
	return end;
}

/* ---- and back ---- */

static bool unpack(u64 entry, void *page)
{
	u32 len;
	const void *bytes = zstore_get(gmem_leaf_object(entry), &len);

	return lz4_unpack(bytes, len, page);
}

void gmem_decompress(u64 entry, void *page)
{
	if (!unpack(entry, page))
		panic("a compressed page cannot be decompressed: %lx", (unsigned long)gmem_leaf_object(entry).v);
}

/* One page for whoever looks into one: guests wait for each other here only when memory is short, or in checks. */
static struct {
	struct spinlock lock;
	u8 page[PAGE_SIZE]; /* z */
} window = { .lock = SPINLOCK(LOCK_ZPAGE) };

void gmem_decompress_part(u64 entry, u64 offset, void *to, u64 len)
{
	spin_lock(&window.lock);
	gmem_decompress(entry, window.page);
	memcpy(to, window.page + offset, len);
	spin_unlock(&window.lock);
}

bool gmem_compressed_valid(u64 entry)
{
	bool valid;

	if (!zstore_holds(gmem_leaf_object(entry)))
		return false;
	spin_lock(&window.lock);
	valid = unpack(entry, window.page);
	spin_unlock(&window.lock);
	return valid;
}

void gmem_compressed_put(struct gmem *m, u64 entry)
{
	m->changes++;
	count(&gmem_compress_counts.pages, -1);
	if (zstore_drop(&m->store, gmem_leaf_object(entry)))
		ledger_put(m->account, 1);
}
