/* The symbol table that the second link embeds (boot/symbols.awk writes it): a count, ascending pairs, names.
 * Read only; needs no lock.  An image of the first link has an empty one. */
#include "kernel/symbols.h"

#include "kernel/lib/string.h"

struct symbol {
	u32 offset; /* from image_start */
	u32 name;   /* from the end of the pairs */
};

const char *symbols_find(u64 address, u64 *offset)
{
	const u8 *table = image_symbols_start;
	const struct symbol *list = (const struct symbol *)(table + 4);
	u64 at = address - (u64)image_start;
	u32 count, low = 0, high;

	if (image_symbols_end - table < 4 || address < (u64)image_text_start ||
	    address >= (u64)image_text_end)
		return NULL;
	memcpy(&count, table, 4);
	for (high = count; low < high;) { /* the first that begins after the address */
		u32 middle = low + (high - low) / 2;

		if (list[middle].offset <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	*offset = at - list[low - 1].offset;
	return (const char *)(list + count) + list[low - 1].name;
}
