/* Where things are: the serial console (SPCR) and the NUMA nodes of memory and CPUs (SRAT, ACPI 6.5 §5.2.16). */
#include "boot/acpi.h"

#include "boot/ranges.h"

#define SPCR_TYPE 36
#define SPCR_ADDRESS 40 /* generic address: space, bit width, bit offset, access size, address */
#define SPCR_BAUD 58
#define SPACE_MEMORY 0
#define SPACE_PORT 1
#define ACCESS_DWORD 3

#define SRAT_ENTRIES 48
#define ENTRY_LAPIC 0
#define ENTRY_LAPIC_SIZE 16
#define ENTRY_MEMORY 1
#define ENTRY_MEMORY_SIZE 40
#define ENTRY_X2APIC 2
#define ENTRY_X2APIC_SIZE 24
#define ENTRY_ENABLED 1
#define NODES_MAX 256

bool acpi_read_serial(const struct acpi *acpi, struct acpi_serial *serial)
{
	static const u32 bauds[] = { 0, 0, 0, 9600, 19200, 0, 57600, 115200 };
	struct acpi_table spcr;
	u64 type, space, baud;

	if (!acpi_find(acpi, "SPCR", &spcr))
		return false;
	type = acpi_field(&spcr, SPCR_TYPE, 1);
	space = acpi_field(&spcr, SPCR_ADDRESS, 1);
	serial->base = acpi_field(&spcr, SPCR_ADDRESS + 4, 8);
	if ((type != 0 && type != 1 && type != 0x12) || !serial->base) /* 16550 in three forms */
		return false;
	if (space == SPACE_PORT && serial->base <= 0xfff8)
		serial->kind = BOOT_SERIAL_PORT;
	else if (space == SPACE_MEMORY)
		serial->kind = BOOT_SERIAL_MMIO;
	else
		return false;
	serial->stride = space == SPACE_MEMORY && (acpi_field(&spcr, SPCR_ADDRESS + 3, 1) == ACCESS_DWORD ||
						   acpi_field(&spcr, SPCR_ADDRESS + 1, 1) == 32) ? 4 : 1;
	baud = acpi_field(&spcr, SPCR_BAUD, 1);
	serial->baud = baud < ARRAY_SIZE(bauds) ? bauds[baud] : 0;
	return true;
}

/* Proximity domains are any numbers; nodes count from 0 in the order in which they appear. */
static u32 node_of(u32 domain, u32 domains[NODES_MAX], u32 *count)
{
	u32 node = 0;

	while (node < *count && domains[node] != domain)
		node++;
	if (node == *count && node < NODES_MAX)
		domains[(*count)++] = domain;
	return node < NODES_MAX ? node : 0;
}

static void set_cpu_node(struct boot_info *info, u32 apic_id, u32 node)
{
	for (u32 i = 0; i < info->cpu_count; i++)
		if (info->cpus[i].apic_id == apic_id)
			info->cpus[i].node = node;
}

void acpi_read_nodes(const struct acpi *acpi, struct boot_info *info)
{
	u32 domains[NODES_MAX], count = 0, len;
	struct acpi_table srat;

	if (!acpi_find(acpi, "SRAT", &srat))
		return;
	for (u32 at = SRAT_ENTRIES; at < srat.len && srat.len - at >= 2; at += len) {
		struct acpi_table e = { srat.at + at, acpi_field(&srat, at + 1, 1) };
		u32 type = acpi_field(&srat, at, 1);

		len = e.len;
		if (len < 2 || len > srat.len - at)
			return;
		if (type == ENTRY_MEMORY && len >= ENTRY_MEMORY_SIZE && (acpi_field(&e, 28, 4) & ENTRY_ENABLED))
			ranges_set_node(info, acpi_field(&e, 8, 8), acpi_field(&e, 16, 8),
					node_of(acpi_field(&e, 2, 4), domains, &count));
		if (type == ENTRY_LAPIC && len >= ENTRY_LAPIC_SIZE && (acpi_field(&e, 4, 4) & ENTRY_ENABLED))
			set_cpu_node(info, acpi_field(&e, 3, 1),
				     node_of(acpi_field(&e, 2, 1) | acpi_field(&e, 9, 3) << 8, domains, &count));
		if (type == ENTRY_X2APIC && len >= ENTRY_X2APIC_SIZE && (acpi_field(&e, 12, 4) & ENTRY_ENABLED))
			set_cpu_node(info, acpi_field(&e, 8, 4),
				     node_of(acpi_field(&e, 4, 4), domains, &count));
	}
}
