/* ACPI fixed hardware: events and SCI, sleeping, the timer, the reset register. */
/* links: tests/unit/fake_machine.c vmm/machine/pm.c vmm/machine/pci.c vmm/machine/pic.c vmm/machine/ioapic.c
 * vmm/machine/irq.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"
#include "vmm/machine/clock.h"

#define SCI_LEVEL 0x8000u

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	pic_attach(m);
	ioapic_attach(m);
	pm_attach(m);
	pci_attach(m); /* owns CF9h's neighbours */
	pic_reset(m);
	ioapic_reset(m);
	pm_reset(m);
	pci_reset(m);
	m->ioapic.entry[9] = SCI_LEVEL | 0x39;
	return m;
}

static bool sci(const struct machine *m)
{
	return m->ioapic.lines & BIT(9);
}

static void power_button_raises_the_sci(void **state)
{
	struct machine *m = setup();

	pm_power_button(m);
	assert_false(sci(m));
	assert_int_equal(fake_in(m, 0x600, 2), 0x100);
	fake_out(m, 0x602, 2, 0xffff);
	assert_int_equal(fake_in(m, 0x602, 2), 0x521); /* only events that exist */
	assert_true(sci(m));
	assert_int_equal(fake.message_count, 1);
	fake_out(m, 0x600, 1, 0xff); /* the wrong byte clears nothing */
	assert_true(sci(m));
	fake_out(m, 0x601, 1, 0x01);
	assert_false(sci(m));
	assert_int_equal(fake_in(m, 0x600, 4), 0x05210000);
	pm_rtc_alarm(m);
	assert_true(sci(m));
	fake_out(m, 0x600, 2, 0x400);
	assert_false(sci(m));
}

static void sci_is_always_enabled(void **state)
{
	struct machine *m = setup();

	assert_int_equal(fake_in(m, 0x604, 2), 1);
	fake_out(m, 0x604, 2, 0);
	assert_int_equal(fake_in(m, 0x604, 2), 1);
	fake_out(m, 0x604, 2, 0x1c02);
	assert_int_equal(fake_in(m, 0x604, 2), 0x1c03);
}

static void s5_powers_off(void **state)
{
	struct machine *m = setup();

	assert_int_equal(FAKE_STOPS(fake_out(m, 0x604, 2, 0x1401)), STOP_NONE); /* type without enable */
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x604, 2, 0x2401)), STOP_NONE); /* S1 is not offered */
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x604, 2, 0x3401)), STOP_POWEROFF);
	assert_int_equal(fake_in(m, 0x604, 2), 0x1401); /* the enable bit reads as 0 */
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x605, 1, 0x34)), STOP_POWEROFF);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x604, 4, 0x3401)), STOP_POWEROFF);
}

static void timer_counts_exactly(void **state)
{
	struct machine *m = setup();

	assert_int_equal(fake_in(m, 0x608, 4), 0);
	for (u64 s = 1; s < 100000; s += 997) {
		fake.now = s * NS_PER_SECOND;
		assert_int_equal(fake_in(m, 0x608, 4), (u32)(s * PM_TIMER_HZ));
		assert_int_equal(fake_in(m, 0x60a, 2), (u32)(s * PM_TIMER_HZ) >> 16);
		assert_int_equal(fake_in(m, 0x609, 1), s * PM_TIMER_HZ >> 8 & 0xff);
	}
	fake_out(m, 0x608, 4, 5);
	assert_int_not_equal(fake_in(m, 0x608, 4), 5);
	assert_int_equal(fake_in(m, 0x60e, 1), 0xff);
}

static void general_purpose_events(void **state)
{
	struct machine *m = setup();

	pm_gpe(m, PM_GPE_CPU);
	assert_int_equal(fake_in(m, 0x60c, 2), 4);
	assert_false(sci(m));
	fake_out(m, 0x60d, 1, 0xff);
	assert_int_equal(fake_in(m, 0x60d, 1), 4); /* only events that exist */
	assert_true(sci(m));
	fake_out(m, 0x60c, 1, 0xfb);
	assert_true(sci(m));
	pm_power_button(m);
	fake_out(m, 0x602, 2, 0x100);
	fake_out(m, 0x60c, 1, 4);
	assert_true(sci(m)); /* the button's */
	fake_out(m, 0x600, 2, 0x100);
	assert_false(sci(m));
	assert_int_equal(fake_in(m, 0x60c, 2), 0x400);
	assert_int_equal(fake_in(m, 0x608, 4), 0); /* the timer ends before them */
}

static void timer_status_at_each_change_of_bit_31(void **state)
{
	struct machine *m = setup();

	assert_int_equal(pm_deadline(m), NEVER);
	fake_out(m, 0x602, 2, 1);
	assert_int_equal(pm_deadline(m), clock_ns(BIT(31), PM_TIMER_HZ));
	fake_run(m, 601 * NS_PER_SECOND, 0, pm_deadline, pm_tick);
	assert_true(sci(m));
	assert_int_equal(pm_deadline(m), NEVER);
	fake_out(m, 0x600, 2, 1);
	assert_false(sci(m));
	assert_int_equal(fake_run(m, 1300 * NS_PER_SECOND, 0, pm_deadline, pm_tick), 1);
	fake_out(m, 0x602, 2, 0);
	fake_out(m, 0x600, 2, 1);
	fake.now = 2000 * NS_PER_SECOND;
	assert_int_equal(fake_in(m, 0x600, 2), 1); /* seen without an interrupt */
}

static void reset_register_resets(void **state)
{
	struct machine *m = setup();

	assert_int_equal(FAKE_STOPS(fake_out(m, 0xcf9, 1, 0x02)), STOP_NONE);
	assert_int_equal(fake_in(m, 0xcf9, 1), 2);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0xcf9, 1, 0x06)), STOP_REBOOT);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0xcf9, 1, 0x0e)), STOP_REBOOT);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0xcf8, 4, 0x80000600)), STOP_NONE);
}

static void fuzz(void **state)
{
	fake_fuzz(setup(), 100000, true, pm_deadline, pm_tick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_button_raises_the_sci), cmocka_unit_test(sci_is_always_enabled),
		cmocka_unit_test(s5_powers_off), cmocka_unit_test(timer_counts_exactly),
		cmocka_unit_test(timer_status_at_each_change_of_bit_31), cmocka_unit_test(reset_register_resets),
		cmocka_unit_test(general_purpose_events), cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
