/* Processors that are not plugged in, by the registers that a hypervisor's AML would use: none of them starts, and one
 * that is ejected is gone.  After test_processors, whose processors wait for a start-up IPI. */
#include "tests/guests/apic/apic.h"

#define SELECT 0x610
#define STATUS 0x611
#define EVENT 0x612
#define PRESENT 1
#define EJECT 8

static u32 status(u32 id)
{
	outb(SELECT, (u8)id);
	return inb(STATUS);
}

static void eject(u32 id)
{
	outb(SELECT, (u8)id);
	outb(STATUS, EJECT);
}

static void rest(u32 index)
{
	for (;;)
		asm volatile("cli; hlt" : : : "memory");
}

void test_hotplug(u32 count)
{
	u32 most = cpuid(1, 0).ebx >> 16 & 0xff, there = 0;

	if (most <= count)
		return;
	for (u32 id = 0; id < most; id++)
		there += status(id) == PRESENT;
	check_equal(there, count, "hotplug: those are there that were wanted");
	check_equal(inb(EVENT), 0xff, "hotplug: there is nothing to tell");
	check(!processor_start(count, rest), "hotplug: a processor that is not plugged in does not start");
	check(processor_start(1, rest), "hotplug: one that is does");
	eject(1);
	check_equal(status(1), 0, "hotplug: it is ejected while it runs");
	check(!processor_start(1, rest), "hotplug: and does not start again");
	eject(0);
	check_equal(status(0), PRESENT, "hotplug: the first stays");
	eject(0xff);
	check_equal(status(0xff), 0, "hotplug: what is no processor is not there");
}
