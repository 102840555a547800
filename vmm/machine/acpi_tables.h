/* ACPI's tables as they lie in memory (ACPI 6.4 §5.2; HPET: IA-PC HPET 1.0a §3.2.4; MCFG: PCI Firmware 3.2
 * §4.1.2). */
#ifndef VMM_MACHINE_ACPI_TABLES_H
#define VMM_MACHINE_ACPI_TABLES_H

#include "kernel/lib/types.h"

struct packed_struct acpi_rsdp { /* §5.2.5.3 */
	char signature[8];
	u8 checksum; /* of the first 20 bytes */
	char oem_id[6];
	u8 revision;
	u32 rsdt, length;
	u64 xsdt;
	u8 extended_checksum, reserved[3];
};

struct packed_struct acpi_header { /* §5.2.6 */
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
};

struct packed_struct acpi_address { /* §5.2.3.2 */
	u8 space, bit_width, bit_offset, access_size;
	u64 address;
};

struct packed_struct acpi_fadt { /* §5.2.9, revision 6 */
	struct acpi_header header;
	u32 facs, dsdt;
	u8 reserved1, profile;
	u16 sci_irq;
	u32 smi_command;
	u8 acpi_enable, acpi_disable, s4bios_request, pstate_control;
	u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
	u8 pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len, gpe0_len, gpe1_len, gpe1_base;
	u8 cstate_control;
	u16 c2_latency, c3_latency, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_flags;
	u8 reserved2;
	u32 flags;
	struct acpi_address reset;
	u8 reset_value;
	u16 arm_boot_flags;
	u8 minor_version;
	u64 x_facs, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control;
	struct acpi_address x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
	u64 hypervisor_vendor;
};

struct packed_struct acpi_facs { /* §5.2.10; no checksum */
	char signature[4];
	u32 length, hardware_signature, waking_vector, global_lock, flags;
	u64 x_waking_vector;
	u8 version, reserved[31];
};

struct packed_struct acpi_madt { /* §5.2.12 */
	struct acpi_header header;
	u32 lapic_address, flags;
};

struct packed_struct acpi_madt_lapic { /* type 0 */
	u8 type, length, uid, apic_id;
	u32 flags;
};

struct packed_struct acpi_madt_ioapic { /* type 1 */
	u8 type, length, id, reserved;
	u32 address, gsi_base;
};

struct packed_struct acpi_madt_override { /* type 2 */
	u8 type, length, bus, irq;
	u32 gsi;
	u16 flags;
};

struct packed_struct acpi_madt_nmi { /* type 4 */
	u8 type, length, uid;
	u16 flags;
	u8 lint;
};

struct packed_struct acpi_hpet {
	struct acpi_header header;
	u32 id;
	struct acpi_address address;
	u8 number;
	u16 minimum_tick;
	u8 protection;
};

struct packed_struct acpi_mcfg {
	struct acpi_header header;
	u64 reserved1;
	u64 base;
	u16 segment;
	u8 bus_first, bus_last;
	u32 reserved2;
};

_Static_assert(sizeof(struct acpi_rsdp) == 36, "acpi_rsdp");
_Static_assert(sizeof(struct acpi_header) == 36, "acpi_header");
_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "acpi_fadt");
_Static_assert(sizeof(struct acpi_fadt) == 276, "acpi_fadt");
_Static_assert(sizeof(struct acpi_facs) == 64, "acpi_facs");
_Static_assert(sizeof(struct acpi_hpet) == 56, "acpi_hpet");
_Static_assert(sizeof(struct acpi_mcfg) == 60, "acpi_mcfg");

#endif
