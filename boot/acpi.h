/* What Quire wants to know from ACPI tables (ACPI 6.5 §5.2, SPCR and HPET specifications).  Pure: tables are
 * reached through a callback that says whether an address may be read, so they can lie anywhere or anyhow. */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "kernel/boot_info.h"

struct acpi {
	/* Readable memory for [address, address + len), or NULL. */
	const void *(*at)(void *context, u64 address, u64 len);
	void *context;
	u64 rsdp;
};

struct acpi_table {
	const u8 *at;
	u32 len; /* the header included */
};

struct acpi_serial {
	u32 kind, stride; /* enum boot_serial_kind; bytes between registers */
	u64 base;
	u32 baud;         /* 0: as the firmware left it */
};

/* The first table with that signature, length and checksum proved. */
bool acpi_find(const struct acpi *acpi, const char *signature, struct acpi_table *table);

/* The table at an address (the DSDT's, which only the FADT names), proved as above. */
bool acpi_table_at(const struct acpi *acpi, u64 address, const char *signature, struct acpi_table *table);

/* Little-endian fields; 0 beyond the table's end. */
u64 acpi_field(const struct acpi_table *table, u32 offset, u32 bytes);

/* Each fills its part of info and leaves it alone when its table is missing. */
void acpi_read_power(const struct acpi *acpi, struct boot_info *info);      /* FADT and \_S5 */
void acpi_read_hpet(const struct acpi *acpi, struct boot_info *info);
void acpi_read_interrupts(const struct acpi *acpi, struct boot_info *info); /* MADT: IOAPIC, ISA interrupts */
void acpi_read_cpus(const struct acpi *acpi, struct boot_info *info);       /* MADT; cpus[0] is there */
void acpi_read_nodes(const struct acpi *acpi, struct boot_info *info);      /* SRAT; ranges and cpus are there */
bool acpi_read_serial(const struct acpi *acpi, struct acpi_serial *serial); /* SPCR; false: none known */

#endif
