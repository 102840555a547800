/* See cpu_hotplug.h.  Lock: the machine lock.  Invariant: present is what the kernel was told; vCPU 0 stays. */
#include "vmm/machine/cpu_hotplug.h"

#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

enum hotplug_register { SELECT, STATUS, EVENT, ANSWER };

#define STATUS_PRESENT 0x01
#define STATUS_CAME 0x02
#define STATUS_SHOULD_GO 0x04
#define STATUS_EJECT 0x08
#define EVENT_NONE 0xff

/* _OST's status after a request to eject, ACPI 6.4 §6.3.5.3 */
#define OST_SUCCESS 0x00
#define OST_IN_PROGRESS 0x84

static void plug(struct machine *m, u32 index, bool present)
{
	struct cpu_hotplug *h = &m->cpu_hotplug;

	if (sys_vcpu_present(index, present))
		return;
	h->present = present ? h->present | BIT(index) : h->present & ~BIT(index);
	h->came &= ~BIT(index);
	h->should_go &= ~BIT(index);
}

void cpu_hotplug_ask(struct machine *m)
{
	struct cpu_hotplug *h = &m->cpu_hotplug;
	u32 target = sys_vcpu_target();

	for (u32 i = 1; i < m->info.vcpu_count; i++) {
		bool present = h->present & BIT(i);

		if (i < target && !present) {
			plug(m, i, true);
			h->came |= h->present & BIT(i);
		} else if (i < target) {
			h->should_go &= ~BIT(i);
		} else if (present) {
			h->should_go |= BIT(i);
		}
	}
	if (h->came | h->should_go)
		pm_gpe(m, PM_GPE_CPU);
}

static u8 status(const struct cpu_hotplug *h, u32 index)
{
	return (u8)((h->present >> index & 1 ? STATUS_PRESENT : 0) | (h->came >> index & 1 ? STATUS_CAME : 0) |
		    (h->should_go >> index & 1 ? STATUS_SHOULD_GO : 0));
}

static void write_status(struct machine *m, u32 index, u8 value)
{
	struct cpu_hotplug *h = &m->cpu_hotplug;

	if (value & STATUS_CAME)
		h->came &= ~BIT(index);
	if (value & STATUS_SHOULD_GO)
		h->should_go &= ~BIT(index);
	if (value & STATUS_EJECT && h->present >> index & 1)
		plug(m, index, false);
}

static void cpu_hotplug_write(struct machine *m, u64 offset, u8 value)
{
	u32 index = m->cpu_hotplug.selected;

	if (offset == SELECT) {
		m->cpu_hotplug.selected = value;
	} else if (index < m->info.vcpu_count && offset == STATUS) {
		write_status(m, index, value);
	} else if (index < m->info.vcpu_count && offset == ANSWER && value != OST_SUCCESS && value != OST_IN_PROGRESS) {
		sys_log(LOG_WARN, "the guest does not give vCPU %u back (_OST %x)", index, value);
	}
}

static u8 cpu_hotplug_read(const struct machine *m, u64 offset)
{
	const struct cpu_hotplug *h = &m->cpu_hotplug;
	u64 told_not = h->came | h->should_go;

	switch (offset) {
	case SELECT:
		return h->selected;
	case STATUS:
		return h->selected < m->info.vcpu_count ? status(h, h->selected) : 0;
	case EVENT:
		return told_not ? (u8)__builtin_ctzll(told_not) : EVENT_NONE;
	}
	return 0;
}

static void cpu_hotplug_access(struct machine *m, void *device, struct access *a)
{
	if (bus_split(m, device, a, cpu_hotplug_access))
		return;
	if (a->write)
		cpu_hotplug_write(m, a->addr, (u8)a->value);
	else
		a->value = cpu_hotplug_read(m, a->addr);
}

void cpu_hotplug_attach(struct machine *m)
{
	bus_add(&m->ports, CPU_HOTPLUG_BASE, CPU_HOTPLUG_LEN, cpu_hotplug_access, &m->cpu_hotplug);
}

/* Power on: what it should have is there, and nobody need be told. */
void cpu_hotplug_reset(struct machine *m)
{
	u32 target = sys_vcpu_target();

	m->cpu_hotplug = (struct cpu_hotplug){ .present = BIT(0) };
	for (u32 i = 1; i < m->info.vcpu_count && i < target; i++)
		plug(m, i, true);
}
