/* Finding ACPI tables: RSDP, then XSDT or RSDT.  Nothing is believed before its checksum. */
#include "boot/acpi.h"

#include "kernel/lib/string.h"

#define HEADER_SIZE 36
#define TABLE_MAX (16 * MIB)

static bool sum_is_zero(const u8 *bytes, u64 len)
{
	u8 sum = 0;

	while (len--)
		sum += *bytes++;
	return sum == 0;
}

u64 acpi_field(const struct acpi_table *table, u32 offset, u32 bytes)
{
	u64 value = 0;

	if (offset <= table->len && bytes <= table->len - offset)
		memcpy(&value, table->at + offset, bytes);
	return value;
}

bool acpi_table_at(const struct acpi *acpi, u64 address, const char *signature, struct acpi_table *table)
{
	const u8 *header = address ? acpi->at(acpi->context, address, HEADER_SIZE) : NULL;

	if (!header || memcmp(header, signature, 4))
		return false;
	memcpy(&table->len, header + 4, 4);
	if (table->len < HEADER_SIZE || table->len > TABLE_MAX)
		return false;
	table->at = acpi->at(acpi->context, address, table->len);
	return table->at && sum_is_zero(table->at, table->len);
}

static bool search_root(const struct acpi *acpi, const struct acpi_table *root, u32 entry_size,
			const char *signature, struct acpi_table *table)
{
	for (u32 at = HEADER_SIZE; root->len - at >= entry_size; at += entry_size)
		if (acpi_table_at(acpi, acpi_field(root, at, entry_size), signature, table))
			return true;
	return false;
}

bool acpi_find(const struct acpi *acpi, const char *signature, struct acpi_table *table)
{
	const u8 *bytes = acpi->rsdp ? acpi->at(acpi->context, acpi->rsdp, 20) : NULL;
	struct acpi_table rsdp = { bytes, 20 }, root;

	if (!bytes || memcmp(bytes, "RSD PTR ", 8) || !sum_is_zero(bytes, 20))
		return false;
	if (bytes[15] >= 2) { /* revision: then there is an extended part with the XSDT */
		bytes = acpi->at(acpi->context, acpi->rsdp, 36);
		if (bytes && sum_is_zero(bytes, 36)) {
			rsdp = (struct acpi_table){ bytes, 36 };
			if (acpi_table_at(acpi, acpi_field(&rsdp, 24, 8), "XSDT", &root))
				return search_root(acpi, &root, 8, signature, table);
		}
	}
	return acpi_table_at(acpi, acpi_field(&rsdp, 16, 4), "RSDT", &root) &&
		search_root(acpi, &root, 4, signature, table);
}
