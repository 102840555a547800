/* Power off and reset.  Any CPU, once; nothing comes back from it, so there is no lock. */
#include "drivers/power.h"

#include "arch/x86_64/registers.h"
#include "arch/x86_64/tsc.h"
#include "drivers/console.h"
#include "drivers/uart.h"

/* ACPI 6.5 §4.8.3.2.1, PM1 control */
#define PM1_SLEEP_TYPE(t) ((u16)((t) & 7) << 10)
#define PM1_SLEEP_TYPE_MASK PM1_SLEEP_TYPE(7)
#define PM1_SLEEP_ENABLE (1u << 13)
#define S5_UNKNOWN 255

enum reset_space { RESET_MEMORY, RESET_PORT, RESET_PCI, RESET_NONE = 255 }; /* of boot_info */
enum efi_reset { EFI_RESET_COLD, EFI_RESET_WARM, EFI_RESET_SHUTDOWN };      /* UEFI 2.10 §8.5.1 */

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define RESET_CONTROL 0xcf9
#define KEYBOARD 0x64
#define KEYBOARD_PULSE_RESET 0xfe

#define SETTLE_US 50000 /* what a machine may take to go down before the next way is tried */
#define DRAIN_US 2000000

typedef void(__attribute__((ms_abi)) * efi_reset_system)(u32 type, u64 status, u64 size, void *data);

static const struct boot_info *machine; /* c */

void power_init(const struct boot_info *info)
{
	machine = info;
}

static u32 pci_address(u32 device, u32 function, u32 offset)
{
	return (u32)BIT(31) | device << 11 | function << 8 | (offset & 0xfc);
}

static void firmware_reset(enum efi_reset type)
{
	if (!machine->options.runtime_services || !machine->reset_system)
		return;
	((efi_reset_system)machine->reset_system)(type, 0, 0, NULL);
	tsc_delay(SETTLE_US);
}

/* ---- off ---- */

static void sleep_control(u32 port, u8 type, bool enable)
{
	u16 value;

	if (!port)
		return;
	value = (in16((u16)port) & ~(PM1_SLEEP_TYPE_MASK | PM1_SLEEP_ENABLE)) | PM1_SLEEP_TYPE(type);
	out16((u16)port, enable ? value | PM1_SLEEP_ENABLE : value);
}

static void acpi_off(void)
{
	if (!machine->pm1a_control || machine->s5_type_a == S5_UNKNOWN)
		return;
	for (int enable = 0; enable < 2; enable++) {
		sleep_control(machine->pm1a_control, machine->s5_type_a, enable);
		sleep_control(machine->pm1b_control, machine->s5_type_b, enable);
	}
	tsc_delay(SETTLE_US);
}

void power_off(void)
{
	static const char text[] = "\r\nThis machine does not turn itself off: it is safe to do so by hand now.\r\n";

	cli();
	uart_drain(DRAIN_US);
	acpi_off();
	firmware_reset(EFI_RESET_SHUTDOWN);
	console_write(text, sizeof(text) - 1);
	uart_drain(DRAIN_US);
	for (;;)
		hlt();
}

/* ---- reset ---- */

/* A PIIX4 keeps its PM I/O enabled over a reset while the base address is lost; firmware (OVMF in Bochs) then
 * hangs. */
static void piix4_disable_pm(void)
{
	out32(PCI_ADDRESS, pci_address(1, 3, 0));
	if (in32(PCI_DATA) != 0x71138086)
		return;
	out32(PCI_ADDRESS, pci_address(1, 3, 0x80));
	out8(PCI_DATA, in8(PCI_DATA) & ~1);
}

static void acpi_reset(void)
{
	u64 at = machine->reset_register;

	if (!at)
		return;
	switch (machine->reset_space) {
	case RESET_MEMORY:
		mmio_write8(at, machine->reset_value);
		break;
	case RESET_PORT:
		out8((u16)at, machine->reset_value);
		break;
	case RESET_PCI: /* bus 0; ACPI 6.5 §5.2.3.2: device 32-47, function 16-31, offset 0-15 */
		out32(PCI_ADDRESS, pci_address(at >> 32 & 31, at >> 16 & 7, at & 0xff));
		out8((u16)(PCI_DATA + (at & 3)), machine->reset_value);
		break;
	default:
		return;
	}
	tsc_delay(SETTLE_US);
}

static void pc_reset(void)
{
	struct descriptor_pointer none = { 0, 0 };

	out8(RESET_CONTROL, 0x02);
	out8(RESET_CONTROL, 0x06);
	tsc_delay(SETTLE_US);
	out8(KEYBOARD, KEYBOARD_PULSE_RESET);
	tsc_delay(SETTLE_US);
	lidt(&none); /* and a triple fault */
	__asm__ volatile("ud2");
}

void power_reboot(void)
{
	cli();
	uart_drain(DRAIN_US);
	piix4_disable_pm();
	acpi_reset();
	firmware_reset(EFI_RESET_COLD);
	pc_reset();
	for (;;)
		hlt();
}

void power_panic_reboot(void)
{
	if (machine) {
		piix4_disable_pm();
		acpi_reset();
	}
	pc_reset();
}
