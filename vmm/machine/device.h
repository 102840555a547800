/* The one table of devices: it drives creation, reset, time, save and restore. */
#ifndef VMM_MACHINE_DEVICE_H
#define VMM_MACHINE_DEVICE_H

#include "vmm/machine/machine.h"

struct device {
	const char *name;
	u32 version;               /* of the state's layout; grows when it changes */
	u32 offset, size;          /* of the state in struct machine */
	void (*attach)(struct machine *m);  /* adds its regions to the buses; once per process */
	void (*reset)(struct machine *m);   /* power-on state */
	u64 (*deadline)(const struct machine *m);  /* machine time of its next event, NEVER; may be NULL */
	void (*tick)(struct machine *m, u64 now);  /* time has come (or passed): do what is due; may be NULL */
};

extern const struct device device_table[];
extern const u32 device_count;

/* The earliest deadline of all devices, and doing all that is due at now.  Under m->lock. */
u64 device_deadline(const struct machine *m);
void device_tick(struct machine *m, u64 now);

void device_attach_all(struct machine *m);
void device_reset_all(struct machine *m);

/* The state of all devices as one blob: a header, then name, version, size and bytes of each. Save returns
 * the bytes used or ERR_TOOBIG; load checks everything before it changes anything and returns 0 or
 * ERR_INVAL, and tells the kernel the PIC's line again.  Machine time is the caller's: m->clock_base is set
 * before load. */
s64 device_save(const struct machine *m, void *buf, u64 len);
int device_load(struct machine *m, const void *buf, u64 len);

#endif
