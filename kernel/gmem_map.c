/* Guest memory by ranges: mapping, giving back, taking it all apart; in bounded steps, each with few flushes. */
#include "kernel/frame.h"
#include "kernel/gmem_compress.h"
#include "kernel/gmem_leaf.h"
#include "kernel/gmem_region.h"
#include "kernel/lib/string.h"

#define STEP_PAGES 512 /* leaves that one step takes away */
#define BATCH 64       /* of them, between two flushes */

/* What an entry that is not present held goes; nobody reached it. */
static void zap_absent(struct gmem *m, u64 *entry, u64 left)
{
	if (*entry & LEAF_COMPRESSED)
		gmem_compressed_put(m, *entry);
	if (*entry != left)
		*entry = left;
}

/* Takes the leaves of [base, end) away, in batches: clear, flush, put.  m locked.  left: what a page's entry
 * becomes; not 0 only where there are tables down to the pages. */
static void zap(struct gmem *m, u64 base, u64 end, u64 left)
{
	u64 batch[BATCH];

	while (base < end) {
		u32 n = 0;

		while (base < end && n < BATCH) {
			u32 level;
			u64 *entry = table_find(m->format, m->root, base, &level);

			if (level && *entry & m->format->present) {
				gmem_leaf_split(m, base);
				continue;
			}
			if (*entry & m->format->present)
				batch[n++] = __atomic_exchange_n(entry, left, __ATOMIC_ACQ_REL);
			else
				zap_absent(m, entry, left);
			base = ALIGN_DOWN(base, table_span(level)) + table_span(level);
		}
		if (!n)
			continue;
		m->shootdown(m);
		while (n)
			gmem_leaf_put(m, batch[--n]);
	}
}

static const struct gmem_region *region_from(const struct gmem *m, u64 gpa)
{
	for (u32 i = 0; i < m->region_count; i++)
		if (gpa < m->regions[i].base + m->regions[i].len)
			return &m->regions[i];
	return NULL;
}

bool gmem_leaf_run(struct gmem *m, u64 *gpa, struct leaf_run *run)
{
	const struct gmem_region *r = region_from(m, *gpa);
	u32 level;
	u64 end;

	if (!r)
		return false;
	run->gpa = MAX(*gpa, r->base);
	run->entries = table_find(m->format, m->root, run->gpa, &level);
	run->large = level && *run->entries & m->format->present ? run->entries : NULL;
	end = ALIGN_DOWN(run->gpa, table_span(level)) + table_span(level);
	if (!level)
		end = MIN(ALIGN_DOWN(run->gpa, table_span(1)) + table_span(1), r->base + r->len);
	run->count = level ? 0 : (u32)((end - run->gpa) >> PAGE_SHIFT);
	*gpa = MIN(end, r->base + r->len);
	return true;
}

/* The part of [gpa, end), at least a page, that holds no more leaves than one step may take away. */
static u64 step_end(struct gmem *m, u64 gpa, u64 end)
{
	for (u32 looked = 0; gpa < end && looked < STEP_PAGES; looked++) {
		u32 level;

		if (*table_find(m->format, m->root, gpa, &level) & m->format->present)
			level = 0; /* a large leaf's pages are taken away one by one */
		gpa = ALIGN_DOWN(gpa, table_span(level)) + table_span(level);
	}
	return MIN(gpa, end);
}

s64 gmem_map(struct gmem *m, u64 gpa, u64 len, enum map_kind kind, u64 source)
{
	u64 end;
	int error;

	if ((gpa | len) & ~PAGE_MASK || !len || gpa >= GMEM_TOP || len > GMEM_TOP - gpa)
		return ERR_INVAL;
	spin_lock(&m->lock);
	error = gmem_region_check(m, gpa, len, kind, source);
	end = step_end(m, gpa, gpa + len);
	if (!error)
		error = gmem_region_set(m, gpa, end - gpa, kind, source);
	if (!error)
		zap(m, gpa, end, 0);
	spin_unlock(&m->lock);
	return error ? error : (s64)(end - gpa);
}

/* A page that is no file's is zeroes when it is untouched; the others' entries must say so, in tables. */
static int make_tables(struct gmem *m, u64 gpa, u64 end)
{
	for (; gpa < end; gpa = ALIGN_DOWN(gpa, table_span(1)) + table_span(1))
		if (!gmem_leaf_entry(m, gpa, LEDGER_WRITE))
			return ERR_NOMEM;
	return 0;
}

s64 gmem_discard(struct gmem *m, u64 gpa, u64 len)
{
	const struct gmem_region *r;
	int error = 0;
	u64 end = 0;

	if ((gpa | len) & ~PAGE_MASK || !len || gpa >= GMEM_TOP || len > GMEM_TOP - gpa)
		return ERR_INVAL;
	spin_lock(&m->lock);
	r = gmem_region_find(m, gpa);
	if (!r || r->kind == MAP_ROM)
		error = ERR_FAULT;
	else
		end = MIN(gpa + len, r->base + r->len);
	if (!error && r->source) {
		end = MIN(end, gpa + STEP_PAGES * PAGE_SIZE);
		error = make_tables(m, gpa, end);
	}
	if (!error) {
		end = step_end(m, gpa, end);
		zap(m, gpa, end, r->source ? LEAF_ZERO : 0);
	}
	spin_unlock(&m->lock);
	return error ? error : (s64)(end - gpa);
}

/* Clears up to STEP_PAGES leaves of one region from m->fini_at on. */
bool gmem_fini_step(struct gmem *m)
{
	struct gmem_region *r;
	u64 end;

	if (!m->root.v)
		return true;
	if (__atomic_load_n(&m->held, __ATOMIC_SEQ_CST))
		return false;
	spin_lock(&m->lock);
	r = m->region_count ? &m->regions[m->region_count - 1] : NULL;
	if (r) {
		m->fini_at = MAX(m->fini_at, r->base);
		end = MIN(r->base + r->len, m->fini_at + STEP_PAGES * PAGE_SIZE);
		zap(m, m->fini_at, end, 0);
		m->fini_at = end;
		if (end == r->base + r->len) {
			m->region_count--;
			m->fini_at = 0;
		}
	}
	spin_unlock(&m->lock);
	if (r)
		return false;
	ledger_put(m->account, m->tables);
	table_free(m->format, m->root, 0);
	memset(m, 0, sizeof(*m));
	return true;
}
