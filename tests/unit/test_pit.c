/* The 8254: counting in all modes, latches, port 61h, IRQ 0 on time and late. */
/* links: tests/unit/fake_machine.c vmm/machine/pit.c vmm/machine/pit_counter.c vmm/machine/backlog.c
 * vmm/machine/pic.c vmm/machine/ioapic.c vmm/machine/irq.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"
#include "vmm/machine/clock.h"

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	pic_attach(m);
	ioapic_attach(m);
	pit_attach(m);
	pic_reset(m);
	ioapic_reset(m);
	pit_reset(m);
	m->ioapic.entry[2] = 0x30; /* IRQ 0: every edge is a message */
	return m;
}

/* Sets time to tick n of the PIT since at. */
static void at_tick(u64 since, u64 n)
{
	fake.now = clock_ns(clock_ticks(since, PIT_HZ) + n, PIT_HZ);
}

static u32 read_count(struct machine *m, u32 channel)
{
	u32 low;

	fake_out(m, 0x43, 1, channel << 6);
	low = (u32)fake_in(m, (u16)(0x40 + channel), 1);
	return low | (u32)fake_in(m, (u16)(0x40 + channel), 1) << 8;
}

static void program(struct machine *m, u32 channel, u32 mode, u32 count)
{
	fake_out(m, 0x43, 1, channel << 6 | 0x30 | mode << 1);
	fake_out(m, (u16)(0x40 + channel), 1, count & 0xff);
	fake_out(m, (u16)(0x40 + channel), 1, count >> 8);
}

static bool out2(struct machine *m)
{
	return fake_in(m, 0x61, 1) & 0x20;
}

static void time_converts_exactly(void **state)
{
	for (u64 s = 0; s < 400ull * 365 * 86400; s = s * 3 + 1) {
		assert_int_equal(clock_ticks(s * NS_PER_SECOND, PIT_HZ), s * PIT_HZ);
		for (u64 n = s; n < s + 3; n++) {
			assert_int_equal(clock_ticks(clock_ns(n, PIT_HZ), PIT_HZ), n);
			if (n)
				assert_int_equal(clock_ticks(clock_ns(n, PIT_HZ) - 1, PIT_HZ), n - 1);
		}
	}
	assert_int_equal(clock_ns(UINT64_MAX, PIT_HZ), UINT64_MAX);
	assert_int_equal(clock_ns(UINT64_MAX, 100), UINT64_MAX);
}

static void mode_0_counts_down_once(void **state)
{
	struct machine *m = setup();

	fake.now = 12345678;
	fake_out(m, 0x61, 1, 1);
	program(m, 2, 0, 1000);
	assert_false(out2(m));
	at_tick(12345678, 1);
	assert_int_equal(read_count(m, 2), 1000);
	at_tick(12345678, 11);
	assert_int_equal(read_count(m, 2), 990);
	at_tick(12345678, 1000);
	assert_int_equal(read_count(m, 2), 1);
	assert_false(out2(m));
	at_tick(12345678, 1001);
	assert_true(out2(m));
	at_tick(12345678, 1003);
	assert_int_equal(read_count(m, 2), 0xfffe); /* it goes on counting */
	assert_true(out2(m));
	fake_out(m, 0x42, 1, 5); /* half a count stops it */
	assert_false(out2(m));
}

static void gate_holds_mode_0(void **state)
{
	struct machine *m = setup();

	fake_out(m, 0x61, 1, 0);
	program(m, 2, 0, 100);
	at_tick(0, 500);
	assert_int_equal(read_count(m, 2), 100);
	fake_out(m, 0x61, 1, 1);
	at_tick(0, 540);
	assert_int_equal(read_count(m, 2), 60);
	fake_out(m, 0x61, 1, 0);
	at_tick(0, 900);
	assert_int_equal(read_count(m, 2), 60);
	fake_out(m, 0x61, 1, 1);
	at_tick(0, 959);
	assert_false(out2(m));
	at_tick(0, 960);
	assert_true(out2(m));
}

static void mode_1_is_triggered_by_the_gate(void **state)
{
	struct machine *m = setup();

	program(m, 2, 1, 50);
	assert_true(out2(m));
	at_tick(0, 100);
	assert_true(out2(m));
	fake_out(m, 0x61, 1, 1);
	at_tick(0, 101);
	assert_false(out2(m));
	assert_int_equal(read_count(m, 2), 50);
	at_tick(0, 131);
	fake_out(m, 0x61, 1, 0); /* the level does not matter, the next rise does */
	fake_out(m, 0x61, 1, 1);
	at_tick(0, 181);
	assert_false(out2(m));
	at_tick(0, 182);
	assert_true(out2(m));
}

static void mode_2_divides(void **state)
{
	struct machine *m = setup();

	fake_out(m, 0x61, 1, 1);
	program(m, 2, 2, 10);
	for (u32 n = 0; n < 40; n++) {
		at_tick(0, n + 1);
		assert_int_equal(read_count(m, 2), 10 - n % 10);
		assert_int_equal(out2(m), n % 10 != 9);
	}
	fake_out(m, 0x42, 1, 4); /* a new count waits for the end of the period */
	fake_out(m, 0x42, 1, 0);
	at_tick(0, 41);
	assert_int_equal(read_count(m, 2), 4);
	at_tick(0, 44);
	assert_int_equal(read_count(m, 2), 1);
	at_tick(0, 45);
	assert_int_equal(read_count(m, 2), 4);
	fake_out(m, 0x61, 1, 0);
	assert_true(out2(m));
	fake_out(m, 0x61, 1, 1); /* the rise of the gate starts the period anew */
	at_tick(0, 46);
	assert_int_equal(read_count(m, 2), 4);
}

static void new_count_waits_for_its_period(void **state)
{
	struct machine *m = setup();

	fake_out(m, 0x61, 1, 1);
	program(m, 2, 2, 10);
	at_tick(0, 5);
	fake_out(m, 0x42, 1, 7);
	fake_out(m, 0x42, 1, 0);
	at_tick(0, 10);
	assert_int_equal(read_count(m, 2), 1);
	at_tick(0, 11);
	assert_int_equal(read_count(m, 2), 7);
	at_tick(0, 18);
	assert_int_equal(read_count(m, 2), 7);
}

static void mode_3_is_a_square_wave(void **state)
{
	struct machine *m = setup();
	static const u8 even[] = { 6, 4, 2, 6, 4, 2 }, odd[] = { 6, 4, 2, 0, 6, 4, 2 };

	fake_out(m, 0x61, 1, 1);
	program(m, 2, 3, 6);
	for (u32 n = 0; n < 18; n++) {
		at_tick(0, n + 1);
		assert_int_equal(read_count(m, 2), even[n % 6]);
		assert_int_equal(out2(m), n % 6 < 3);
	}
	fake.now = NS_PER_SECOND;
	program(m, 2, 3, 7);
	for (u32 n = 0; n < 21; n++) {
		at_tick(NS_PER_SECOND, n + 1);
		assert_int_equal(read_count(m, 2), odd[n % 7]);
		assert_int_equal(out2(m), n % 7 < 4);
	}
}

static void modes_4_and_5_strobe(void **state)
{
	struct machine *m = setup();

	fake_out(m, 0x61, 1, 1);
	program(m, 2, 4, 20);
	for (u32 n = 0; n < 60; n++) {
		at_tick(0, n);
		assert_int_equal(out2(m), n != 21);
	}
	fake.now = NS_PER_SECOND;
	program(m, 2, 5, 20);
	fake_out(m, 0x61, 1, 0);
	fake_out(m, 0x61, 1, 1);
	for (u32 n = 0; n < 60; n++) {
		at_tick(NS_PER_SECOND, n);
		assert_int_equal(out2(m), n != 21);
	}
}

static void bcd_counts_in_decimal(void **state)
{
	struct machine *m = setup();

	fake_out(m, 0x61, 1, 1);
	fake_out(m, 0x43, 1, 0xb1); /* channel 2, both bytes, mode 0, BCD */
	fake_out(m, 0x42, 1, 0x00);
	fake_out(m, 0x42, 1, 0x10);
	at_tick(0, 2);
	assert_int_equal(read_count(m, 2), 0x0999);
	at_tick(0, 1002);
	assert_int_equal(read_count(m, 2), 0x9999);
	program(m, 2, 2, 0); /* 0 is 65536 */
	assert_int_equal(m->pit.counter[2].count, 65536);
	at_tick(0, 1003);
	assert_int_equal(read_count(m, 2), 0);
}

static void halves_and_latches(void **state)
{
	struct machine *m = setup();

	fake_out(m, 0x43, 1, 0x14); /* channel 0, low byte, mode 2 */
	fake_out(m, 0x40, 1, 200);
	at_tick(0, 11);
	assert_int_equal(fake_in(m, 0x40, 1), 190);
	fake_out(m, 0x43, 1, 0x00);
	at_tick(0, 21);
	fake_out(m, 0x43, 1, 0x00); /* ignored: the first is not read yet */
	assert_int_equal(fake_in(m, 0x40, 1), 190);
	assert_int_equal(fake_in(m, 0x40, 1), 180);
	fake_out(m, 0x43, 1, 0x24); /* high byte */
	fake_out(m, 0x40, 1, 0x12);
	at_tick(0, 22);
	assert_int_equal(fake_in(m, 0x40, 1), 0x12);
	at_tick(0, 23);
	assert_int_equal(fake_in(m, 0x40, 1), 0x11);
}

static void read_back_gives_status_first(void **state)
{
	struct machine *m = setup();

	program(m, 0, 2, 0x1234);
	fake_out(m, 0x43, 1, 0xe2); /* status of channel 0: the count is not loaded yet */
	assert_int_equal(fake_in(m, 0x40, 1), 0xf4);
	at_tick(0, 1);
	fake_out(m, 0x43, 1, 0xc2); /* status and count */
	at_tick(0, 9);
	assert_int_equal(fake_in(m, 0x40, 1), 0xb4);
	assert_int_equal(fake_in(m, 0x40, 1), 0x34);
	assert_int_equal(fake_in(m, 0x40, 1), 0x12);
	assert_int_equal(fake_in(m, 0x40, 1), 0x2c);
	fake_out(m, 0x43, 1, 0xdc); /* counts of 1 and 2 */
	assert_int_equal(m->pit.counter[0].latched, 0);
	assert_int_equal(m->pit.counter[1].latched, 2);
	assert_int_equal(m->pit.counter[2].latched, 2);
}

static void port_61_toggles(void **state)
{
	struct machine *m = setup();
	u64 before = fake_in(m, 0x61, 1) & 0x10;

	fake.now += 15085;
	assert_int_not_equal(fake_in(m, 0x61, 1) & 0x10, before);
	fake_out(m, 0x61, 1, 0xff);
	assert_int_equal(fake_in(m, 0x61, 1) & 0xcf, 0x0f);
}

static void irq_0_comes_at_hz(void **state)
{
	struct machine *m = setup();

	program(m, 0, 2, 11932); /* HZ=100 */
	assert_int_not_equal(fake.rescheduled, NEVER);
	assert_int_equal(fake.rescheduled, clock_ns(11933, PIT_HZ));
	fake_run(m, 100 * NS_PER_SECOND, 0, pit_deadline, pit_tick);
	assert_int_equal(fake.message_count, 100ull * PIT_HZ / 11932);
	assert_int_equal(m->pit.backlog.coalesced, 0);
	program(m, 0, 3, 0);
	fake.message_count = 0;
	fake_run(m, fake.now + 10 * NS_PER_SECOND, 0, pit_deadline, pit_tick);
	assert_int_equal(fake.message_count, 182);
}

static void a_little_late_loses_nothing(void **state)
{
	struct machine *m = setup();

	program(m, 0, 2, 1193); /* 1 kHz */
	fake_run(m, NS_PER_SECOND, 300000, pit_deadline, pit_tick);
	assert_in_range(fake.message_count, 999, 1000);
}

static void missed_ticks_come_one_by_one(void **state)
{
	struct machine *m = setup();
	u64 before;

	program(m, 0, 2, 1193);
	fake_run(m, 100500000, 0, pit_deadline, pit_tick);
	fake.now += 5000000; /* the host was busy for 5 ticks */
	before = fake.message_count;
	pit_tick(m, fake.now);
	assert_int_equal(fake.message_count, before + 1);
	assert_in_range(pit_deadline(m) - fake.now, 400000, 600000);
	fake_run(m, 200500000, 0, pit_deadline, pit_tick);
	assert_int_equal(fake.message_count, 200);
	fake.now += 3 * NS_PER_SECOND; /* an hour or three seconds: a few are made up for, the rest is counted */
	pit_tick(m, fake.now);
	fake_run(m, fake.now + 100000000, 0, pit_deadline, pit_tick);
	assert_in_range(fake.message_count, 200 + 100 + 6, 200 + 100 + BACKLOG_MAX + 1);
	assert_in_range(m->pit.backlog.coalesced, 3000 - BACKLOG_MAX - 2, 3000);
}

static void tiny_periods_are_bounded(void **state)
{
	struct machine *m = setup();

	program(m, 0, 2, 1);
	assert_in_range(fake_run(m, 10000000, 0, pit_deadline, pit_tick), 1, 10000000 / BACKLOG_SPACING_MIN + 1);
}

static void one_shots_fire_once(void **state)
{
	struct machine *m = setup();

	program(m, 0, 0, 1193);
	assert_int_equal(fake_run(m, NS_PER_SECOND, 0, pit_deadline, pit_tick), 1);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(pit_deadline(m), NEVER);
	program(m, 0, 4, 1193); /* Linux's one-shot clock event */
	assert_int_equal(fake_run(m, 2 * NS_PER_SECOND, 0, pit_deadline, pit_tick), 1);
	assert_int_equal(fake.message_count, 2);
	program(m, 0, 2, 1193);
	fake_out(m, 0x43, 1, 0x30); /* a control word alone stops it */
	assert_int_equal(pit_deadline(m), NEVER);
	program(m, 0, 1, 100); /* never triggered: gate 0 is wired high */
	assert_int_equal(pit_deadline(m), NEVER);
}

static void hpet_takes_irq_0(void **state)
{
	struct machine *m = setup();

	m->hpet.config = 3;
	program(m, 0, 2, 1193);
	fake_run(m, 100000000, 0, pit_deadline, pit_tick);
	assert_int_equal(fake.message_count, 0);
}

static void fuzz(void **state)
{
	fake_fuzz(setup(), 100000, true, pit_deadline, pit_tick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_converts_exactly), cmocka_unit_test(mode_0_counts_down_once),
		cmocka_unit_test(gate_holds_mode_0), cmocka_unit_test(mode_1_is_triggered_by_the_gate),
		cmocka_unit_test(mode_2_divides), cmocka_unit_test(new_count_waits_for_its_period),
		cmocka_unit_test(mode_3_is_a_square_wave), cmocka_unit_test(modes_4_and_5_strobe),
		cmocka_unit_test(bcd_counts_in_decimal), cmocka_unit_test(halves_and_latches),
		cmocka_unit_test(read_back_gives_status_first), cmocka_unit_test(port_61_toggles),
		cmocka_unit_test(irq_0_comes_at_hz), cmocka_unit_test(a_little_late_loses_nothing),
		cmocka_unit_test(missed_ticks_come_one_by_one), cmocka_unit_test(tiny_periods_are_bounded),
		cmocka_unit_test(one_shots_fire_once), cmocka_unit_test(hpet_takes_irq_0), cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
