/* The keyboard controller: resets, and drivers that find nothing plugged in. */
/* links: tests/unit/fake_machine.c vmm/machine/i8042.c vmm/machine/pic.c vmm/machine/ioapic.c
 * vmm/machine/irq.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	i8042_attach(m);
	pic_reset(m);
	ioapic_reset(m);
	i8042_reset(m);
	return m;
}

static u8 status(struct machine *m)
{
	return (u8)fake_in(m, 0x64, 1);
}

/* The answer to a command; there must be one at once. */
static u8 answer(struct machine *m, u8 command)
{
	fake_out(m, 0x64, 1, command);
	assert_int_equal(status(m) & 3, 1);
	return (u8)fake_in(m, 0x60, 1);
}

static void resets(void **state)
{
	struct machine *m = setup();

	assert_int_equal(FAKE_STOPS(fake_out(m, 0x64, 1, 0xfe)), STOP_REBOOT);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x64, 1, 0xff)), STOP_NONE);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x92, 1, 0x02)), STOP_NONE);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x92, 1, 0x03)), STOP_REBOOT);
	fake_out(m, 0x64, 1, 0xd1);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x60, 1, 0xdf)), STOP_NONE);
	fake_out(m, 0x64, 1, 0xd1);
	assert_int_equal(FAKE_STOPS(fake_out(m, 0x60, 1, 0xde)), STOP_REBOOT);
}

static void tests_are_answered(void **state)
{
	struct machine *m = setup();

	assert_int_equal(status(m) & 3, 0);
	assert_int_equal(answer(m, 0xaa), 0x55);
	assert_int_equal(answer(m, 0xab), 0x00);
	assert_int_not_equal(answer(m, 0xa9), 0x00); /* there is no auxiliary port */
	fake_out(m, 0x64, 1, 0x60);
	fake_out(m, 0x60, 1, 0x74);
	assert_int_equal(answer(m, 0x20), 0x74);
	fake_out(m, 0x64, 1, 0xa8);
	assert_int_equal(answer(m, 0x20), 0x54);
	fake_out(m, 0x64, 1, 0xae);
	assert_int_equal(answer(m, 0x20), 0x44);
	assert_int_equal(status(m) & 1, 0);
}

static void nothing_is_plugged_in(void **state)
{
	struct machine *m = setup();

	fake_out(m, 0x60, 1, 0xff);
	assert_int_equal(status(m) & 0x61, 0x41); /* timed out, from the keyboard */
	assert_true(m->ioapic.lines & BIT(1));
	assert_int_equal(fake_in(m, 0x60, 1), 0xfe);
	assert_int_equal(status(m) & 0x61, 0);
	assert_false(m->ioapic.lines & BIT(1));
	fake_out(m, 0x64, 1, 0xd3); /* Linux's AUX_LOOP: comes back as the keyboard's */
	fake_out(m, 0x60, 1, 0x5a);
	assert_int_equal(status(m) & 0x21, 0x01);
	assert_int_equal(fake_in(m, 0x60, 1), 0x5a);
	fake_out(m, 0x64, 1, 0xd4);
	fake_out(m, 0x60, 1, 0xf2);
	assert_int_equal(status(m) & 0x61, 0x61);
	assert_false(m->ioapic.lines & BIT(1));
}

static void endless_repetition_falls_silent(void **state)
{
	struct machine *m = setup();
	u32 answers = 0;

	for (u32 i = 0; i < 1000; i++) {
		fake_out(m, 0x60, 1, 0xed);
		answers += status(m) & 1;
		fake_in(m, 0x60, 1);
	}
	assert_in_range(answers, 1, 10);
	fake_out(m, 0x60, 1, 0xf4); /* another byte is answered again */
	assert_int_equal(status(m) & 1, 1);
}

static void a20_is_remembered(void **state)
{
	struct machine *m = setup();

	assert_int_equal(fake_in(m, 0x92, 1), 2);
	fake_out(m, 0x64, 1, 0xdd);
	assert_int_equal(fake_in(m, 0x92, 1), 0);
	assert_int_equal(answer(m, 0xd0) & 3, 1);
	fake_out(m, 0x92, 1, 2);
	assert_int_equal(answer(m, 0xd0) & 3, 3);
	fake_out(m, 0x64, 1, 0xd1);
	fake_out(m, 0x60, 1, 0xdd);
	assert_int_equal(fake_in(m, 0x92, 1), 0);
}

static void fuzz(void **state)
{
	fake_fuzz(setup(), 100000, true, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resets), cmocka_unit_test(tests_are_answered),
		cmocka_unit_test(nothing_is_plugged_in), cmocka_unit_test(endless_repetition_falls_silent),
		cmocka_unit_test(a20_is_remembered), cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
