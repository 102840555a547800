/* Ports and memory-mapped registers: sorted regions, found by binary search.
 * Lock: the machine lock. */
#include "vmm/machine/bus.h"

#include "kernel/lib/error.h"
#include "kernel/lib/string.h"

/* The index of the first region that ends after addr, count if there is none. */
static u32 bus_find(const struct bus *bus, u64 addr)
{
	u32 low = 0, high = bus->count;

	while (low < high) {
		u32 middle = (low + high) / 2;
		const struct region *r = &bus->regions[middle];

		if (addr >= r->base && addr - r->base >= r->len)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int bus_add(struct bus *bus, u64 base, u64 len, access_fn handler, void *device)
{
	u32 at = bus_find(bus, base);
	struct region *r = &bus->regions[at];

	if (!len || base + (len - 1) < base)
		return ERR_INVAL;
	if (at < bus->count && (r->base <= base || r->base - base < len))
		return ERR_EXIST;
	if (bus->count == BUS_REGIONS)
		return ERR_NOMEM;
	memmove(r + 1, r, (bus->count - at) * sizeof(*r));
	*r = (struct region){ .base = base, .len = len, .handler = handler, .device = device };
	bus->count++;
	return 0;
}

void bus_remove(struct bus *bus, u64 base)
{
	u32 at = bus_find(bus, base);
	struct region *r = &bus->regions[at];

	if (at == bus->count || r->base != base)
		return;
	bus->count--;
	memmove(r, r + 1, (bus->count - at) * sizeof(*r));
	memset(&bus->regions[bus->count], 0, sizeof(*r));
	bus->last = 0;
}

bool bus_split(struct machine *m, void *device, struct access *a, access_fn handler)
{
	u64 value = 0;

	if (a->size == 1)
		return false;
	for (u32 i = 0; i < a->size; i++) {
		struct access byte = { .addr = a->addr + i, .size = 1, .write = a->write,
				       .value = a->value >> (8 * i) & 0xff };

		handler(m, device, &byte);
		value |= (byte.value & 0xff) << (8 * i);
	}
	if (!a->write)
		a->value = value;
	return true;
}

/* All but the short path: another region than the last, or an access that is not inside one.  It has the form
 * of an access_fn: device is the bus, addr absolute. */
static __attribute__((noinline)) void bus_dispatch(struct machine *m, void *device, struct access *a)
{
	struct bus *bus = device;
	u32 at = bus_find(bus, a->addr);
	const struct region *r = &bus->regions[at];
	u64 addr = a->addr, offset = addr - r->base;
	bool nobody = at == bus->count || (addr < r->base && r->base - addr >= a->size);

	if (!nobody && offset < r->len && a->size <= r->len - offset) {
		bus->last = at;
		a->addr = offset;
		r->handler(m, r->device, a);
		a->addr = addr;
	} else if (nobody || !bus_split(m, bus, a, bus_dispatch)) {
		a->value = a->write ? a->value : UINT64_MAX;
	}
}

void bus_access(struct machine *m, struct bus *bus, struct access *a)
{
	const struct region *r = &bus->regions[bus->last];
	u64 addr = a->addr, offset = addr - r->base;

	if (a->size > 8 || !(BIT(a->size) & (BIT(1) | BIT(2) | BIT(4) | BIT(8)))) {
		a->value = a->write ? a->value : UINT64_MAX;
	} else if (offset < r->len && a->size <= r->len - offset) {
		a->addr = offset;
		r->handler(m, r->device, a);
		a->addr = addr;
	} else {
		bus_dispatch(m, bus, a);
	}
}
