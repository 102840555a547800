/* Regions: find by binary search, change by building the new list beside the old one. */
#include "kernel/gmem_region.h"

#include "kernel/lib/string.h"

struct list {
	struct gmem_region regions[GMEM_REGIONS_MADE];
	u32 count;
	bool full;
};

const struct gmem_region *gmem_region_find(const struct gmem *m, u64 gpa)
{
	u32 low = 0, high = m->region_count;

	while (low < high) {
		u32 mid = (low + high) / 2;
		const struct gmem_region *r = &m->regions[mid];

		if (gpa < r->base)
			high = mid;
		else if (gpa - r->base >= r->len)
			low = mid + 1;
		else
			return r;
	}
	return NULL;
}

bool gmem_region_writable(struct gmem *m, u64 gpa, u64 len)
{
	bool ok = true;

	spin_lock(&m->lock);
	while (ok && len) {
		const struct gmem_region *r = gmem_region_find(m, gpa);
		u64 part;

		ok = r && r->kind != MAP_ROM;
		if (!ok)
			break;
		part = MIN(len, r->len - (gpa - r->base));
		gpa += part, len -= part;
	}
	spin_unlock(&m->lock);
	return ok;
}

static bool continues(const struct gmem_region *a, const struct gmem_region *b)
{
	return a->base + a->len == b->base && a->kind == b->kind &&
	       (a->source ? a->source + a->len == b->source : !b->source);
}

static void append(struct list *l, struct gmem_region r)
{
	struct gmem_region *last = l->count ? &l->regions[l->count - 1] : NULL;

	if (!r.len)
		return;
	if (last && continues(last, &r))
		last->len += r.len;
	else if (l->count < ARRAY_SIZE(l->regions))
		l->regions[l->count++] = r;
	else
		l->full = true;
}

/* The part of r within [from, to). */
static struct gmem_region clip(struct gmem_region r, u64 from, u64 to)
{
	u64 base = MAX(r.base, from), end = MIN(r.base + r.len, to);

	if (base >= end)
		return (struct gmem_region){ 0 };
	if (r.source)
		r.source += base - r.base;
	r.base = base;
	r.len = end - base;
	return r;
}

static u64 ram_of(const struct list *l)
{
	u64 sum = 0;

	for (u32 i = 0; i < l->count; i++)
		sum += l->regions[i].len;
	return sum;
}

static void make(struct list *l, const struct gmem *m, const struct gmem_region *fresh, u64 len)
{
	u64 base = fresh->base;
	u32 i = 0;

	l->count = 0;
	l->full = false;
	for (; i < m->region_count && m->regions[i].base < base; i++)
		append(l, clip(m->regions[i], 0, base));
	append(l, *fresh);
	for (i = i ? i - 1 : 0; i < m->region_count; i++)
		append(l, clip(m->regions[i], base + len, UINT64_MAX));
}

static struct gmem_region fresh_region(u64 base, u64 len, enum map_kind kind, u64 source)
{
	return (struct gmem_region){ base, kind == MAP_HOLE ? 0 : len, kind, source };
}

int gmem_region_check(const struct gmem *m, u64 base, u64 len, enum map_kind kind, u64 source)
{
	struct gmem_region fresh = fresh_region(base, len, kind, source);
	struct list l;

	make(&l, m, &fresh, len);
	if (l.count > GMEM_REGIONS || l.full)
		return ERR_NOMEM;
	return ram_of(&l) > m->limit ? ERR_TOOBIG : 0;
}

int gmem_region_set(struct gmem *m, u64 base, u64 len, enum map_kind kind, u64 source)
{
	struct gmem_region fresh = fresh_region(base, len, kind, source);
	struct list l;

	make(&l, m, &fresh, len);
	if (l.full)
		return ERR_NOMEM;
	memcpy(m->regions, l.regions, l.count * sizeof(l.regions[0]));
	m->region_count = l.count;
	return 0;
}
