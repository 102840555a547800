/* apic.elf: local APIC in both modes, timers, IPIs between processors, IOAPIC, PIC, HPET, RTC.
 * Options: vcpus=N. */
#include "tests/guests/apic/apic.h"

volatile u32 counts[16];
volatile u8 order[16];
volatile u32 order_count;

static void on_vector(struct frame *frame)
{
	u32 n = frame->vector - VECTOR(0);

	__atomic_fetch_add(&counts[n], 1, __ATOMIC_SEQ_CST);
	order[order_count++ & 15] = n;
	lapic_eoi();
}

static void on_spurious(struct frame *frame)
{
}

void vectors_install(void)
{
	for (u32 n = 0; n < 16; n++)
		trap_set(VECTOR(n), on_vector);
	trap_set(0xff, on_spurious);
	vectors_clear();
}

void vectors_clear(void)
{
	for (u32 n = 0; n < 16; n++)
		counts[n] = 0;
	order_count = 0;
}

const char *named(const char *mode, const char *what)
{
	static char text[80];
	u32 n = 0;

	for (; *mode && n < 70; mode++)
		text[n++] = *mode;
	text[n++] = ':';
	text[n++] = ' ';
	for (; *what && n < 79; what++)
		text[n++] = *what;
	text[n] = 0;
	return text;
}

static void test_mode(const char *mode, bool x2)
{
	lapic_enable(x2);
	vectors_install();
	test_local(mode);
	test_timer(mode);
	test_processors(mode, option("vcpus=", 1));
}

int main(const char *line)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	test_mode("xapic", false);
	vectors_install();
	test_ioapic();
	test_pic();
	test_clocks();
	if (option_set("strict")) /* QEMU's APIC does not move */
		test_moved();
	if (cpuid(1, 0).ecx & 1 << 21)
		test_mode("x2apic", true);
	else
		check(false, "x2apic: there is one");
	test_hotplug(option("vcpus=", 1));
	return 0;
}
