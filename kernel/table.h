/* Radix page tables of the x86 family: host tables, NPT and EPT differ in a small table of bits.
 * The tables belong to whoever holds the root; his lock guards them.  Every store leaves an entry old or new. */
#ifndef KERNEL_TABLE_H
#define KERNEL_TABLE_H

#include "arch/x86_64/table_format.h"
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

#define TABLE_LEVELS 4 /* level 0 maps 4 KiB, level 1 2 MiB, level 2 1 GiB */

enum table_perm {
	PERM_READ = 1 << 0,
	PERM_WRITE = 1 << 1,
	PERM_EXEC = 1 << 2,
	PERM_USER = 1 << 3,
	PERM_UNCACHED = 1 << 4,
};

/* Bytes that a leaf of the level maps. */
static inline u64 table_span(u32 level)
{
	return PAGE_SIZE << (9 * level);
}

/* A leaf entry for the frame at hpa. */
u64 table_leaf(const struct table_format *f, hpa_t at, u32 level, u32 perms);

/* The entry that decides about address: a leaf or the lowest entry there is; *level is its level.  Each entry is
 * loaded once: who knows that the tables stay, whatever becomes of entries, needs no lock. */
u64 *table_find(const struct table_format *f, hpa_t root, u64 address, u32 *level);

/* The entry for address at exactly this level, making tables near the root on the way; NULL when out of memory or
 * when a larger leaf is in the way (split it first).  *tables counts the frames that were added. */
u64 *table_make(const struct table_format *f, hpa_t root, u64 address, u32 level, u64 *tables);

/* Replaces a large leaf by a table of smaller leaves with the same rights; 0 or ERR_NOMEM. */
int table_split(const struct table_format *f, u64 *entry, u32 level, u64 *tables) must_check;

/* Frees all tables under root and root itself; the leaves are no concern of it.  first_slot: slots of the
 * root below it are shared with others and stay. */
void table_free(const struct table_format *f, hpa_t root, u32 first_slot);

#endif
