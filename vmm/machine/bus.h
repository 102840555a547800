/* Ports and memory-mapped registers in one form: an access, and sorted tables of regions. */
#ifndef VMM_MACHINE_BUS_H
#define VMM_MACHINE_BUS_H

#include "kernel/lib/types.h"

struct machine;

struct access {
	u64 addr;   /* offset from the region's base when a handler sees it */
	u32 size;   /* 1, 2, 4 or 8 bytes */
	bool write;
	u64 value;  /* read: the handler sets it; bits above size are ignored */
};

typedef void (*access_fn)(struct machine *m, void *device, struct access *a);

struct region {
	u64 base, len;
	access_fn handler;
	void *device;
};

#define BUS_REGIONS 48

/* Lock: the machine lock.  Regions are sorted by base and do not overlap. */
struct bus {
	struct region regions[BUS_REGIONS];
	u32 count;
	u32 last; /* the region of the last hit: guests poll one register over and over */
};

/* Adds a region; 0, ERR_EXIST if it overlaps another, ERR_NOMEM if the table is full. */
int bus_add(struct bus *bus, u64 base, u64 len, access_fn handler, void *device);
void bus_remove(struct bus *bus, u64 base);

/* Carries out a at its absolute address.  Nobody there: reads give all ones, writes go nowhere, as on a
 * PC. */
void bus_access(struct machine *m, struct bus *bus, struct access *a);

/* For handlers of byte-wide devices: true if a is wider than a byte and was carried out byte by byte through
 * handler, as the ISA bus does. */
bool bus_split(struct machine *m, void *device, struct access *a, access_fn handler);

#endif
