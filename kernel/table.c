/* The one page-table walker. */
#include "kernel/table.h"

#include "kernel/frame.h"
#include "kernel/lib/string.h"

static u32 slot(u64 address, u32 level)
{
	return address >> (PAGE_SHIFT + 9 * level) & 511;
}

static u64 *table_at(u64 entry)
{
	return hpa_pointer((hpa_t){ entry & TABLE_ADDRESS });
}

static bool is_leaf(const struct table_format *f, u64 entry, u32 level)
{
	return level == 0 || entry & f->large;
}

u64 table_leaf(const struct table_format *f, hpa_t at, u32 level, u32 perms)
{
	u64 entry = at.v | f->leaf;

	if (level)
		entry |= f->large;
	if (perms & PERM_WRITE)
		entry |= f->write;
	if (perms & PERM_USER)
		entry |= f->user;
	entry |= perms & PERM_EXEC ? f->exec : f->no_exec;
	entry |= perms & PERM_UNCACHED ? f->uncached : f->cached;
	return entry;
}

u64 *table_find(const struct table_format *f, hpa_t root, u64 address, u32 *level)
{
	u32 l = TABLE_LEVELS - 1;
	u64 *entry = &table_at(root.v)[slot(address, l)], now;

	while ((now = __atomic_load_n(entry, __ATOMIC_ACQUIRE)) & f->present && !is_leaf(f, now, l)) {
		l--;
		entry = &table_at(now)[slot(address, l)];
	}
	*level = l;
	return entry;
}

u64 *table_make(const struct table_format *f, hpa_t root, u64 address, u32 level, u64 *tables)
{
	u64 *entry = &table_at(root.v)[slot(address, TABLE_LEVELS - 1)];

	for (u32 l = TABLE_LEVELS - 1; l > level; l--) {
		if (!(*entry & f->present)) {
			hpa_t table = frame_alloc_zero_near(frame_node(root), 0, FRAME_TABLE);

			if (!table.v)
				return NULL;
			++*tables;
			__atomic_store_n(entry, table.v | f->branch, __ATOMIC_RELEASE);
		} else if (is_leaf(f, *entry, l)) {
			return NULL;
		}
		entry = &table_at(*entry)[slot(address, l - 1)];
	}
	return entry;
}

int table_split(const struct table_format *f, u64 *entry, u32 level, u64 *tables)
{
	hpa_t table = frame_alloc(0, FRAME_TABLE);
	u64 step = table_span(level - 1), leaf = level == 1 ? *entry & ~f->large : *entry;

	if (!table.v)
		return ERR_NOMEM;
	++*tables;
	for (u32 i = 0; i < 512; i++)
		table_at(table.v)[i] = leaf + i * step;
	__atomic_store_n(entry, table.v | f->branch, __ATOMIC_RELEASE);
	return 0;
}

static void free_below(const struct table_format *f, u64 *table, u32 level, u32 first)
{
	for (u32 i = first; i < 512 && level; i++) {
		if (!(table[i] & f->present) || is_leaf(f, table[i], level))
			continue;
		free_below(f, table_at(table[i]), level - 1, 0);
		frame_put((hpa_t){ table[i] & TABLE_ADDRESS });
	}
}

void table_free(const struct table_format *f, hpa_t root, u32 first_slot)
{
	if (!root.v)
		return;
	free_below(f, table_at(root.v), TABLE_LEVELS - 1, first_slot);
	frame_put(root);
}
