/* The platform's description.  ACPI tables lie in memory that the firmware's map names, or below 1 MiB. */
#include "boot/platform.h"

#include "arch/x86_64/registers.h"
#include "boot/firmware.h"
#include "boot/mp_services.h"
#include "boot/ranges.h"

#define IOAPIC_DEFAULT 0xfec00000u
#define HPET_DEFAULT 0xfed00000u
#define HPET_PERIOD_MAX_FS 100000000u /* IA-PC HPET 1.0a §2.3.4 */

/* PIIX4's power management function (82371AB §7.2): the PM timer where no FADT says so. */
#define PIIX4_PM_ID 0x71138086u
#define PIIX4_PM_BASE 0x40
#define PIIX4_PM_MISC 0x80
#define PIIX4_PM_ENABLED 1
#define PIIX4_CONTROL 4
#define PIIX4_TIMER 8

static struct acpi acpi;

static const void *acpi_memory(void *context, u64 address, u64 len)
{
	bool low = address >= PAGE_SIZE && address < MIB && len <= MIB - address;

	return low || ranges_contain(context, address, len) ? (const void *)address : NULL;
}

u32 platform_pci_read(u8 bus, u8 dev, u8 fn, u8 offset)
{
	out32(0xcf8, 0x80000000u | (u32)bus << 16 | (u32)dev << 11 | (u32)fn << 8 | (offset & 0xfc));
	return in32(0xcfc);
}

void platform_pci_write(u8 bus, u8 dev, u8 fn, u8 offset, u32 value)
{
	out32(0xcf8, 0x80000000u | (u32)bus << 16 | (u32)dev << 11 | (u32)fn << 8 | (offset & 0xfc));
	out32(0xcfc, value);
}

/* A PC without ACPI tables: an IOAPIC with the timer on its pin 2, perhaps a HPET, perhaps a PIIX4. */
static void set_defaults(struct boot_info *info)
{
	u32 period;

	info->ioapic = IOAPIC_DEFAULT;
	for (u32 irq = 0; irq < 16; irq++)
		info->irq_gsi[irq] = irq;
	info->irq_gsi[0] = 2;
	period = mmio_read32(HPET_DEFAULT + 4);
	if (period && period <= HPET_PERIOD_MAX_FS && (mmio_read32(HPET_DEFAULT) & 0xff))
		info->hpet = HPET_DEFAULT;
	for (u8 dev = 0; dev < 32; dev++) {
		u32 base = platform_pci_read(0, dev, 3, PIIX4_PM_BASE) & 0xffc0;

		if (platform_pci_read(0, dev, 3, 0) != PIIX4_PM_ID || !base ||
		    !(platform_pci_read(0, dev, 3, PIIX4_PM_MISC) & PIIX4_PM_ENABLED))
			continue;
		info->pm_timer_port = base + PIIX4_TIMER;
		info->pm1a_control = base + PIIX4_CONTROL;
		info->s5_type_a = info->s5_type_b = 0;
	}
}

void platform_init(struct boot_info *info)
{
	static const EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;

	info->s5_type_a = info->s5_type_b = 255;
	info->reset_space = 255;
	info->rsdp = firmware_config_table(acpi2);
	if (!info->rsdp)
		info->rsdp = firmware_config_table(acpi1);
	acpi = (struct acpi){ acpi_memory, info, info->rsdp };
	if (!info->rsdp) {
		set_defaults(info);
		return;
	}
	acpi_read_power(&acpi, info);
	acpi_read_hpet(&acpi, info);
	acpi_read_interrupts(&acpi, info);
}

static u32 own_apic_id(void)
{
	if (cpuid(0, 0).eax >= 0xb && (cpuid(0xb, 0).ebx & 0xffff)) /* SDM 2A CPUID: EDX is the x2APIC ID */
		return cpuid(0xb, 0).edx;
	return cpuid(1, 0).ebx >> 24;
}

void platform_read_cpus(struct boot_info *info)
{
	info->cpu_count = 1;
	info->cpus[0] = (struct boot_cpu){ .apic_id = own_apic_id(), .boot = true };
	if (info->rsdp)
		acpi_read_cpus(&acpi, info);
	else
		mp_services_read_cpus(info);
}

void platform_read_nodes(struct boot_info *info)
{
	acpi_read_nodes(&acpi, info);
}

bool platform_serial(struct acpi_serial *serial)
{
	return acpi_read_serial(&acpi, serial);
}
