/* Guest memory: faults, copies, and taking it apart. */
#include "kernel/gmem.h"

#include "kernel/frame.h"
#include "kernel/gmem_region.h"
#include "kernel/lib/string.h"

#define STEP_PAGES 512 /* leaves that one step of gmem_map or gmem_fini_step takes away */
#define BATCH 64        /* of them, between two flushes */

static hpa_t zero_frame;

int gmem_start(void)
{
	zero_frame = frame_alloc_zero(0, FRAME_KERNEL);
	return zero_frame.v ? 0 : ERR_NOMEM;
}

int gmem_init(struct gmem *m, const struct table_format *format, u64 limit, void (*shootdown)(struct gmem *m))
{
	memset(m, 0, sizeof(*m));
	m->lock.class = LOCK_GMEM;
	m->format = format;
	m->limit = limit;
	m->shootdown = shootdown;
	m->root = frame_alloc_zero(0, FRAME_TABLE);
	m->tables = m->root.v ? 1 : 0;
	/* one of each level for each region's two ends, and what is between them */
	m->tables_max = 1 + GMEM_REGIONS * 2 * 3 + limit / table_span(1) + limit / table_span(2);
	return m->root.v ? 0 : ERR_NOMEM;
}

static bool is_private(hpa_t frame)
{
	return frame.v != zero_frame.v && frame_kind_of(frame) == FRAME_GUEST;
}

/* Drops a leaf's frame; the flush was done. */
static void put_leaf(struct gmem *m, u64 entry)
{
	hpa_t frame = { entry & TABLE_ADDRESS };

	if (is_private(frame))
		m->private_pages--;
	else
		m->shared_pages--;
	if (frame.v != zero_frame.v)
		frame_put(frame);
}

static u64 page_perms(const struct gmem_region *r, bool write)
{
	return PERM_READ | PERM_EXEC | (write && r->kind != MAP_ROM ? PERM_WRITE : 0);
}

/* The frame that an untouched page begins as, when it is only read. */
static hpa_t initial_frame(const struct gmem_region *r, u64 page)
{
	hpa_t frame = zero_frame;

	if (r->source) {
		frame.v = r->source + (page - r->base);
		frame_get(frame);
	}
	return frame;
}

/* A frame of the guest's own with the content of from, or zeroes. */
static hpa_t private_frame(hpa_t from)
{
	hpa_t frame = frame_alloc(0, FRAME_GUEST);

	if (!frame.v)
		return frame;
	if (from.v && from.v != zero_frame.v)
		memcpy(hpa_pointer(frame), hpa_pointer(from), PAGE_SIZE);
	else
		memset(hpa_pointer(frame), 0, PAGE_SIZE);
	return frame;
}

/* First touch.  m locked. */
static int populate(struct gmem *m, const struct gmem_region *r, u64 page, u64 *entry, bool write)
{
	hpa_t frame;

	if (write) {
		frame = private_frame((hpa_t){ r->source ? r->source + (page - r->base) : 0 });
		if (!frame.v)
			return ERR_NOMEM;
		m->private_pages++;
	} else {
		frame = initial_frame(r, page);
		m->shared_pages++;
	}
	__atomic_store_n(entry, table_leaf(m->format, frame, 0, (u32)page_perms(r, write)), __ATOMIC_RELEASE);
	return 0;
}

/* A write to a page that is mapped read only: take the frame over, or leave it for a copy.  m locked. */
static int unshare(struct gmem *m, const struct gmem_region *r, u64 *entry)
{
	u64 old = *entry;
	hpa_t from = { old & TABLE_ADDRESS }, frame;

	if (is_private(from) && frame_refs(from) == 1) {
		__atomic_store_n(entry, old | m->format->write, __ATOMIC_RELEASE);
		return 0;
	}
	frame = private_frame(from);
	if (!frame.v)
		return ERR_NOMEM;
	m->private_pages++;
	__atomic_store_n(entry, table_leaf(m->format, frame, 0, (u32)page_perms(r, true)), __ATOMIC_RELEASE);
	m->shootdown(m);
	put_leaf(m, old);
	return 0;
}

/* The entry of a page, with the tables above it; NULL without memory. */
static u64 *leaf_entry(struct gmem *m, u64 page)
{
	u32 missing;
	u64 *entry = table_find(m->format, m->root, page, &missing);

	if (!missing)
		return entry;
	return m->tables + missing <= m->tables_max ? table_make(m->format, m->root, page, 0, &m->tables) : NULL;
}

/* Makes the page of gpa present (and writable); m locked. */
static int touch(struct gmem *m, u64 gpa, bool write)
{
	u64 page = gpa & PAGE_MASK, *entry;
	const struct gmem_region *r = gmem_region_find(m, page);

	if (!r || (write && r->kind == MAP_ROM))
		return ERR_FAULT;
	entry = leaf_entry(m, page);
	if (!entry)
		return ERR_NOMEM;
	if (!(*entry & m->format->present))
		return populate(m, r, page, entry, write);
	if (write && !(*entry & m->format->write))
		return unshare(m, r, entry);
	return 0;
}

int gmem_fault(struct gmem *m, u64 gpa, bool write)
{
	int error;

	spin_lock(&m->lock);
	error = touch(m, gpa, write);
	spin_unlock(&m->lock);
	return error;
}

const u8 *gmem_peek(struct gmem *m, u64 gpa)
{
	u32 level;
	u64 entry = *table_find(m->format, m->root, gpa, &level);

	if (!(entry & m->format->present))
		return NULL;
	return (const u8 *)hpa_pointer((hpa_t){ entry & TABLE_ADDRESS }) + gpa % PAGE_SIZE;
}

/* What the bytes at gpa are for a reader, present or not; NULL outside of memory.  m locked. */
static const u8 *view(struct gmem *m, u64 gpa)
{
	const u8 *at = gmem_peek(m, gpa);
	const struct gmem_region *r;

	if (at)
		return at;
	r = gmem_region_find(m, gpa);
	if (!r)
		return NULL;
	at = hpa_pointer(r->source ? (hpa_t){ r->source + (gpa - r->base) } : zero_frame);
	return r->source ? at : at + gpa % PAGE_SIZE;
}

static u64 part_of(u64 gpa, u64 len)
{
	return MIN(len, PAGE_SIZE - gpa % PAGE_SIZE);
}

int gmem_read(struct gmem *m, u64 gpa, void *to, u64 len)
{
	u8 *out = to;

	while (len) {
		u64 part = part_of(gpa, len);
		const u8 *from;

		spin_lock(&m->lock);
		from = gpa < GMEM_TOP ? view(m, gpa) : NULL;
		if (from)
			memcpy(out, from, part);
		spin_unlock(&m->lock);
		if (!from)
			return ERR_FAULT;
		out += part, gpa += part, len -= part;
	}
	return 0;
}

int gmem_read_word(struct gmem *m, u64 gpa, u64 *word)
{
	const u8 *from;

	spin_lock(&m->lock);
	from = gpa < GMEM_TOP ? view(m, gpa & ~7ull) : NULL;
	if (from)
		*word = *(const u64 *)from;
	spin_unlock(&m->lock);
	return from ? 0 : ERR_FAULT;
}

int gmem_write(struct gmem *m, u64 gpa, const void *from, u64 len)
{
	const u8 *in = from;

	if (gpa >= GMEM_TOP || len > GMEM_TOP - gpa || !gmem_region_writable(m, gpa, len))
		return ERR_FAULT;
	while (len) {
		u64 part = part_of(gpa, len);
		int error;

		spin_lock(&m->lock);
		error = touch(m, gpa, true);
		if (!error)
			memcpy((u8 *)gmem_peek(m, gpa), in, part);
		spin_unlock(&m->lock);
		if (error)
			return error;
		in += part, gpa += part, len -= part;
	}
	return 0;
}

static bool swap(u8 *at, u32 size, u64 old, u64 fresh)
{
	u32 old_half = (u32)old;

	if (size == 8)
		return __atomic_compare_exchange_n((u64 *)at, &old, fresh, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return __atomic_compare_exchange_n((u32 *)at, &old_half, (u32)fresh, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

int gmem_swap(struct gmem *m, u64 gpa, u32 size, u64 old, u64 fresh)
{
	int error;

	if (gpa >= GMEM_TOP || gpa & (size - 1))
		return ERR_FAULT;
	spin_lock(&m->lock);
	error = touch(m, gpa, true);
	if (!error && !swap((u8 *)gmem_peek(m, gpa), size, old, fresh))
		error = ERR_AGAIN;
	spin_unlock(&m->lock);
	return error;
}

/* Takes the leaves of [base, end) away, in batches: clear, flush, put.  m locked. */
static void zap(struct gmem *m, u64 base, u64 end)
{
	u64 batch[BATCH];

	while (base < end) {
		u32 n = 0;

		while (base < end && n < BATCH) {
			u32 level;
			u64 *entry = table_find(m->format, m->root, base, &level);

			if (*entry & m->format->present)
				batch[n++] = __atomic_exchange_n(entry, 0, __ATOMIC_ACQ_REL);
			base = ALIGN_DOWN(base, table_span(level)) + table_span(level);
		}
		if (!n)
			continue;
		m->shootdown(m);
		while (n)
			put_leaf(m, batch[--n]);
	}
}

/* The part of [gpa, end), at least a page, that holds no more leaves than one step may take away. */
static u64 step_end(struct gmem *m, u64 gpa, u64 end)
{
	for (u32 looked = 0; gpa < end && looked < STEP_PAGES; looked++) {
		u32 level;

		table_find(m->format, m->root, gpa, &level);
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
		zap(m, gpa, end);
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
	spin_lock(&m->lock);
	r = m->region_count ? &m->regions[m->region_count - 1] : NULL;
	if (r) {
		m->fini_at = MAX(m->fini_at, r->base);
		end = MIN(r->base + r->len, m->fini_at + STEP_PAGES * PAGE_SIZE);
		zap(m, m->fini_at, end);
		m->fini_at = end;
		if (end == r->base + r->len) {
			m->region_count--;
			m->fini_at = 0;
		}
	}
	spin_unlock(&m->lock);
	if (r)
		return false;
	table_free(m->format, m->root, 0);
	memset(m, 0, sizeof(*m));
	return true;
}
