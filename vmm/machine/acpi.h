/* The ACPI tables (ACPI 6.4 §5.2): built once, at power on, from what the PC has. */
#ifndef VMM_MACHINE_ACPI_H
#define VMM_MACHINE_ACPI_H

#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

#define ACPI_MAX 8192

/* The DSDT as iasl compiled it from dsdt.asl (vmm/vmm.mk). */
extern const u8 acpi_dsdt[], acpi_dsdt_end[];

/* Builds all tables for guest-physical base (64-byte aligned, in the area that is scanned for the RSDP) into
 * buf, the RSDP first.  Returns their length, or ERR_TOOBIG. */
s64 acpi_build(u32 vcpu_count, const void *dsdt, u32 dsdt_len, u64 base, u8 *buf, u32 size) must_check;

#endif
