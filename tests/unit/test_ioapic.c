/* The I/O APIC: registers, messages, remote IRR and EOI. */
/* links: tests/unit/fake_machine.c vmm/machine/pic.c vmm/machine/ioapic.c vmm/machine/irq.c
 * vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

#define LEVEL 0x8000u
#define MASKED 0x10000u
#define REMOTE_IRR 0x4000u

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	pic_attach(m);
	ioapic_attach(m);
	pic_reset(m);
	ioapic_reset(m);
	return m;
}

static u32 get(struct machine *m, u32 index)
{
	fake_write(m, IOAPIC_BASE, 4, index);
	return (u32)fake_read(m, IOAPIC_BASE + 0x10, 4);
}

static void set(struct machine *m, u32 index, u32 value)
{
	fake_write(m, IOAPIC_BASE, 4, index);
	fake_write(m, IOAPIC_BASE + 0x10, 4, value);
}

static struct fake_message last(void)
{
	return fake.messages[(fake.message_count - 1) % ARRAY_SIZE(fake.messages)];
}

static void registers_read_as_they_should(void **state)
{
	struct machine *m = setup();

	assert_int_equal(get(m, 1), 0x00170020);
	set(m, 0, 0xffffffff);
	assert_int_equal(get(m, 0), 0x0f000000);
	for (u32 pin = 0; pin < 24; pin++) {
		assert_int_equal(get(m, 0x10 + 2 * pin), MASKED);
		set(m, 0x10 + 2 * pin, 0xffffffff);
		set(m, 0x11 + 2 * pin, 0xffffffff);
		assert_int_equal(get(m, 0x10 + 2 * pin), 0x1afff); /* no delivery status, no remote IRR */
		assert_int_equal(get(m, 0x11 + 2 * pin), 0xff000000);
	}
	assert_int_equal(get(m, 0x40), 0);
	set(m, 0xff, 1);
	assert_int_equal(fake_read(m, IOAPIC_BASE, 4), 0xff);
}

static void edge_sends_one_message(void **state)
{
	struct machine *m = setup();

	set(m, 0x11 + 2 * 4, 0x03000000);
	set(m, 0x10 + 2 * 4, 0x31);
	machine_irq(m, 4, true);
	machine_irq(m, 4, true);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(last().address, 0xfee03000);
	assert_int_equal(last().data, 0x4031);
	machine_irq(m, 4, false);
	machine_irq(m, 4, true);
	assert_int_equal(fake.message_count, 2);
}

static void forms_of_messages(void **state)
{
	struct machine *m = setup();

	set(m, 0x11 + 2 * 20, 0x81000000);
	set(m, 0x10 + 2 * 20, 0x8952); /* level, logical, lowest priority */
	machine_irq(m, 20, true);
	assert_int_equal(last().address, 0xfee8100c);
	assert_int_equal(last().data, 0xc152);
	set(m, 0x10 + 2 * 5, 0x0400); /* NMI */
	machine_irq(m, 5, true);
	assert_int_equal(last().data, 0x4400);
	set(m, 0x10 + 2 * 6, 0x0700); /* ExtINT: not our wire */
	machine_irq(m, 6, true);
	assert_int_equal(fake.message_count, 2);
}

static void irq0_is_pin_2(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 0x30);
	set(m, 0x14, 0x32);
	machine_irq(m, 0, true);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(last().data & 0xff, 0x32);
	machine_irq(m, 2, true);
	assert_int_equal(fake.message_count, 1);
	machine_irq(m, 24, true);
	machine_irq(m, UINT32_MAX, true);
	assert_int_equal(fake.message_count, 1);
}

static void masked_edge_is_lost_masked_level_waits(void **state)
{
	struct machine *m = setup();

	machine_irq(m, 4, true);
	set(m, 0x18, 0x31);
	assert_int_equal(fake.message_count, 0);
	set(m, 0x10 + 2 * 9, LEVEL | MASKED | 0x39);
	machine_irq(m, 9, true);
	assert_int_equal(fake.message_count, 0);
	set(m, 0x10 + 2 * 9, LEVEL | 0x39);
	assert_int_equal(fake.message_count, 1);
}

static void level_waits_for_its_eoi(void **state)
{
	struct machine *m = setup();

	set(m, 0x10 + 2 * 9, LEVEL | 0x2000 | 0x39); /* polarity: lines are logical */
	machine_irq(m, 9, true);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(get(m, 0x10 + 2 * 9), LEVEL | REMOTE_IRR | 0x2039);
	machine_irq(m, 9, false);
	machine_irq(m, 9, true);
	assert_int_equal(fake.message_count, 1);
	ioapic_eoi(m, 0x40);
	assert_int_equal(fake.message_count, 1);
	ioapic_eoi(m, 0x39); /* still asserted: again */
	assert_int_equal(fake.message_count, 2);
	machine_irq(m, 9, false);
	fake_write(m, IOAPIC_BASE + 0x40, 4, 0x39); /* the EOI register does the same */
	assert_int_equal(fake.message_count, 2);
	assert_int_equal(get(m, 0x10 + 2 * 9), LEVEL | 0x2039);
}

static void change_to_edge_clears_remote_irr(void **state)
{
	struct machine *m = setup();

	set(m, 0x10 + 2 * 9, LEVEL | 0x39);
	machine_irq(m, 9, true);
	set(m, 0x10 + 2 * 9, MASKED | 0x39);
	assert_int_equal(get(m, 0x10 + 2 * 9), MASKED | 0x39);
	set(m, 0x10 + 2 * 9, LEVEL | 0x39);
	assert_int_equal(fake.message_count, 2);
}

static void coalesced_level_is_sent_at_the_others_eoi(void **state)
{
	struct machine *m = setup();

	set(m, 0x10 + 2 * 20, LEVEL | 0x50);
	set(m, 0x10 + 2 * 21, LEVEL | 0x50);
	machine_irq(m, 20, true);
	fake.message_result = 0;
	machine_irq(m, 21, true);
	assert_int_equal(get(m, 0x10 + 2 * 21) & REMOTE_IRR, 0);
	machine_irq(m, 20, false);
	fake.message_result = 1;
	ioapic_eoi(m, 0x50);
	assert_int_equal(fake.message_count, 3);
	assert_int_equal(get(m, 0x10 + 2 * 21) & REMOTE_IRR, REMOTE_IRR);
	assert_int_equal(get(m, 0x10 + 2 * 20) & REMOTE_IRR, 0);
}

static void fuzz(void **state)
{
	struct machine *m = setup();

	for (u32 i = 0; i < 20000; i++) {
		fake_fuzz(m, 1, true, NULL, NULL);
		machine_irq(m, fake_random() % 40, fake_random() & 1);
		ioapic_eoi(m, (u8)fake_random());
		fake.message_result = (int)(fake_random() % 3) - 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_read_as_they_should), cmocka_unit_test(edge_sends_one_message),
		cmocka_unit_test(forms_of_messages), cmocka_unit_test(irq0_is_pin_2),
		cmocka_unit_test(masked_edge_is_lost_masked_level_waits),
		cmocka_unit_test(level_waits_for_its_eoi), cmocka_unit_test(change_to_edge_clears_remote_irr),
		cmocka_unit_test(coalesced_level_is_sent_at_the_others_eoi), cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
