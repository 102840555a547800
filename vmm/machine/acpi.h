/* The ACPI tables (ACPI 6.4 §5.2): built once, at power on, from what the PC has. */
#ifndef VMM_MACHINE_ACPI_H
#define VMM_MACHINE_ACPI_H

#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

#define ACPI_MAX 12288

/* The DSDT and the SSDT as iasl compiled them from dsdt.asl and ssdt.asl (vmm/vmm.mk). */
extern const u8 acpi_dsdt[], acpi_ssdt[];

struct acpi_parts {
	u32 vcpu_count;       /* that there can be, */
	u64 present;          /* and those that are there: the others can be plugged in */
	const u8 *dsdt, *ssdt; /* whole tables; of ssdt the first vcpu_count processors go in, none if it is one alone */
};

/* Builds all tables for guest-physical base (64-byte aligned, in the area that is scanned for the RSDP) into
 * buf, the RSDP first.  Returns their length, or ERR_TOOBIG. */
s64 acpi_build(const struct acpi_parts *parts, u64 base, u8 *buf, u32 size) must_check;

#endif
