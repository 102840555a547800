/* MADT (ACPI 6.5 §5.2.12): processors, the IOAPIC of the ISA interrupts, and how those are wired. */
#include "boot/acpi.h"

#define MADT_ENTRIES 44
#define ENTRY_LAPIC 0
#define ENTRY_IOAPIC 1
#define ENTRY_OVERRIDE 2
#define ENTRY_X2APIC 9
#define CPU_ENABLED 1
#define APIC_ID_BROADCAST 0xff
#define X2APIC_ID_BROADCAST 0xffffffff

/* INTI flags: polarity in bits 0-1, trigger mode in bits 2-3 (ACPI 6.5 table 5.26) */
#define POLARITY(flags) ((flags) & 3)
#define POLARITY_LOW 3
#define TRIGGER(flags) ((flags) >> 2 & 3)
#define TRIGGER_LEVEL 3

struct entry {
	struct acpi_table data; /* just this entry: its fields cannot reach into the next one */
	u32 type, at;
};

/* The next entry after e (start with a zeroed one); false at the end or at one that makes no sense. */
static bool next_entry(const struct acpi_table *madt, struct entry *e)
{
	u32 len;

	e->at = e->at ? e->at + e->data.len : MADT_ENTRIES;
	if (e->at > madt->len || madt->len - e->at < 2)
		return false;
	len = acpi_field(madt, e->at + 1, 1);
	if (len < 2 || len > madt->len - e->at)
		return false;
	e->type = acpi_field(madt, e->at, 1);
	e->data = (struct acpi_table){ madt->at + e->at, len };
	return true;
}

static void add_cpu(struct boot_info *info, u32 apic_id)
{
	for (u32 i = 0; i < info->cpu_count; i++)
		if (info->cpus[i].apic_id == apic_id)
			return;
	if (info->cpu_count < BOOT_CPUS_MAX)
		info->cpus[info->cpu_count++] = (struct boot_cpu){ .apic_id = apic_id };
}

void acpi_read_cpus(const struct acpi *acpi, struct boot_info *info)
{
	struct acpi_table madt;
	struct entry e = { .at = 0 };

	if (!acpi_find(acpi, "APIC", &madt))
		return;
	while (next_entry(&madt, &e)) {
		if (e.type == ENTRY_LAPIC && (acpi_field(&e.data, 4, 4) & CPU_ENABLED) &&
		    acpi_field(&e.data, 3, 1) != APIC_ID_BROADCAST)
			add_cpu(info, acpi_field(&e.data, 3, 1));
		if (e.type == ENTRY_X2APIC && (acpi_field(&e.data, 8, 4) & CPU_ENABLED) &&
		    acpi_field(&e.data, 4, 4) != X2APIC_ID_BROADCAST)
			add_cpu(info, acpi_field(&e.data, 4, 4));
	}
}

void acpi_read_interrupts(const struct acpi *acpi, struct boot_info *info)
{
	struct acpi_table madt;
	struct entry e = { .at = 0 };

	if (!acpi_find(acpi, "APIC", &madt))
		return;
	for (u32 irq = 0; irq < 16; irq++) { /* only overrides differ from these */
		info->irq_gsi[irq] = irq;
		info->irq_level[irq] = info->irq_low[irq] = 0;
	}
	while (next_entry(&madt, &e)) {
		u64 irq = acpi_field(&e.data, 3, 1), flags = acpi_field(&e.data, 8, 2);

		if (e.type == ENTRY_IOAPIC && e.data.len >= 12 && acpi_field(&e.data, 8, 4) == 0)
			info->ioapic = acpi_field(&e.data, 4, 4);
		if (e.type == ENTRY_OVERRIDE && e.data.len >= 10 && irq < 16) {
			info->irq_gsi[irq] = acpi_field(&e.data, 4, 4);
			info->irq_level[irq] = TRIGGER(flags) == TRIGGER_LEVEL;
			info->irq_low[irq] = POLARITY(flags) == POLARITY_LOW;
		}
	}
}
