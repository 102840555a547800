/* The HPET: counter, one-shot and periodic timers, routes, status. */
/* links: tests/unit/fake_machine.c vmm/machine/hpet.c vmm/machine/backlog.c vmm/machine/pic.c
 * vmm/machine/ioapic.c vmm/machine/irq.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

#define MS 1000000ull

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	pic_attach(m);
	ioapic_attach(m);
	hpet_attach(m);
	pic_reset(m);
	ioapic_reset(m);
	hpet_reset(m);
	m->ioapic.entry[2] = 0x30;
	m->ioapic.entry[8] = 0x38;
	m->ioapic.entry[20] = 0x50;
	m->ioapic.entry[21] = 0x8051;
	return m;
}

static u64 get(struct machine *m, u32 reg)
{
	return fake_read(m, HPET_BASE + reg, 8);
}

static void set(struct machine *m, u32 reg, u64 value)
{
	fake_write(m, HPET_BASE + reg, 8, value);
}

static u32 run(struct machine *m, u64 until)
{
	return fake_run(m, until, 0, hpet_deadline, hpet_tick);
}

static void capabilities(void **state)
{
	struct machine *m = setup();

	assert_int_equal(get(m, 0), 0x009896808086a201);
	assert_int_equal(fake_read(m, HPET_BASE + 4, 4), 10000000); /* femtoseconds a tick */
	assert_int_equal(fake_read(m, HPET_BASE + 2, 2), 0x8086);
	for (u32 n = 0; n < 3; n++)
		assert_int_equal(get(m, 0x100 + 0x20 * n), 0x00f0000000008030);
	assert_int_equal(get(m, 0x160), 0);
	set(m, 0, UINT64_MAX);
	assert_int_equal(get(m, 0), 0x009896808086a201);
	set(m, 0x120, UINT64_MAX);
	assert_int_equal(get(m, 0x120), 0x00f000000000ff7e);
}

static void counter_runs_and_halts(void **state)
{
	struct machine *m = setup();

	fake.now = 5 * MS;
	assert_int_equal(get(m, 0xf0), 0);
	set(m, 0xf0, 0x123456789abc);
	set(m, 0x10, 1);
	fake.now += 10 * MS;
	assert_int_equal(get(m, 0xf0), 0x123456789abc + MS);
	assert_int_equal(fake_read(m, HPET_BASE + 0xf4, 4), 0x1234);
	set(m, 0xf0, 7); /* not while it runs */
	assert_int_equal(get(m, 0xf0), 0x123456789abc + MS);
	set(m, 0x10, 0);
	fake.now += 10 * MS;
	assert_int_equal(get(m, 0xf0), 0x123456789abc + MS);
	fake_write(m, HPET_BASE + 0xf0, 4, 9);
	assert_int_equal(get(m, 0xf0), 0x123400000009);
	set(m, 0x10, 1);
	fake.now += 10;
	assert_int_equal(get(m, 0xf0), 0x12340000000a);
}

static void one_shot_fires_once(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 1);
	set(m, 0x140, 20 << 9 | 4);
	assert_int_equal(hpet_deadline(m), NEVER);
	set(m, 0x148, 100000);
	assert_int_equal(hpet_deadline(m), MS);
	assert_int_equal(fake.rescheduled, MS);
	assert_int_equal(run(m, 10 * MS), 1);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(fake.messages[0].data & 0xff, 0x50);
	set(m, 0x148, 200); /* passed already: in 5,800 years */
	assert_int_equal(hpet_deadline(m), NEVER);
	set(m, 0x148, get(m, 0xf0)); /* just now */
	run(m, 11 * MS);
	assert_int_equal(fake.message_count, 2);
}

static void short_timer_wraps_with_32_bits(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 1);
	set(m, 0x140, 20 << 9 | 4 | 0x100);
	set(m, 0x148, 0xffffffff00001000);
	assert_int_equal(get(m, 0x148), 0x1000);
	run(m, 100000 * MS); /* 2^32 ticks are 42.9 s */
	assert_int_equal(fake.message_count, 3);
}

/* hpet_set_periodic() of Linux */
static void periodic_as_linux_sets_it(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 3);
	fake.now = MS;
	fake_write(m, HPET_BASE + 0x100, 4, 0x14c); /* enable, periodic, set, 32 bit */
	fake_write(m, HPET_BASE + 0x108, 4, 100000 + 400000);
	assert_int_equal(get(m, 0x100) & 0x40, 0);
	fake_write(m, HPET_BASE + 0x108, 4, 400000);
	assert_int_equal(get(m, 0x108), 500000);
	assert_int_equal(run(m, 1001 * MS), 250);
	assert_int_equal(fake.message_count, 250);
	assert_int_equal(fake.messages[0].data & 0xff, 0x30); /* IRQ 0 by the legacy route */
	assert_true(m->hpet.timer[0].comparator > get(m, 0xf0));
	fake.now += 100 * MS; /* the host was busy: up to 8 are made up for */
	hpet_tick(m, fake.now);
	run(m, fake.now + 400 * MS);
	assert_in_range(fake.message_count, 250 + 100 + 7, 250 + 100 + 9);
	assert_in_range(m->hpet.timer[0].backlog.coalesced, 15, 18);
}

static void tiny_periods_are_bounded(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 1);
	set(m, 0x100, 4 | 8 | 0x40 | 20 << 9);
	set(m, 0x108, 1);
	assert_in_range(run(m, 10 * MS), 1, 10 * MS / BACKLOG_SPACING_MIN + 1);
}

static void level_timer_holds_its_line(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 1);
	set(m, 0x120, 21 << 9 | 2 | 4);
	set(m, 0x128, 1000);
	run(m, MS);
	assert_int_equal(get(m, 0x20), 2);
	assert_true(m->ioapic.lines & BIT(21));
	set(m, 0x20, 5); /* others' bits */
	assert_true(m->ioapic.lines & BIT(21));
	set(m, 0x20, 2);
	assert_false(m->ioapic.lines & BIT(21));
	assert_int_equal(get(m, 0x20), 0);
	set(m, 0x128, 200000);
	run(m, 3 * MS);
	assert_true(m->ioapic.lines & BIT(21));
	set(m, 0x120, 21 << 9 | 2);
	assert_false(m->ioapic.lines & BIT(21));
}

static void shared_line_waits_for_both(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 1);
	for (u32 n = 1; n < 3; n++) {
		set(m, 0x100 + 0x20 * n, 21 << 9 | 2 | 4);
		set(m, 0x108 + 0x20 * n, 1000);
	}
	run(m, MS);
	assert_int_equal(get(m, 0x20), 6);
	set(m, 0x20, 2);
	assert_true(m->ioapic.lines & BIT(21));
	set(m, 0x20, 4);
	assert_false(m->ioapic.lines & BIT(21));
}

static void messages_go_straight(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 1);
	set(m, 0x140, 0x4004);
	set(m, 0x150, 0xfee0100000000061);
	set(m, 0x148, 1000);
	run(m, MS);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(fake.messages[0].address, 0xfee01000);
	assert_int_equal(fake.messages[0].data, 0x61);
}

static void legacy_route_of_timer_1(void **state)
{
	struct machine *m = setup();

	set(m, 0x10, 3);
	set(m, 0x120, 4);
	set(m, 0x128, 1000);
	set(m, 0x140, 4); /* route 0 is not offered */
	set(m, 0x148, 1000);
	run(m, MS);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(fake.messages[0].data & 0xff, 0x38);
	assert_true(hpet_legacy(&m->hpet));
	set(m, 0x10, 0);
	assert_false(hpet_legacy(&m->hpet));
	assert_int_equal(hpet_deadline(m), NEVER);
}

static void fuzz(void **state)
{
	fake_fuzz(setup(), 150000, true, hpet_deadline, hpet_tick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities), cmocka_unit_test(counter_runs_and_halts),
		cmocka_unit_test(one_shot_fires_once), cmocka_unit_test(short_timer_wraps_with_32_bits),
		cmocka_unit_test(periodic_as_linux_sets_it), cmocka_unit_test(tiny_periods_are_bounded),
		cmocka_unit_test(level_timer_holds_its_line), cmocka_unit_test(shared_line_waits_for_both),
		cmocka_unit_test(messages_go_straight), cmocka_unit_test(legacy_route_of_timer_1),
		cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
