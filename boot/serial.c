/* 16550 UART by ports or memory (National PC16550D).  A UART is there when its scratch register keeps what is
 * written: reads of an absent one give all ones.  The kernel sets the line up again when it takes over. */
#include "boot/serial.h"

#include "arch/x86_64/registers.h"
#include "boot/platform.h"

enum { DATA, IER, FCR, LCR, MCR, LSR, MSR, SCRATCH, DIVISOR_LOW = 0, DIVISOR_HIGH = 1 };
#define LCR_8N1 0x03
#define LCR_DIVISOR 0x80
#define FCR_ENABLE_CLEAR 0x07
#define MCR_DTR_RTS 0x03
#define LSR_ROOM 0x20
#define BAUD_BASE 115200
#define POLLS_MAX 100000 /* some 100 ms by port: a byte takes 87 us at 115200 baud, 1 ms at 9600 */

#define PCI_COMMAND 0x04
#define PCI_BAR0 0x10

static struct {
	u32 kind, stride;
	u64 base;
	bool stuck;
} uart;

static u8 read_register(u32 index)
{
	u64 at = uart.base + index * uart.stride;

	if (uart.kind == BOOT_SERIAL_PORT)
		return in8(at);
	return uart.stride == 4 ? (u8)mmio_read32(at) : mmio_read8(at);
}

static void write_register(u32 index, u8 value)
{
	u64 at = uart.base + index * uart.stride;

	if (uart.kind == BOOT_SERIAL_PORT)
		out8(at, value);
	else if (uart.stride == 4)
		mmio_write32(at, value);
	else
		mmio_write8(at, value);
}

static bool keeps(u8 value)
{
	write_register(SCRATCH, value);
	return read_register(SCRATCH) == value;
}

static void find_pci(const struct serial_choice *c)
{
	u32 bar = platform_pci_read(c->bus, c->dev, c->fn, PCI_BAR0);
	u32 command = platform_pci_read(c->bus, c->dev, c->fn, PCI_COMMAND) & 0xffff;

	if (bar == 0xffffffff || !(bar & ~0xfu))
		return;
	platform_pci_write(c->bus, c->dev, c->fn, PCI_COMMAND, command | (bar & 1 ? 1 : 2));
	uart.kind = bar & 1 ? BOOT_SERIAL_PORT : BOOT_SERIAL_MMIO;
	uart.base = bar & (bar & 1 ? 0xfffcu : ~0xfu);
	if (!(bar & 1) && (bar & 6) == 4) /* a 64-bit BAR */
		uart.base |= (u64)platform_pci_read(c->bus, c->dev, c->fn, PCI_BAR0 + 4) << 32;
}

static void find(struct boot_info *info, const struct serial_choice *c)
{
	struct acpi_serial spcr;

	uart.kind = BOOT_SERIAL_NONE;
	uart.stride = 1;
	if ((c->source == SERIAL_AUTO || c->source == SERIAL_SPCR) && platform_serial(&spcr)) {
		uart.kind = spcr.kind;
		uart.base = spcr.base;
		uart.stride = spcr.stride;
		if (spcr.baud)
			info->options.serial_baud = spcr.baud;
	} else if (c->source == SERIAL_AUTO || c->source == SERIAL_PORT) {
		uart.kind = BOOT_SERIAL_PORT;
		uart.base = c->source == SERIAL_PORT ? c->port : 0x3f8;
	} else if (c->source == SERIAL_PCI) {
		find_pci(c);
	}
}

void serial_init(struct boot_info *info, const struct serial_choice *choice)
{
	u32 divisor;

	find(info, choice);
	if (uart.kind != BOOT_SERIAL_NONE && !(keeps(0x5a) && keeps(0xa5)))
		uart.kind = BOOT_SERIAL_NONE;
	if (uart.kind == BOOT_SERIAL_NONE) {
		if (choice->source != SERIAL_AUTO && choice->source != SERIAL_NONE)
			options_complain(info, choice->line, "no UART answers; the log is on the screen");
		return;
	}
	info->serial_kind = uart.kind;
	info->serial_base = uart.base;
	info->serial_stride = uart.stride;
	divisor = MAX(BAUD_BASE / info->options.serial_baud, 1u);
	write_register(IER, 0);
	write_register(LCR, LCR_8N1 | LCR_DIVISOR);
	write_register(DIVISOR_LOW, divisor);
	write_register(DIVISOR_HIGH, divisor >> 8);
	write_register(LCR, LCR_8N1);
	write_register(FCR, FCR_ENABLE_CLEAR);
	write_register(MCR, MCR_DTR_RTS);
}

static void write_byte(char c)
{
	for (u32 polls = 0; polls < POLLS_MAX && !uart.stuck; polls++) {
		if (read_register(LSR) & LSR_ROOM) {
			write_register(DATA, c);
			return;
		}
	}
	uart.stuck = true;
}

void serial_write(const char *text, size_t len)
{
	if (uart.kind == BOOT_SERIAL_NONE)
		return;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			write_byte('\r');
		write_byte(text[i]);
	}
}
