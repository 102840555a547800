/* What the machine is made of: from ACPI, and where there is none from what every PC has. */
#ifndef BOOT_PLATFORM_H
#define BOOT_PLATFORM_H

#include "boot/acpi.h"

/* Finds ACPI (info->rsdp) and fills the timers, power control and interrupt wiring.  info->ranges says what
 * memory there is, so that no table can send us elsewhere. */
void platform_init(struct boot_info *info);

/* Fills info->cpus: this one first, then MADT's, or without ACPI those of the firmware's MP services. */
void platform_read_cpus(struct boot_info *info);

/* Marks info->ranges and info->cpus with their NUMA nodes; legal after the firmware was left. */
void platform_read_nodes(struct boot_info *info);

/* The UART that SPCR names. */
bool platform_serial(struct acpi_serial *serial);

/* PCI configuration space by ports CF8h and CFCh. */
u32 platform_pci_read(u8 bus, u8 dev, u8 fn, u8 offset);
void platform_pci_write(u8 bus, u8 dev, u8 fn, u8 offset, u32 value);

#endif
