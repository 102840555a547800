/* The local APIC's timer: one-shot, periodic, masked, TSC deadline, and waking from HLT. */
#include "tests/guests/apic/apic.h"

static void test_one_shot(const char *mode)
{
	vectors_clear();
	lapic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
	lapic_write(APIC_LVT_TIMER, VECTOR(6));
	lapic_write(APIC_TIMER_INIT, 1000000);
	check(lapic_read(APIC_TIMER_NOW) <= 1000000, named(mode, "timer counts"));
	check(wait_change(&counts[6], 0, 2000000), named(mode, "one-shot timer"));
	check_equal(lapic_read(APIC_TIMER_NOW), 0, named(mode, "one-shot timer is at rest"));
	check(!wait_change(&counts[6], 1, 20000), named(mode, "one-shot timer comes once"));
}

static void test_periodic(const char *mode)
{
	vectors_clear();
	lapic_write(APIC_LVT_TIMER, 0x20000 | VECTOR(7));
	lapic_write(APIC_TIMER_INIT, 2000000);
	for (u32 n = 0; n < 5; n++)
		if (!wait_change(&counts[7], n, 1000000))
			break;
	check(counts[7] >= 5, named(mode, "periodic timer"));
	lapic_write(APIC_LVT_TIMER, 0x30000 | VECTOR(7));
	wait_change(&counts[7], counts[7], 1000);
	check(!wait_change(&counts[7], counts[7], 30000), named(mode, "masked timer is silent"));
	lapic_write(APIC_TIMER_INIT, 0);
}

static void test_deadline(const char *mode)
{
	u64 begin, hz = tsc_hz();

	if (!(cpuid(1, 0).ecx & 1 << 24)) {
		check(false, named(mode, "there is a TSC deadline"));
		return;
	}
	vectors_clear();
	lapic_write(APIC_LVT_TIMER, 0x40000 | VECTOR(8));
	asm volatile("mfence");
	begin = rdtsc();
	wrmsr(MSR_TSC_DEADLINE, begin + hz / 200);
	check(wait_change(&counts[8], 0, 1000000), named(mode, "TSC deadline"));
	check(rdtsc() - begin >= hz / 200, named(mode, "TSC deadline is not early"));
	check_equal(rdmsr(MSR_TSC_DEADLINE), 0, named(mode, "TSC deadline reads 0 after it"));
	wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
	check(wait_change(&counts[8], 1, 100000), named(mode, "TSC deadline in the past comes at once"));
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + hz / 10);
	wrmsr(MSR_TSC_DEADLINE, 0);
	check(!wait_change(&counts[8], 2, 150000), named(mode, "TSC deadline is disarmed by 0"));
}

static void test_halt(const char *mode)
{
	vectors_clear();
	lapic_write(APIC_LVT_TIMER, VECTOR(9));
	for (u32 n = 0; n < 10; n++) {
		lapic_write(APIC_TIMER_INIT, 500000);
		while (counts[9] == n)
			asm volatile("sti; hlt; cli" : : : "memory");
	}
	check_equal(counts[9], 10, named(mode, "timer wakes from HLT"));
	lapic_write(APIC_LVT_TIMER, 0x10000);
}

void test_timer(const char *mode)
{
	test_one_shot(mode);
	test_periodic(mode);
	test_deadline(mode);
	test_halt(mode);
}
