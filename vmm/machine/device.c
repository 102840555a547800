/* The one table of devices, and what is done with all of them.  Lock: the machine lock.
 *
 * A saved state comes from a process that may have been taken over: every device survives any bytes in its
 * state (flags are u8, indices are bounded where they are used), so that load checks the frame only. */
#include "vmm/machine/device.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"

#define DEVICE(n, v, deadline_fn, tick_fn) { \
	.name = #n, .version = v, .offset = offsetof(struct machine, n), .size = sizeof(struct n), \
	.attach = n##_attach, .reset = n##_reset, .deadline = deadline_fn, .tick = tick_fn }

/* Interrupt controllers come first: those after them set lines as they are reset. */
const struct device device_table[] = {
	DEVICE(pic, 1, NULL, NULL),
	DEVICE(ioapic, 1, NULL, NULL),
	DEVICE(pit, 1, pit_deadline, pit_tick),
	DEVICE(rtc, 1, rtc_deadline, rtc_tick),
	DEVICE(pm, 2, pm_deadline, pm_tick),
	DEVICE(uart, 1, NULL, NULL),
	DEVICE(pci, 1, NULL, NULL),
	DEVICE(hpet, 1, hpet_deadline, hpet_tick),
	DEVICE(i8042, 1, NULL, NULL),
	DEVICE(balloon, 1, balloon_deadline, balloon_tick),
	DEVICE(cpu_hotplug, 1, NULL, NULL),
};
const u32 device_count = ARRAY_SIZE(device_table);

#define DEVICE_MAGIC 0x56454451 /* "QDEV" */

struct device_header {
	u32 magic, count;
	u64 total; /* bytes of it all */
};

struct device_record {
	char name[16];
	u32 version, size; /* size bytes of state follow */
};

void device_attach_all(struct machine *m)
{
	for (u32 i = 0; i < device_count; i++)
		device_table[i].attach(m);
}

void device_reset_all(struct machine *m)
{
	for (u32 i = 0; i < device_count; i++)
		device_table[i].reset(m);
}

u64 device_deadline(const struct machine *m)
{
	u64 first = NEVER;

	for (u32 i = 0; i < device_count; i++)
		if (device_table[i].deadline)
			first = MIN(first, device_table[i].deadline(m));
	return first;
}

void device_tick(struct machine *m, u64 now)
{
	for (u32 i = 0; i < device_count; i++)
		if (device_table[i].tick)
			device_table[i].tick(m, now);
}

static u64 device_total(void)
{
	u64 total = sizeof(struct device_header);

	for (u32 i = 0; i < device_count; i++)
		total += sizeof(struct device_record) + device_table[i].size;
	return total;
}

/* Every byte of it is compared at load, so the name is filled up with zeros. */
static struct device_record device_record(const struct device *d)
{
	struct device_record r = { .version = d->version, .size = d->size };

	str_copy(r.name, sizeof(r.name), d->name);
	return r;
}

s64 device_save(const struct machine *m, void *buf, u64 len)
{
	struct device_header h = { DEVICE_MAGIC, device_count, device_total() };
	u8 *at = buf;

	if (len < h.total)
		return ERR_TOOBIG;
	memcpy(at, &h, sizeof(h));
	at += sizeof(h);
	for (u32 i = 0; i < device_count; i++) {
		const struct device *d = &device_table[i];
		struct device_record r = device_record(d);

		memcpy(at, &r, sizeof(r));
		memcpy(at + sizeof(r), (const u8 *)m + d->offset, d->size);
		at += sizeof(r) + d->size;
	}
	return (s64)h.total;
}

static bool device_valid(const u8 *at, u64 len)
{
	struct device_header h;

	if (len != device_total())
		return false;
	memcpy(&h, at, sizeof(h));
	if (h.magic != DEVICE_MAGIC || h.count != device_count || h.total != len)
		return false;
	at += sizeof(h);
	for (u32 i = 0; i < device_count; i++) {
		struct device_record want = device_record(&device_table[i]);

		if (memcmp(at, &want, sizeof(want)))
			return false;
		at += sizeof(want) + want.size;
	}
	return true;
}

int device_load(struct machine *m, const void *buf, u64 len)
{
	const u8 *at = buf;

	if (!device_valid(at, len))
		return ERR_INVAL;
	at += sizeof(struct device_header);
	for (u32 i = 0; i < device_count; i++) {
		const struct device *d = &device_table[i];

		at += sizeof(struct device_record);
		memcpy((u8 *)m + d->offset, at, d->size);
		at += d->size;
	}
	sys_guest_extint(m->pic.output);
	machine_reschedule(m, device_deadline(m));
	return 0;
}
