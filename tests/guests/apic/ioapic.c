/* The IOAPIC: registers, edges from the PIT, masks, and a level-triggered line with its remote IRR. */
#include "tests/guests/apic/apic.h"

#define PIN_PIT 2 /* ISA IRQ 0, by the usual override */
#define PIN_UART 4
#define LEVEL (1 << 15)
#define MASK (1 << 16)
#define REMOTE_IRR (1 << 14)
#define COM1 0x3f8

static void pit_start(u8 mode, u16 count)
{
	outb(0x43, 0x30 | mode << 1);
	outb(0x40, count);
	outb(0x40, count >> 8);
}

static void test_registers(void)
{
	u32 pins = (ioapic_read(1) >> 16 & 0xff) + 1;

	check(pins >= 24, "ioapic: 24 pins");
	ioapic_write(0x10 + 2 * 23, 0x1a0ff | MASK);
	check_equal(ioapic_read(0x10 + 2 * 23) & 0x1ffff, 0x1a0ff, "ioapic: an entry keeps its value");
	ioapic_write(0x10 + 2 * 23, MASK);
	for (u32 pin = 0; pin < pins; pin++)
		ioapic_write(0x10 + pin * 2, MASK);
}

static void test_pit(void)
{
	vectors_clear();
	ioapic_route(PIN_PIT, VECTOR(1), 0, 0);
	pit_start(2, 11932); /* 100 Hz */
	for (u32 n = 0; n < 5; n++)
		if (!wait_change(&counts[1], n, 1000000))
			break;
	check(counts[1] >= 5, "ioapic: PIT, rate generator");
	ioapic_route(PIN_PIT, VECTOR(1), MASK, 0);
	wait_change(&counts[1], counts[1], 1000);
	check(!wait_change(&counts[1], counts[1], 50000), "ioapic: a masked pin is silent");
	vectors_clear();
	pit_start(0, 5000);
	ioapic_route(PIN_PIT, VECTOR(2), 0, 0);
	pit_start(0, 5000);
	check(wait_change(&counts[2], 0, 1000000), "ioapic: PIT, one shot");
	ioapic_route(PIN_PIT, 0, MASK, 0);
}

static volatile u32 level_count;

/* A level-triggered handler that leaves the line asserted the first two times. */
static void on_level(struct frame *frame)
{
	if (++level_count == 3)
		outb(COM1 + 1, 0); /* the UART's line drops */
	lapic_eoi();
}

/* The UART's transmitter-empty interrupt holds its line up until it is disabled or its IIR is read. */
static void test_level(void)
{
	trap_set(0x61, on_level);
	while (!(inb(COM1 + 5) & 0x40))
		relax();
	ioapic_route(PIN_UART, 0x61, LEVEL, 0);
	outb(COM1 + 4, 0x08);
	outb(COM1 + 1, 2);
	wait_change(&level_count, 0, 1000000);
	for (u32 i = 0; i < 100 && level_count < 3; i++)
		wait_change(&level_count, level_count, 20000);
	check_equal(level_count, 3, "ioapic: a level comes again after EOI while its line is up");
	check_equal(ioapic_read(0x10 + 2 * PIN_UART) & REMOTE_IRR, 0, "ioapic: remote IRR is clear after EOI");
	outb(COM1 + 1, 0);
	outb(COM1 + 4, 0);
	ioapic_route(PIN_UART, 0, MASK, 0);
}

void test_ioapic(void)
{
	test_registers();
	test_pit();
	test_level();
}
