/* The clocks: HPET, RTC's periodic interrupt, the PIT's gate at port 61h, their rates against each other. */
#include "tests/guests/apic/apic.h"

#define HPET_MAIN (HPET + 0xf0)
#define HPET_CONFIG (HPET + 0x10)
#define HPET_T0 (HPET + 0x100)
#define MASK (1 << 16)
#define PERCENT 100

static u8 cmos(u8 index)
{
	outb(0x70, index);
	return inb(0x71);
}

static void cmos_set(u8 index, u8 v)
{
	outb(0x70, index);
	outb(0x71, v);
}

static bool near(u64 got, u64 want, u32 percent)
{
	u64 off = got > want ? got - want : want - got;

	return off * PERCENT <= want * percent;
}

/* A host that takes the processor away between two reads spoils a measurement, not the clock: a few tries. */
#define TRIES 5

static bool hpet_rate_is_right(u32 period)
{
	u32 begin = mmio_read(HPET_MAIN), ticks;

	wait_us(100000);
	ticks = mmio_read(HPET_MAIN) - begin;
	return near((u64)ticks * period / 1000000000, 100000, 5); /* period is in femtoseconds */
}

static void test_hpet_counter(void)
{
	u32 period = mmio_read(HPET + 4);
	bool right = false;

	check(period > 0 && period <= 100000000, "hpet: period");
	mmio_write(HPET_CONFIG, 1);
	for (u32 i = 0; i < TRIES && !right; i++)
		right = hpet_rate_is_right(period);
	check(right, "hpet: its rate is the PM timer's");
}

static void test_hpet_interrupt(void)
{
	u32 routes = mmio_read(HPET_T0 + 4), pin;

	for (pin = 31; pin > 2 && !(routes >> pin & 1); pin--)
		;
	if (pin <= 2)
		pin = 2;
	vectors_clear();
	ioapic_route(pin, VECTOR(3), 0, 0);
	mmio_write(HPET_CONFIG, pin == 2 ? 3 : 1);
	mmio_write(HPET_T0, pin << 9 | 0x104); /* 32 bits: the comparator's high half is all ones after reset */
	mmio_write(HPET_T0 + 8, mmio_read(HPET_MAIN) + 1000000);
	check(wait_change(&counts[3], 0, 2000000), "hpet: comparator interrupt");
	mmio_write(HPET_T0, 0);
	mmio_write(HPET_CONFIG, 1);
	ioapic_route(pin, 0, MASK, 0);
}

static volatile u32 rtc_count;

static void on_rtc(struct frame *frame)
{
	cmos(0xc);
	rtc_count++;
	lapic_eoi();
}

static void test_rtc(void)
{
	u8 b = cmos(0xb);

	trap_set(0x62, on_rtc);
	ioapic_route(8, 0x62, 0, 0);
	cmos_set(0xa, (cmos(0xa) & 0xf0) | 6); /* 1024 Hz */
	cmos_set(0xb, b | 0x40);
	cmos(0xc);
	for (u32 n = 0; n < 10; n++)
		if (!wait_change(&rtc_count, n, 1000000))
			break;
	check(rtc_count >= 10, "rtc: periodic interrupt");
	cmos_set(0xb, b & ~0x40);
	ioapic_route(8, 0, MASK, 0);
	check((cmos(0xd) & 0x80) != 0, "rtc: valid time");
	check((cmos(9) & 0xf) <= 9 && cmos(8) <= 0x12 && cmos(8) >= 1, "rtc: a date");
}

/* Channel 2 with its gate: how Linux calibrates without CPUID's help. */
static bool gate_is_right(void)
{
	u64 begin, cycles;

	outb(0x61, (inb(0x61) & ~2) | 1);
	outb(0x43, 0xb0);
	outb(0x42, 0x9c);
	outb(0x42, 0x2e); /* 11932 counts: 10 ms */
	begin = rdtsc();
	while (!(inb(0x61) & 0x20) && rdtsc() - begin < tsc_hz())
		relax();
	cycles = rdtsc() - begin;
	return near(cycles, tsc_hz() / 100, 20);
}

static void test_gate(void)
{
	bool right = false;

	for (u32 i = 0; i < TRIES && !right; i++)
		right = gate_is_right();
	check(right, "pit: gate and output of channel 2");
}

void test_clocks(void)
{
	test_hpet_counter();
	test_hpet_interrupt();
	test_rtc();
	test_gate();
	print("TSC %u Hz\n", tsc_hz());
}
