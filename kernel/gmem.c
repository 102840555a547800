/* Guest memory: faults and copies. */
#include "kernel/gmem.h"

#include "kernel/frame.h"
#include "kernel/gmem_compress.h"
#include "kernel/gmem_leaf.h"
#include "kernel/gmem_region.h"
#include "kernel/gmem_uniform.h"
#include "kernel/lib/string.h"
#include "kernel/merge_frame.h"
#include "kernel/trace.h"

hpa_t gmem_zero_frame;
struct gmem_totals gmem_totals;

int gmem_start(void)
{
	gmem_zero_frame = frame_alloc_zero(0, FRAME_KERNEL);
	return gmem_zero_frame.v ? 0 : ERR_NOMEM;
}

u64 gmem_tables_max(u64 limit)
{
	/* one of each level for each region's two ends, and what is between them */
	return 1 + GMEM_REGIONS * 2 * 3 + limit / table_span(1) + limit / table_span(2);
}

int gmem_init(struct gmem *m, const struct table_format *format, u64 limit, struct ledger_account *account,
	      u32 node, void (*shootdown)(struct gmem *m))
{
	memset(m, 0, sizeof(*m));
	m->lock.class = LOCK_GMEM;
	m->format = format;
	m->limit = limit;
	m->account = account;
	m->shootdown = shootdown;
	m->root = frame_alloc_zero_near(node, 0, FRAME_TABLE);
	m->tables = m->root.v ? 1 : 0;
	m->tables_max = gmem_tables_max(limit);
	ledger_charge(account, m->tables);
	return m->root.v ? 0 : ERR_NOMEM;
}

bool gmem_leaf_is_merged(u64 entry)
{
	return entry & LEAF_GIVEN || frame_kind_of(gmem_leaf_frame(entry)) == FRAME_MERGED;
}

bool gmem_leaf_private(hpa_t frame)
{
	return frame.v != gmem_zero_frame.v && frame_kind_of(frame) == FRAME_GUEST;
}

static void count(u64 *own, u64 *total, s64 by)
{
	*own += (u64)by;
	__atomic_add_fetch(total, (u64)by, __ATOMIC_RELAXED);
}

void gmem_leaf_count(struct gmem *m, u64 entry, s64 by)
{
	hpa_t frame = gmem_leaf_frame(entry);

	m->changes++;
	if (gmem_leaf_private(frame)) {
		gmem_private(m, by);
		return;
	}
	m->shared_pages += (u64)by;
	if (frame.v == gmem_zero_frame.v) {
		m->zero_pages += (u64)by;
		if (entry & LEAF_GIVEN)
			count(&m->given_pages, &gmem_totals.given, by);
	} else if (frame_kind_of(frame) == FRAME_MERGED) {
		count(&m->merged_pages, &gmem_totals.merged, by);
	} else {
		count(&m->file_pages, &gmem_totals.file, by);
		__atomic_add_fetch(&gmem_totals.file_changes, 1, __ATOMIC_SEQ_CST);
	}
}

void gmem_leaf_put(struct gmem *m, u64 entry)
{
	hpa_t frame = gmem_leaf_frame(entry);

	if (gmem_leaf_is_apic(m, entry))
		return;
	gmem_leaf_count(m, entry, -1);
	if (frame.v == gmem_zero_frame.v)
		return;
	if (frame_kind_of(frame) == FRAME_MERGED)
		merge_frame_put(frame);
	else
		frame_put(frame);
}

static u64 page_perms(const struct gmem_region *r, bool write)
{
	return PERM_READ | PERM_EXEC | (write && r->kind != MAP_ROM ? PERM_WRITE : 0);
}

/* The frame that a page begins as whose entry is not present: the file's or the zero frame. */
static hpa_t initial_frame(const struct gmem_region *r, u64 page, u64 entry)
{
	return r->source && !(entry & LEAF_ZERO) ? (hpa_t){ r->source + (page - r->base) } : gmem_zero_frame;
}

/* A frame of the guest's own, to be filled; .v == 0: it has to wait. */
static hpa_t empty_frame(struct gmem *m, enum ledger_use use)
{
	hpa_t frame = { 0 };

	if (ledger_take(m->account, 1, use))
		return frame;
	frame = m->uniform ? merge_stock_draw() : frame_alloc_near(frame_node(m->root), 0, FRAME_GUEST);
	if (frame.v)
		m->private_pages++;
	else
		ledger_put(m->account, 1);
	return frame;
}

/* The same, with the content of from, or zeroes. */
static hpa_t private_frame(struct gmem *m, hpa_t from, enum ledger_use use)
{
	hpa_t frame = empty_frame(m, use);

	if (!frame.v)
		return frame;
	if (m->uniform || from.v != gmem_zero_frame.v)
		memcpy(hpa_pointer(frame), hpa_pointer(from), PAGE_SIZE);
	else
		memset(hpa_pointer(frame), 0, PAGE_SIZE);
	return frame;
}

/* (A frame of its own was counted when it was taken.) */
static void set_leaf(struct gmem *m, const struct gmem_region *r, u64 *entry, hpa_t frame, bool write)
{
	u64 leaf = table_leaf(m->format, frame, 0, (u32)page_perms(r, write)) | (write ? m->format->dirty : 0);

	__atomic_store_n(entry, leaf, __ATOMIC_RELEASE);
	m->changes++;
	if (!gmem_leaf_private(frame))
		gmem_leaf_count(m, leaf, 1);
}

/* A page that is compressed.  It can be written to at once where the dirty bit tells of it.  m locked. */
static int decompress(struct gmem *m, const struct gmem_region *r, u64 *entry, bool write, enum ledger_use use)
{
	u64 old = *entry;
	hpa_t frame = empty_frame(m, use);

	if (!frame.v)
		return ERR_NOMEM;
	gmem_decompress(old, hpa_pointer(frame));
	set_leaf(m, r, entry, frame, write);
	if (m->format->dirty)
		__atomic_or_fetch(entry, m->format->write, __ATOMIC_RELEASE);
	gmem_compressed_put(m, old);
	m->decompressions++;
	__atomic_add_fetch(&gmem_compress_counts.decompressed, 1, __ATOMIC_RELAXED);
	return 0;
}

/* First touch.  m locked. */
static int populate(struct gmem *m, const struct gmem_region *r, u64 page, u64 *entry, bool write,
		    enum ledger_use use)
{
	hpa_t frame = initial_frame(r, page, *entry);

	if (write) {
		frame = private_frame(m, frame, use);
		if (!frame.v)
			return ERR_NOMEM;
	} else if (frame.v != gmem_zero_frame.v) {
		frame_get(frame);
	}
	set_leaf(m, r, entry, frame, write);
	return 0;
}

/* Is the frame that a read-only leaf of m maps nobody else's?  Then it is m's own afterwards. */
static bool take_over(struct gmem *m, u64 entry)
{
	hpa_t frame = gmem_leaf_frame(entry);

	if (gmem_uniform_known(m, entry))
		return false;
	if (gmem_leaf_private(frame))
		return frame_refs(frame) == 1;
	if (frame.v == gmem_zero_frame.v || frame_kind_of(frame) != FRAME_MERGED)
		return false;
	gmem_leaf_count(m, entry, -1);
	if (!merge_frame_take(frame))
		return gmem_leaf_count(m, entry, 1), false;
	gmem_leaf_count(m, entry, 1);
	return true;
}

/* A write to a page that is mapped read only: take the frame over, or leave it for a copy.  m locked. */
static int unshare(struct gmem *m, const struct gmem_region *r, u64 *entry, enum ledger_use use)
{
	u64 old = *entry;
	hpa_t frame;

	if (take_over(m, old)) {
		gmem_leaf_open(entry, m->format->write | m->format->dirty);
		return 0;
	}
	frame = private_frame(m, gmem_leaf_frame(old), use);
	if (!frame.v)
		return ERR_NOMEM;
	/* not writable before the flush: other vCPUs still read the old frame and would miss what is written */
	set_leaf(m, r, entry, frame, false);
	m->shootdown(m);
	__atomic_or_fetch(entry, m->format->write | m->format->dirty, __ATOMIC_RELEASE);
	if (m->uniform)
		gmem_uniform_put(m, old);
	else
		gmem_leaf_put(m, old);
	return 0;
}

static int unshare_traced(struct gmem *m, const struct gmem_region *r, u64 *entry, enum ledger_use use)
{
	u64 from = trace_begin(), old = *entry;
	int error = unshare(m, r, entry, use);

	if (!error)
		trace_end(TRACE_UNSHARE, gmem_leaf_frame(*entry).v != gmem_leaf_frame(old).v, m->account->id, from);
	return error;
}

u64 *gmem_leaf_entry(struct gmem *m, u64 page, enum ledger_use use)
{
	u64 before = m->tables, *entry;
	u32 missing;

	gmem_leaf_split(m, page);
	entry = table_find(m->format, m->root, page, &missing);
	if (!missing)
		return entry;
	if (before + missing > m->tables_max || ledger_take(m->account, missing, use))
		return NULL;
	entry = table_make(m->format, m->root, page, 0, &m->tables);
	ledger_put(m->account, missing - (m->tables - before));
	return entry;
}

int gmem_leaf_touch(struct gmem *m, u64 gpa, bool write, enum ledger_use use)
{
	u64 page = gpa & PAGE_MASK, *entry;
	const struct gmem_region *r = gmem_region_find(m, page);

	if (!r || (write && r->kind == MAP_ROM))
		return ERR_FAULT;
	if (gmem_large_touch(m, page, write))
		return 0;
	entry = gmem_leaf_entry(m, page, use);
	if (!entry)
		return ERR_NOMEM;
	if (*entry & LEAF_COMPRESSED)
		return decompress(m, r, entry, write, use);
	if (!(*entry & m->format->present))
		return populate(m, r, page, entry, write, use);
	if (write && !(*entry & m->format->write))
		return unshare_traced(m, r, entry, use);
	if (write && !(*entry & gmem_leaf_dirt(m)))
		__atomic_or_fetch(entry, m->format->dirty, __ATOMIC_RELEASE); /* it may be the kernel that writes */
	return 0;
}

int gmem_fault(struct gmem *m, u64 gpa, bool write)
{
	int error;

	spin_lock(&m->lock);
	error = gmem_leaf_touch(m, gpa, write, LEDGER_FAULT);
	spin_unlock(&m->lock);
	return error;
}

static const u8 *byte_of(hpa_t frame, u64 gpa)
{
	return (const u8 *)hpa_pointer(frame) + gpa % PAGE_SIZE;
}

const u8 *gmem_peek(struct gmem *m, u64 gpa)
{
	u32 level;
	u64 entry = *table_find(m->format, m->root, gpa, &level);

	return entry & m->format->present ? byte_of(gmem_leaf_frame_of(entry, level, gpa), gpa) : NULL;
}

/* What the bytes at gpa are for a reader, present or not; NULL outside of memory, as the local APIC's page is.  m
 * locked. */
static const u8 *view(struct gmem *m, u64 gpa)
{
	u32 level;
	u64 entry = *table_find(m->format, m->root, gpa, &level);
	const struct gmem_region *r;

	if (gmem_leaf_is_apic(m, entry))
		return NULL;
	if (entry & m->format->present)
		return byte_of(gmem_leaf_frame_of(entry, level, gpa), gpa);
	r = gmem_region_find(m, gpa);
	return r ? byte_of(initial_frame(r, gpa & PAGE_MASK, entry), gpa) : NULL;
}

static u64 part_of(u64 gpa, u64 len)
{
	return MIN(len, PAGE_SIZE - gpa % PAGE_SIZE);
}

/* A page that is compressed becomes present for a reader; the entry if there is no memory for that, else 0. */
static u64 still_compressed(struct gmem *m, u64 gpa)
{
	u32 level;
	u64 entry = *table_find(m->format, m->root, gpa, &level);

	return entry & LEAF_COMPRESSED && gmem_leaf_touch(m, gpa, false, LEDGER_FAULT) ? entry : 0;
}

/* Two, four or eight bytes that are aligned are copied in one access: a ring's index changes while it is read. */
static void copy(void *to, const void *from, u64 len)
{
	u64 misaligned = ((u64)to | (u64)from) & (len - 1);

	if (len == 2 && !misaligned)
		__atomic_store_n((u16 *)to, __atomic_load_n((const u16 *)from, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	else if (len == 4 && !misaligned)
		__atomic_store_n((u32 *)to, __atomic_load_n((const u32 *)from, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	else
		memcpy(to, from, len); /* by words: eight aligned bytes are one access, too */
}

/* len bytes of one page; false: that is no memory. */
static bool read_part(struct gmem *m, u64 gpa, void *to, u64 len)
{
	const u8 *from = NULL;
	u64 entry;

	if (gpa >= GMEM_TOP)
		return false;
	spin_lock(&m->lock);
	entry = still_compressed(m, gpa);
	if (entry)
		gmem_decompress_part(entry, gpa % PAGE_SIZE, to, len);
	else if ((from = view(m, gpa)))
		copy(to, from, len);
	spin_unlock(&m->lock);
	return entry || from;
}

int gmem_read(struct gmem *m, u64 gpa, void *to, u64 len)
{
	u8 *out = to;

	while (len) {
		u64 part = part_of(gpa, len);

		if (!read_part(m, gpa, out, part))
			return ERR_FAULT;
		out += part, gpa += part, len -= part;
	}
	return 0;
}

int gmem_read_word(struct gmem *m, u64 gpa, u64 *word)
{
	return read_part(m, gpa & ~7ull, word, sizeof(*word)) ? 0 : ERR_FAULT;
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
		error = gmem_leaf_touch(m, gpa, true, LEDGER_WRITE);
		if (!error)
			copy((u8 *)gmem_peek(m, gpa), in, part);
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
	error = gmem_leaf_touch(m, gpa, true, LEDGER_WRITE);
	if (!error && !swap((u8 *)gmem_peek(m, gpa), size, old, fresh))
		error = ERR_AGAIN;
	spin_unlock(&m->lock);
	return error;
}
