/* The host's IOAPIC with GSI 0: only the few interrupts that Quire's own drivers use. */
#ifndef DRIVERS_IOAPIC_H
#define DRIVERS_IOAPIC_H

#include "kernel/lib/types.h"

#define IOAPIC_DEFAULT 0xfec00000ull /* where it is on a PC without ACPI */

/* Masks every input, and the two PICs.  address: mapped uncached.  ERR_NOENT when nothing is there. */
int ioapic_init(u64 address) must_check;

/* Sends GSI as vector to a CPU.  ERR_INVAL for a GSI of another IOAPIC or an APIC ID above 254 (the entry has
 * 8 bits), ERR_STATE without an IOAPIC. */
int ioapic_route(u32 gsi, u8 vector, u32 apic_id, bool level, bool active_low) must_check;
void ioapic_mask(u32 gsi);

#endif
