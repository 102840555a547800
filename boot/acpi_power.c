/* FADT (ACPI 6.5 §5.2.9), \_S5 and the HPET's table: timers and the ways to end or restart the machine. */
#include "boot/acpi.h"

#include "kernel/lib/string.h"

#define HEADER_SIZE 36

#define FADT_DSDT 40
#define FADT_SMI_COMMAND 48
#define FADT_ACPI_ENABLE 52
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_PM_TIMER 76
#define FADT_FLAGS 112
#define FADT_RESET_REGISTER 116
#define FADT_RESET_VALUE 128
#define FADT_X_DSDT 140
#define FADT_X_PM1A_CONTROL 172
#define FADT_X_PM1B_CONTROL 184
#define FADT_X_PM_TIMER 208
#define FLAG_RESET_REGISTER BIT(10)
#define FLAG_HARDWARE_REDUCED BIT(20)

/* A generic address (ACPI 6.5 §5.2.3.2): space, bit width, bit offset, access size, address. */
#define SPACE_MEMORY 0
#define SPACE_PORT 1
#define SPACE_PCI 2
#define HPET_ADDRESS 40

/* AML (ACPI 6.5 §20.2) */
#define AML_NAME 0x08
#define AML_PACKAGE 0x12
#define AML_ROOT 0x5c
#define AML_BYTE 0x0a
#define AML_WORD 0x0b
#define AML_DWORD 0x0c
#define SLEEP_TYPE_MAX 7

/* The port in the extended field, else in the old one; 0 for none or for memory. */
static u32 port_of(const struct acpi_table *fadt, u32 old, u32 extended)
{
	u64 port = acpi_field(fadt, old, 4);

	if (acpi_field(fadt, extended, 1) == SPACE_PORT && acpi_field(fadt, extended + 4, 8))
		port = acpi_field(fadt, extended + 4, 8);
	return port < 0x10000 ? (u32)port : 0;
}

/* A small integer of AML at *at, which is moved behind it; 255 if it is none. */
static u8 read_integer(const struct acpi_table *t, u32 *at)
{
	u8 op = acpi_field(t, *at, 1);
	u32 bytes = op == AML_BYTE ? 1 : op == AML_WORD ? 2 : op == AML_DWORD ? 4 : 0;
	u64 value = bytes ? acpi_field(t, *at + 1, bytes) : op;

	*at += 1 + bytes;
	return (bytes || op <= 1) && value <= SLEEP_TYPE_MAX ? (u8)value : 255;
}

/* Name (_S5, Package () { a, b, ... }).  Found by its bytes: there is no AML interpreter here, and firmware
 * writes this one object as a constant. */
static void read_s5(const struct acpi_table *dsdt, struct boot_info *info)
{
	for (u32 i = HEADER_SIZE + 1; i + 8 < dsdt->len; i++) {
		const u8 *p = dsdt->at + i;
		u32 at = i + 5;
		u8 a, b;

		if (memcmp(p, "_S5_", 4) || p[4] != AML_PACKAGE ||
		    !(p[-1] == AML_NAME || (p[-1] == AML_ROOT && p[-2] == AML_NAME)))
			continue;
		at += 1 + (acpi_field(dsdt, at, 1) >> 6); /* PkgLength: the top bits count further bytes */
		if (acpi_field(dsdt, at++, 1) < 1)        /* NumElements */
			continue;
		a = read_integer(dsdt, &at);
		b = read_integer(dsdt, &at);
		if (a == 255)
			continue;
		info->s5_type_a = a;
		info->s5_type_b = b == 255 ? a : b;
		return;
	}
}

static void read_reset(const struct acpi_table *fadt, struct boot_info *info)
{
	u64 space = acpi_field(fadt, FADT_RESET_REGISTER, 1);

	if (!(acpi_field(fadt, FADT_FLAGS, 4) & FLAG_RESET_REGISTER) || fadt->len <= FADT_RESET_VALUE ||
	    space > SPACE_PCI)
		return;
	info->reset_space = space;
	info->reset_register = acpi_field(fadt, FADT_RESET_REGISTER + 4, 8);
	info->reset_value = acpi_field(fadt, FADT_RESET_VALUE, 1);
}

void acpi_read_power(const struct acpi *acpi, struct boot_info *info)
{
	struct acpi_table fadt, dsdt;

	if (!acpi_find(acpi, "FACP", &fadt))
		return;
	read_reset(&fadt, info);
	if (acpi_field(&fadt, FADT_FLAGS, 4) & FLAG_HARDWARE_REDUCED)
		return;
	info->pm_timer_port = port_of(&fadt, FADT_PM_TIMER, FADT_X_PM_TIMER);
	info->pm1a_control = port_of(&fadt, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
	info->pm1b_control = port_of(&fadt, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
	info->smi_command = acpi_field(&fadt, FADT_SMI_COMMAND, 4);
	info->acpi_enable = acpi_field(&fadt, FADT_ACPI_ENABLE, 1);
	if (acpi_table_at(acpi, acpi_field(&fadt, FADT_X_DSDT, 8), "DSDT", &dsdt) ||
	    acpi_table_at(acpi, acpi_field(&fadt, FADT_DSDT, 4), "DSDT", &dsdt))
		read_s5(&dsdt, info);
}

void acpi_read_hpet(const struct acpi *acpi, struct boot_info *info)
{
	struct acpi_table hpet;

	if (acpi_find(acpi, "HPET", &hpet) && acpi_field(&hpet, HPET_ADDRESS, 1) == SPACE_MEMORY)
		info->hpet = acpi_field(&hpet, HPET_ADDRESS + 4, 8);
}
