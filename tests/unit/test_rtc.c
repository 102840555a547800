/* The RTC: calendar against the C library's, formats, stopping and setting, interrupts, sizes of memory. */
/* links: tests/unit/fake_machine.c vmm/machine/rtc.c vmm/machine/rtc_time.c vmm/machine/pm.c
 * vmm/machine/pic.c vmm/machine/ioapic.c vmm/machine/irq.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

#include <time.h>

#include "vmm/machine/clock.h"
#include "vmm/machine/rtc_time.h"

#define EPOCH 1709210096ull /* 2024-02-29 12:34:56, a Thursday */
#define SECOND NS_PER_SECOND

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	m->info.epoch = EPOCH;
	m->info.memory = 6 * GIB;
	pic_attach(m);
	ioapic_attach(m);
	rtc_attach(m);
	pic_reset(m);
	ioapic_reset(m);
	rtc_reset(m);
	pm_reset(m);
	m->ioapic.entry[8] = 0x38;
	return m;
}

static u8 get(struct machine *m, u8 index)
{
	fake_out(m, 0x70, 1, index);
	return (u8)fake_in(m, 0x71, 1);
}

static void set(struct machine *m, u8 index, u8 value)
{
	fake_out(m, 0x70, 1, index);
	fake_out(m, 0x71, 1, value);
}

static void check_time(struct machine *m, u32 century, u32 year, u32 month, u32 day, u32 hour, u32 minute,
		       u32 second)
{
	assert_int_equal(get(m, RTC_CENTURY), century);
	assert_int_equal(get(m, RTC_YEAR), year);
	assert_int_equal(get(m, RTC_MONTH), month);
	assert_int_equal(get(m, RTC_DAY), day);
	assert_int_equal(get(m, RTC_HOUR), hour);
	assert_int_equal(get(m, RTC_MINUTE), minute);
	assert_int_equal(get(m, RTC_SECOND), second);
}

static void starts_from_the_wall_clock(void **state)
{
	struct machine *m = setup();

	check_time(m, 0x20, 0x24, 0x02, 0x29, 0x12, 0x34, 0x56);
	assert_int_equal(get(m, RTC_WEEKDAY), 5);
	fake.now = 3 * SECOND + 999999999;
	assert_int_equal(get(m, RTC_SECOND), 0x59);
	fake.now = 4 * SECOND;
	check_time(m, 0x20, 0x24, 0x02, 0x29, 0x12, 0x35, 0x00);
	fake.now = 86400 * SECOND;
	check_time(m, 0x20, 0x24, 0x03, 0x01, 0x12, 0x34, 0x56);
	m = setup();
	m->clock_base = 10 * SECOND + 600000000; /* the host had been up that long */
	rtc_reset(m);
	check_time(m, 0x20, 0x24, 0x02, 0x29, 0x12, 0x35, 0x06);
	fake.now = 400000000;
	assert_int_equal(get(m, RTC_SECOND), 0x07);
}

static void calendar_agrees_with_libc(void **state)
{
	u8 cmos[128] = { [RTC_B] = RTC_B_24H | RTC_B_BINARY };

	for (u64 s = 0; s < 8000ull * 365 * 86400; s += 86400 * 11 + 3671) {
		time_t t = (time_t)s;
		struct tm tm;

		gmtime_r(&t, &tm);
		rtc_time_encode(cmos, RTC_TIME_1970 + s);
		assert_int_equal(cmos[RTC_CENTURY] * 100 + cmos[RTC_YEAR], tm.tm_year + 1900);
		assert_int_equal(cmos[RTC_MONTH], tm.tm_mon + 1);
		assert_int_equal(cmos[RTC_DAY], tm.tm_mday);
		assert_int_equal(cmos[RTC_WEEKDAY], tm.tm_wday + 1);
		assert_int_equal(cmos[RTC_HOUR], tm.tm_hour);
		assert_int_equal(cmos[RTC_MINUTE], tm.tm_min);
		assert_int_equal(cmos[RTC_SECOND], tm.tm_sec);
		assert_int_equal(rtc_time_decode(cmos), RTC_TIME_1970 + s);
	}
}

static void formats_round_trip(void **state)
{
	static const u8 forms[] = { 0, RTC_B_24H, RTC_B_BINARY, RTC_B_24H | RTC_B_BINARY };

	for (u32 form = 0; form < 4; form++) {
		u8 cmos[128] = { [RTC_B] = forms[form] };

		for (u64 s = 0; s < 2 * 86400; s += 613) {
			rtc_time_encode(cmos, RTC_TIME_1970 + s);
			assert_int_equal(rtc_time_decode(cmos), RTC_TIME_1970 + s);
		}
	}
}

static void twelve_hours(void **state)
{
	static const u8 hours[][2] = { { 0, 0x12 }, { 1, 0x01 }, { 11, 0x11 }, { 12, 0x92 }, { 13, 0x81 },
				       { 23, 0x91 } };
	struct machine *m = setup();

	set(m, RTC_B, 0);
	for (u32 i = 0; i < ARRAY_SIZE(hours); i++) {
		fake.now = (hours[i][0] + 24ull - 12) * 3600 * SECOND;
		assert_int_equal(get(m, RTC_HOUR), hours[i][1]);
	}
}

static void setting_stops_the_clock(void **state)
{
	struct machine *m = setup();

	set(m, RTC_B, RTC_B_SET | RTC_B_24H | RTC_B_UIE);
	assert_int_equal(get(m, RTC_B), RTC_B_SET | RTC_B_24H); /* SET clears UIE */
	fake.now = 5 * SECOND + 300000000;
	assert_int_equal(get(m, RTC_SECOND), 0x56);
	set(m, RTC_CENTURY, 0x19);
	set(m, RTC_YEAR, 0x99);
	set(m, RTC_MONTH, 0x12);
	set(m, RTC_DAY, 0x31);
	set(m, RTC_HOUR, 0x23);
	set(m, RTC_MINUTE, 0x59);
	set(m, RTC_SECOND, 0x59);
	set(m, RTC_B, RTC_B_24H);
	check_time(m, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59);
	fake.now = 6 * SECOND;
	check_time(m, 0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00);
}

static void divider_reset_as_linux_sets_time(void **state)
{
	struct machine *m = setup();

	fake.now = 7 * SECOND + 123456789;
	set(m, RTC_B, RTC_B_SET | RTC_B_24H);
	set(m, RTC_A, 0x76);
	set(m, RTC_SECOND, 0x10);
	set(m, RTC_B, RTC_B_24H);
	fake.now += 5 * SECOND;
	assert_int_equal(get(m, RTC_SECOND), 0x10);
	set(m, RTC_A, 0x26);
	fake.now += 499999999;
	assert_int_equal(get(m, RTC_SECOND), 0x10);
	fake.now += 1;
	assert_int_equal(get(m, RTC_SECOND), 0x11);
}

static void fields_can_be_set_while_it_runs(void **state)
{
	struct machine *m = setup();

	set(m, RTC_MONTH, 0x01);
	set(m, RTC_CENTURY, 0x19); /* 1924 for a moment: before 1970 */
	set(m, RTC_YEAR, 0x70);
	check_time(m, 0x19, 0x70, 0x01, 0x29, 0x12, 0x34, 0x56);
}

static void update_in_progress(void **state)
{
	struct machine *m = setup();

	assert_int_equal(get(m, RTC_A), 0x26);
	fake.now = SECOND - 244000;
	assert_int_equal(get(m, RTC_A), 0xa6);
	fake.now = SECOND;
	assert_int_equal(get(m, RTC_A), 0x26);
	set(m, RTC_B, RTC_B_SET);
	fake.now = 2 * SECOND - 1;
	assert_int_equal(get(m, RTC_A), 0x26);
	set(m, RTC_A, 0xa6);
	assert_int_equal(get(m, RTC_A), 0x26);
}

static void periodic_interrupts(void **state)
{
	struct machine *m = setup();

	assert_int_equal(rtc_deadline(m), NEVER);
	set(m, RTC_B, RTC_B_24H | RTC_B_PIE);
	fake.rescheduled = NEVER;
	for (u32 i = 1; i <= 1024; i++) {
		assert_int_equal(fake_run(m, clock_ns(i, 1024), 0, rtc_deadline, rtc_tick), 1);
		assert_int_equal(rtc_deadline(m), NEVER); /* until register C is read */
		assert_int_equal(get(m, RTC_C) & 0xc0, 0xc0);
		assert_int_equal(get(m, RTC_C), 0);
	}
	assert_int_equal(fake.message_count, 1024);
	assert_int_not_equal(fake.rescheduled, NEVER);
	set(m, RTC_A, 0x21); /* 256 Hz */
	assert_int_equal(fake_run(m, fake.now + 4000000, 0, rtc_deadline, rtc_tick), 1);
	get(m, RTC_C);
	set(m, RTC_A, 0x20); /* none */
	assert_int_equal(rtc_deadline(m), NEVER);
}

static void update_interrupts(void **state)
{
	struct machine *m = setup();

	fake.now = 250000000;
	set(m, RTC_B, RTC_B_24H | RTC_B_UIE);
	assert_int_equal(rtc_deadline(m), SECOND);
	assert_int_equal(fake_run(m, SECOND, 0, rtc_deadline, rtc_tick), 1);
	assert_int_equal(get(m, RTC_C) & 0x90, 0x90);
	assert_int_equal(rtc_deadline(m), 2 * SECOND);
}

static void alarm_goes_off(void **state)
{
	struct machine *m = setup();

	m->ioapic.entry[9] = 0x39 | 0x8000;
	set(m, RTC_HOUR_ALARM, 0x12);
	set(m, RTC_MINUTE_ALARM, 0x36);
	set(m, RTC_SECOND_ALARM, 0x01);
	set(m, RTC_B, RTC_B_24H | RTC_B_AIE);
	assert_int_equal(rtc_deadline(m), 65 * SECOND);
	fake_run(m, 65 * SECOND, 0, rtc_deadline, rtc_tick);
	assert_int_equal(get(m, RTC_C) & 0xa0, 0xa0);
	assert_int_equal(rtc_deadline(m), (65 + 86400) * SECOND);
	assert_int_equal(m->pm.status, 0x400);
	set(m, RTC_SECOND_ALARM, 0xff); /* any second */
	set(m, RTC_MINUTE_ALARM, 0x40);
	assert_int_equal(rtc_deadline(m), (4 + 5 * 60) * SECOND);
	set(m, RTC_HOUR_ALARM, 0xc0);
	set(m, RTC_MINUTE_ALARM, 0xc0);
	assert_int_equal(rtc_deadline(m), 66 * SECOND);
	set(m, RTC_HOUR_ALARM, 0x99);
	assert_int_equal(rtc_deadline(m), NEVER);
}

static void flags_are_seen_without_interrupts(void **state)
{
	struct machine *m = setup();

	set(m, RTC_HOUR_ALARM, 0x12);
	set(m, RTC_MINUTE_ALARM, 0x35);
	set(m, RTC_SECOND_ALARM, 0xff);
	fake.now = 3 * SECOND;
	assert_int_equal(get(m, RTC_C), 0x50);
	fake.now = 90 * SECOND;
	assert_int_equal(get(m, RTC_C), 0x70);
	assert_int_equal(fake.message_count, 0);
}

static void memory_is_told(void **state)
{
	struct machine *m = setup();

	assert_int_equal(get(m, 0x15) | get(m, 0x16) << 8, 640);
	assert_int_equal(get(m, 0x30) | get(m, 0x31) << 8, 0xffff);
	assert_int_equal(get(m, 0x34) | get(m, 0x35) << 8, (3 * GIB - 16 * MIB) / 65536);
	assert_int_equal(get(m, 0x5b) | get(m, 0x5c) << 8 | get(m, 0x5d) << 16, 3 * GIB / 65536);
	m->info.memory = 8 * MIB;
	rtc_reset(m);
	assert_int_equal(get(m, 0x17) | get(m, 0x18) << 8, 7 * 1024);
	assert_int_equal(get(m, 0x34) | get(m, 0x35) << 8, 0);
	set(m, RTC_SHUTDOWN, 0x0a);
	assert_int_equal(get(m, RTC_SHUTDOWN), 0x0a);
	assert_int_equal(get(m, RTC_D), 0x80);
	assert_int_equal(fake_in(m, 0x70, 1), 0xff);
}

static void fuzz(void **state)
{
	fake_fuzz(setup(), 100000, true, rtc_deadline, rtc_tick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_from_the_wall_clock), cmocka_unit_test(calendar_agrees_with_libc),
		cmocka_unit_test(formats_round_trip), cmocka_unit_test(twelve_hours),
		cmocka_unit_test(setting_stops_the_clock), cmocka_unit_test(divider_reset_as_linux_sets_time),
		cmocka_unit_test(fields_can_be_set_while_it_runs), cmocka_unit_test(update_in_progress),
		cmocka_unit_test(periodic_interrupts), cmocka_unit_test(update_interrupts),
		cmocka_unit_test(alarm_goes_off), cmocka_unit_test(flags_are_seen_without_interrupts),
		cmocka_unit_test(memory_is_told), cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
