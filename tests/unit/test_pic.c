/* The 8259A pair as a guest programs it. */
/* links: tests/unit/fake_machine.c vmm/machine/pic.c vmm/machine/ioapic.c vmm/machine/irq.c
 * vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

/* ICW1-ICW4 of both chips, as Linux does it: vectors 30h and 38h, everything enabled. */
static struct machine *setup(u8 icw4)
{
	struct machine *m = fake_machine();

	pic_attach(m);
	pic_reset(m);
	for (u32 chip = 0; chip < 2; chip++) {
		u16 port = chip ? 0xa0 : 0x20;

		fake_out(m, port, 1, 0x11);
		fake_out(m, port + 1, 1, chip ? 0x38 : 0x30);
		fake_out(m, port + 1, 1, chip ? 2 : 4);
		fake_out(m, port + 1, 1, icw4);
		fake_out(m, port + 1, 1, 0);
	}
	fake.extint_count = 0;
	return m;
}

static void pulse(struct machine *m, u32 irq)
{
	pic_set(m, irq, false);
	pic_set(m, irq, true);
}

static void masked_after_reset(void **state)
{
	struct machine *m = fake_machine();

	pic_attach(m);
	pic_reset(m);
	pulse(m, 1);
	assert_false(fake.extint);
	assert_int_equal(fake_in(m, 0x21, 1), 0xff);
}

static void edge_is_taken_once(void **state)
{
	struct machine *m = setup(1);

	pulse(m, 4);
	assert_true(fake.extint);
	assert_int_equal(fake_in(m, 0x20, 1), 0x10);
	assert_int_equal(pic_acknowledge(m), 0x34);
	assert_false(fake.extint);
	fake_out(m, 0x20, 1, 0x0b);
	assert_int_equal(fake_in(m, 0x20, 1), 0x10); /* in service */
	fake_out(m, 0x20, 1, 0x20);
	assert_int_equal(fake_in(m, 0x20, 1), 0);
	assert_false(fake.extint); /* the line is still high, but that was one edge */
	pic_set(m, 4, true);
	assert_false(fake.extint);
	pulse(m, 4);
	assert_true(fake.extint);
}

static void output_is_told_on_change_only(void **state)
{
	struct machine *m = setup(1);

	pulse(m, 4);
	pulse(m, 5);
	assert_int_equal(fake.extint_count, 1);
	pic_acknowledge(m);
	assert_int_equal(fake.extint_count, 2);
}

static void slave_goes_through_the_cascade(void **state)
{
	struct machine *m = setup(1);

	pulse(m, 8);
	pulse(m, 12);
	assert_int_equal(pic_acknowledge(m), 0x38);
	assert_false(fake.extint);
	fake_out(m, 0xa0, 1, 0x20);
	assert_false(fake.extint); /* the master's input 2 is still in service */
	fake_out(m, 0x20, 1, 0x20);
	assert_true(fake.extint);
	assert_int_equal(pic_acknowledge(m), 0x3c);
	fake_out(m, 0xa0, 1, 0x64); /* specific */
	fake_out(m, 0x20, 1, 0x62);
	assert_false(fake.extint);
	pulse(m, 9);
	assert_int_equal(pic_acknowledge(m), 0x39);
}

static void priorities_nest(void **state)
{
	struct machine *m = setup(1);

	pulse(m, 5);
	assert_int_equal(pic_acknowledge(m), 0x35);
	pulse(m, 6);
	assert_false(fake.extint);
	pulse(m, 1);
	assert_true(fake.extint);
	assert_int_equal(pic_acknowledge(m), 0x31);
	fake_out(m, 0x20, 1, 0x20); /* ends 1, the highest */
	assert_false(fake.extint);
	fake_out(m, 0x20, 1, 0x20);
	assert_int_equal(pic_acknowledge(m), 0x36);
}

static void lost_request_is_spurious(void **state)
{
	struct machine *m = setup(1);

	pulse(m, 3);
	pic_set(m, 3, false);
	assert_int_equal(pic_acknowledge(m), 0x37);
	fake_out(m, 0x20, 1, 0x0b);
	assert_int_equal(fake_in(m, 0x20, 1), 0); /* nothing is in service */
	pulse(m, 3);
	fake_out(m, 0x21, 1, 0xff); /* masked before the acknowledge */
	assert_int_equal(pic_acknowledge(m), 0x37);
	fake_out(m, 0x21, 1, 0);
	assert_int_equal(pic_acknowledge(m), 0x33);
}

static void levels_ask_until_they_fall(void **state)
{
	struct machine *m = setup(1);

	fake_out(m, 0x4d0, 2, 0xffff);
	assert_int_equal(fake_in(m, 0x4d0, 2), 0xdef8);
	pic_set(m, 9, true);
	assert_int_equal(pic_acknowledge(m), 0x39);
	assert_false(fake.extint);
	fake_out(m, 0xa0, 1, 0x20);
	fake_out(m, 0x20, 1, 0x20);
	assert_true(fake.extint);
	pic_set(m, 9, false);
	assert_false(fake.extint);
	assert_int_equal(pic_acknowledge(m), 0x37);
}

static void spurious_of_the_slave(void **state)
{
	struct machine *m = setup(1);

	pulse(m, 10);
	/* the processor has begun its cycle with the master when the slave's request goes */
	m->pic.chip[1].irr = 0;
	assert_int_equal(pic_acknowledge(m), 0x3f);
	fake_out(m, 0x20, 1, 0x0b);
	assert_int_equal(fake_in(m, 0x20, 1), 4); /* the master does not know: it wants an EOI */
}

static void automatic_eoi_and_rotation(void **state)
{
	struct machine *m = setup(3);

	fake_out(m, 0x20, 1, 0x80); /* rotate in automatic EOI mode */
	pulse(m, 0);
	pulse(m, 1);
	assert_int_equal(pic_acknowledge(m), 0x30);
	assert_true(fake.extint); /* nothing is in service */
	pulse(m, 0);
	assert_int_equal(pic_acknowledge(m), 0x31); /* 0 has the lowest priority now */
	assert_int_equal(pic_acknowledge(m), 0x30);
}

static void rotation_and_set_priority(void **state)
{
	struct machine *m = setup(1);

	fake_out(m, 0x20, 1, 0xc3); /* 3 lowest: 4 is the highest */
	pulse(m, 3);
	pulse(m, 4);
	assert_int_equal(pic_acknowledge(m), 0x34);
	fake_out(m, 0x20, 1, 0xa0); /* rotate on non-specific EOI: 4 lowest */
	pulse(m, 4);
	assert_int_equal(pic_acknowledge(m), 0x33);
	fake_out(m, 0x20, 1, 0xe3); /* rotate on specific EOI */
	assert_int_equal(pic_acknowledge(m), 0x34);
}

static void special_mask_lets_lower_ones_in(void **state)
{
	struct machine *m = setup(1);

	pulse(m, 1);
	pic_acknowledge(m);
	pulse(m, 6);
	assert_false(fake.extint);
	fake_out(m, 0x21, 1, 0x02);
	assert_false(fake.extint);
	fake_out(m, 0x20, 1, 0x68);
	assert_true(fake.extint);
	fake_out(m, 0x20, 1, 0x48);
	assert_false(fake.extint);
}

static void special_fully_nested_slave(void **state)
{
	struct machine *m = setup(0x11);

	pulse(m, 12);
	assert_int_equal(pic_acknowledge(m), 0x3c);
	pulse(m, 8);
	assert_true(fake.extint);
	assert_int_equal(pic_acknowledge(m), 0x38);
}

static void poll_acknowledges(void **state)
{
	struct machine *m = setup(1);

	fake_out(m, 0x20, 1, 0x0c);
	assert_int_equal(fake_in(m, 0x20, 1), 0);
	pulse(m, 5);
	fake_out(m, 0x20, 1, 0x0c);
	assert_int_equal(fake_in(m, 0x20, 1), 0x85);
	assert_false(fake.extint);
	assert_int_equal(fake_in(m, 0x20, 1), 0); /* IRR again */
}

static void single_and_short_initialisation(void **state)
{
	struct machine *m = setup(3);

	fake_out(m, 0x20, 1, 0x12); /* single, no ICW4 */
	fake_out(m, 0x21, 1, 0x47);
	assert_int_equal(m->pic.chip[0].icw4, 0);
	fake_out(m, 0x21, 1, 0xfe);
	assert_int_equal(fake_in(m, 0x21, 1), 0xfe);
	pulse(m, 0);
	assert_int_equal(pic_acknowledge(m), 0x40);
}

static void fuzz(void **state)
{
	struct machine *m = setup(1);

	for (u32 i = 0; i < 20000; i++) {
		fake_fuzz(m, 1, true, NULL, NULL);
		machine_irq(m, fake_random() % 40, fake_random() & 1);
		if (fake_random() % 4 == 0)
			assert_in_range(pic_acknowledge(m), 0, 255);
		assert_int_equal(fake.extint, m->pic.output);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masked_after_reset), cmocka_unit_test(edge_is_taken_once),
		cmocka_unit_test(output_is_told_on_change_only), cmocka_unit_test(slave_goes_through_the_cascade),
		cmocka_unit_test(priorities_nest), cmocka_unit_test(lost_request_is_spurious),
		cmocka_unit_test(levels_ask_until_they_fall), cmocka_unit_test(spurious_of_the_slave),
		cmocka_unit_test(automatic_eoi_and_rotation), cmocka_unit_test(rotation_and_set_priority),
		cmocka_unit_test(special_mask_lets_lower_ones_in), cmocka_unit_test(special_fully_nested_slave),
		cmocka_unit_test(poll_acknowledges), cmocka_unit_test(single_and_short_initialisation),
		cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
