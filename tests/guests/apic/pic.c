/* PIC mode: the 8259s' INTR through LINT0 as ExtINT, with the PIT on IRQ 0. */
#include "tests/guests/apic/apic.h"

static volatile u32 irq0_count, spurious_count;

static void on_irq0(struct frame *frame)
{
	irq0_count++;
	outb(0x20, 0x20);
}

static void on_irq7(struct frame *frame)
{
	spurious_count++;
}

static void pic_init(void)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, 0x70);
	outb(0xa1, 0x78);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xfe);
	outb(0xa1, 0xff);
}

void test_pic(void)
{
	trap_set(0x70, on_irq0);
	trap_set(0x77, on_irq7);
	pic_init();
	check_equal(inb(0x21), 0xfe, "pic: mask reads back");
	outb(0x43, 0x34);
	outb(0x40, 0x9c);
	outb(0x40, 0x2e);
	lapic_write(APIC_LVT_LINT0, 0x700); /* ExtINT */
	for (u32 n = 0; n < 5; n++)
		if (!wait_change(&irq0_count, n, 1000000))
			break;
	check(irq0_count >= 5, "pic: PIT by IRQ 0");
	outb(0x20, 0x0b);
	check_equal(inb(0x20), 0, "pic: ISR is clear after EOI");
	outb(0x21, 0xff);
	wait_change(&irq0_count, irq0_count, 1000);
	check(!wait_change(&irq0_count, irq0_count, 50000), "pic: a masked line is silent");
	lapic_write(APIC_LVT_LINT0, 0x10000);
}
