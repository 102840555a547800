/* The PC's memory map.  A guest's memory counts from address 0: what lies under the holes below 1 MiB is
 * lost, as on a PC; what would lie under the PCI hole continues at 4 GiB. */
#include "vmm/machine/ram.h"

#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

u64 ram_low_end(u64 memory)
{
	return MIN(memory, LOW_RAM_END);
}

u32 ram_ranges(u64 memory, struct ram_range *ranges)
{
	u32 n = 0;

	ranges[n++] = (struct ram_range){ 0, RAM_LOW_END, RAM_USABLE };
	ranges[n++] = (struct ram_range){ RAM_FIRMWARE, RAM_HIGH - RAM_FIRMWARE, RAM_RESERVED };
	ranges[n++] = (struct ram_range){ RAM_HIGH, ram_low_end(memory) - RAM_HIGH, RAM_USABLE };
	ranges[n++] = (struct ram_range){ ECAM_BASE, ECAM_SIZE, RAM_RESERVED };
	if (memory > LOW_RAM_END)
		ranges[n++] = (struct ram_range){ RAM_ABOVE_4G, memory - LOW_RAM_END, RAM_USABLE };
	return n;
}

/* The firmware's area is RAM too, so that the tables there can be written and ACPI's FACS lock works.  The
 * empty ROM sockets read as zeroes: Linux reads all of them for tables, which would be 16,000 MMIO exits. */
int ram_map(const struct machine *m)
{
	struct ram_range ranges[RAM_RANGES];
	u32 count = ram_ranges(m->info.memory, ranges);
	int error = sys_guest_map(RAM_ROMS, RAM_FIRMWARE - RAM_ROMS, MAP_ROM, 0, 0);

	for (u32 i = 0; !error && i < count; i++) {

		if (ranges[i].base == ECAM_BASE)
			continue;
		error = sys_guest_map(ranges[i].base, ranges[i].len, MAP_RAM, 0, 0);
	}
	return error;
}

bool ram_contains(u64 memory, u64 base, u64 len)
{
	struct ram_range ranges[RAM_RANGES];
	u32 count = ram_ranges(memory, ranges);

	for (u32 i = 0; i < count; i++) {
		const struct ram_range *r = &ranges[i];

		if (r->type == RAM_USABLE && base >= r->base && len <= r->len && base - r->base <= r->len - len)
			return true;
	}
	return false;
}
