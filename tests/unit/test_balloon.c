/* The memory balloon: pages are given back by inflating and reporting, statistics, targets, resets, and saving in the
 * midst of it. */
/* links: tests/unit/fake_driver.c tests/unit/fake_machine.c tests/unit/fake_ram.c vmm/machine/balloon.c
 * vmm/machine/virtio.c vmm/machine/virtio_pci.c vmm/machine/msix.c vmm/machine/device.c vmm/machine/pic.c
 * vmm/machine/cpu_hotplug.c
 * vmm/machine/ioapic.c vmm/machine/pit.c vmm/machine/pit_counter.c vmm/machine/backlog.c vmm/machine/rtc.c
 * vmm/machine/rtc_time.c vmm/machine/pm.c vmm/machine/uart.c vmm/machine/pci.c vmm/machine/hpet.c
 * vmm/machine/i8042.c vmm/machine/irq.c vmm/machine/bus.c kernel/lib/string.c */
#include "tests/unit/fake_driver.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/machine/device.h"

#define F_STATS BIT(1)
#define F_POISON BIT(4)
#define F_REPORTING BIT(5)
#define F_ALL (BIT(1) | BIT(2) | BIT(5) | BIT(28))
#define LIST 0x8000    /* page numbers, in the fake RAM */
#define MEMORY 0x100000 /* pages that are given */

static void dirty(void)
{
	memset(fake_ram.bytes + MEMORY, 0xaa, FAKE_RAM - MEMORY);
	memset(fake_ram.discarded, 0, sizeof(fake_ram.discarded));
	fake_ram.discarded_bytes = fake_ram.discards = 0;
}

static struct machine *started(u64 features)
{
	struct machine *m = driver_machine();

	driver_start(m, features, true);
	dirty();
	fake.message_count = 0;
	return m;
}

static u32 *list(void)
{
	return (u32 *)(fake_ram.bytes + LIST);
}

static void inflate(struct machine *m, u32 count)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ LIST, 4 * count, 0, 0 };
	driver_offer(m, Q_INFLATE, 0);
}

static void inflates_in_any_order(void **state)
{
	struct machine *m = started(F_ALL);

	for (u32 i = 0; i < 256; i++)
		list()[i] = MEMORY / PAGE_SIZE + i;
	inflate(m, 256);
	driver_settle(m);
	assert_int_equal(fake_ram.discarded_bytes, MIB);
	assert_int_equal(fake_ram.discards, 1);
	assert_int_equal(driver_used(Q_INFLATE)[1], 1);
	assert_int_equal(fake.message_count, 1);
	dirty();
	for (u32 i = 0; i < 256; i++)
		list()[i] = MEMORY / PAGE_SIZE + 255 - i;
	inflate(m, 256);
	driver_settle(m);
	assert_int_equal(fake_ram.discards, 1);
	dirty();
	for (u32 i = 0; i < 256; i++)
		list()[i] = MEMORY / PAGE_SIZE + 2 * i;
	inflate(m, 256);
	assert_true(driver_settle(m) >= 256 / 16); /* bounded pieces */
	assert_int_equal(fake_ram.discarded_bytes, MIB);
	for (u32 i = 0; i < 512; i++)
		assert_int_equal(fake_ram.discarded[MEMORY / PAGE_SIZE + i], !(i & 1));
	assert_int_equal(fake_ram.bytes[MEMORY + PAGE_SIZE], 0xaa);
	assert_int_equal(fake_ram.stats.inflated, 3 * MIB);
	fake_write(m, driver_device + 4, 4, 768);
	assert_int_equal(fake_ram.stats.balloon, 3 * MIB);
}

static void odd_lists_are_taken(void **state)
{
	struct machine *m = started(F_ALL);

	list()[0] = MEMORY / PAGE_SIZE;
	list()[1] = UINT32_MAX;                /* no memory */
	list()[2] = FAKE_RAM / PAGE_SIZE - 1;
	list()[3] = FAKE_RAM / PAGE_SIZE;      /* the run goes beyond: nothing of it is taken */
	list()[4] = MEMORY / PAGE_SIZE + 5;
	list()[5] = MEMORY / PAGE_SIZE + 5;    /* twice */
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ LIST, 6, D_NEXT, 1 }; /* and a half */
	driver_table_of(Q_INFLATE)[1] = (struct driver_desc){ LIST + 4, 20, D_NEXT, 2 };
	driver_table_of(Q_INFLATE)[2] = (struct driver_desc){ LIST, 0, 0, 0 };
	driver_offer(m, Q_INFLATE, 0);
	driver_settle(m);
	assert_int_equal(driver_used(Q_INFLATE)[1], 1);
	assert_int_equal(fake_ram.discarded[MEMORY / PAGE_SIZE], 1);
	assert_int_equal(fake_ram.discarded[MEMORY / PAGE_SIZE + 5], 2);
	assert_int_equal(fake_ram.discarded_bytes, 3 * PAGE_SIZE);
	assert_int_equal(driver_get(m, R_STATUS, 1), 0x0f);
}

static void deflating_costs_nothing(void **state)
{
	struct machine *m = started(F_ALL);

	list()[0] = MEMORY / PAGE_SIZE;
	driver_table_of(Q_DEFLATE)[0] = (struct driver_desc){ LIST, 4, 0, 0 };
	driver_offer(m, Q_DEFLATE, 0);
	driver_settle(m);
	assert_int_equal(driver_used(Q_DEFLATE)[1], 1);
	assert_int_equal(fake_ram.discards, 0);
}

static void report(struct machine *m, u32 queue)
{
	struct driver_desc *table = (struct driver_desc *)(fake_ram.bytes + LIST);

	table[0] = (struct driver_desc){ MEMORY, 2 * MIB + 0x1000, D_WRITE | D_NEXT, 1 };
	table[1] = (struct driver_desc){ MEMORY + 0x280800, 0x2000, D_WRITE, 0 }; /* one whole page of it */
	driver_table_of(queue)[4] = (struct driver_desc){ LIST, 32, D_INDIRECT, 0 };
	driver_offer(m, queue, 4);
}

static void reports_in_either_queue(void **state)
{
	for (u32 queue = Q_REPORT; queue <= Q_REPORT_TOO; queue++) {
		struct machine *m = started(F_ALL);

		report(m, queue);
		assert_true(driver_settle(m) >= 3);
		assert_int_equal(fake_ram.discarded_bytes, 2 * MIB + 0x2000);
		assert_int_equal(fake_ram.discarded[(MEMORY + 0x281000) / PAGE_SIZE], 1);
		assert_int_equal(fake_ram.stats.reported, 2 * MIB + 0x2000);
		assert_int_equal(driver_used(queue)[1], 1);
		assert_int_equal(driver_used(queue)[2], 4);
	}
}

/* A guest that looks for its poison in free pages keeps them; one that wants zeroes may have them. */
static void poisoned_pages_stay(void **state)
{
	struct machine *m = started(F_ALL | F_POISON);

	fake_write(m, driver_device + 12, 4, 0xaaaaaaaa);
	report(m, Q_REPORT);
	driver_settle(m);
	assert_int_equal(fake_ram.discards, 0);
	assert_int_equal(driver_used(Q_REPORT)[1], 1);
	fake_write(m, driver_device + 12, 4, 0);
	report(m, Q_REPORT);
	driver_settle(m);
	assert_int_equal(fake_ram.discarded_bytes, 2 * MIB + 0x2000);
}

static void offer_stats(struct machine *m, const void *from, u32 len)
{
	memcpy(fake_ram.bytes + LIST, from, len);
	driver_table_of(Q_STATS)[2] = (struct driver_desc){ LIST, len, 0, 0 };
	driver_offer(m, Q_STATS, 2);
	driver_settle(m);
}

static void statistics_are_asked_for(void **state)
{
	static const u8 values[] = { 4, 0, 0, 0, 0x20, 0, 0, 0, 0, 0,  3, 0, 7, 0, 0, 0, 0, 0, 0, 0,
				     99, 0, 1, 1, 1, 1, 1, 1, 1, 1,    5, 0, 9 };
	struct machine *m = started(F_ALL);
	u64 asked = fake.now;

	fake.now += 1000;
	offer_stats(m, values, sizeof(values));
	assert_int_equal(fake_ram.stats.values[MEMORY_UNUSED], 0x200000);
	assert_int_equal(fake_ram.stats.values[MEMORY_MINOR_FAULTS], 7);
	assert_int_equal(fake_ram.stats.values[MEMORY_TOTAL], MEMORY_UNKNOWN);
	assert_int_equal(fake_ram.stats.clock, fake.now);
	assert_int_equal(driver_used(Q_STATS)[1], 0); /* kept, to ask again with it */
	fake.now = asked + BALLOON_STATS_NS - 1;
	balloon_tick(m, fake.now);
	assert_int_equal(driver_used(Q_STATS)[1], 0);
	fake.now = m->balloon.stats_at;
	assert_true(fake.now <= asked + BALLOON_STATS_NS + 1000);
	balloon_tick(m, fake.now);
	assert_int_equal(driver_used(Q_STATS)[1], 1);
	fake.now += 5 * BALLOON_STATS_NS; /* the driver takes its time: it is asked once */
	balloon_tick(m, fake.now);
	assert_int_equal(driver_used(Q_STATS)[1], 1);
	offer_stats(m, values + 10, 10);
	assert_int_equal(fake_ram.stats.values[MEMORY_UNUSED], MEMORY_UNKNOWN);
	assert_int_equal(fake_ram.stats.clock, fake.now);
}

/* One buffer is kept; a second one waits in the ring until that is given back. */
static void second_buffer_of_statistics_waits(void **state)
{
	struct machine *m = started(F_ALL);

	offer_stats(m, "\4\0\1\0\0\0\0\0\0", 10);
	offer_stats(m, "\4\0\2\0\0\0\0\0\0", 10);
	assert_int_equal(fake_ram.stats.values[MEMORY_UNUSED], 1);
	fake.now = m->balloon.stats_at;
	balloon_tick(m, fake.now);
	assert_int_equal(driver_used(Q_STATS)[1], 1);
	fake_write(m, driver_notify + 4 * Q_STATS, 2, Q_STATS);
	driver_settle(m);
	assert_int_equal(fake_ram.stats.values[MEMORY_UNUSED], 2);
}

static void target_is_told(void **state)
{
	struct machine *m = started(F_ALL);
	u32 generation = driver_get(m, R_GENERATION, 1);

	assert_int_equal(fake_read(m, driver_device, 4), 0);
	fake_ram.target = FAKE_RAM - 3 * PAGE_SIZE - 1;
	balloon_update_target(m);
	assert_int_equal(fake_read(m, driver_device, 4), 3);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(fake.messages[0].data, 0x45);
	assert_int_not_equal(driver_get(m, R_GENERATION, 1), generation);
	balloon_update_target(m);
	assert_int_equal(fake.message_count, 1); /* nothing new */
	fake_write(m, driver_device, 4, 77);      /* not the driver's */
	assert_int_equal(fake_read(m, driver_device, 4), 3);
	fake_write(m, driver_device + 4, 4, 3);
	assert_int_equal(fake_ram.stats.balloon, 3 * PAGE_SIZE);
	fake_ram.target = UINT64_MAX;
	balloon_update_target(m);
	assert_int_equal(fake_read(m, driver_device, 4), 0);
}

static void reset_keeps_the_target(void **state)
{
	struct machine *m = started(F_ALL);

	fake_ram.target = FAKE_RAM / 2;
	balloon_update_target(m);
	fake_write(m, driver_device + 4, 4, 100);
	assert_true(fake_ram.stats.driver && fake_ram.stats.reporting);
	report(m, Q_REPORT);
	balloon_tick(m, ++fake.now);
	driver_set(m, R_STATUS, 1, 0); /* in the midst of work */
	assert_false(fake_ram.stats.driver);
	assert_int_equal(fake_ram.stats.balloon, 0);
	assert_int_equal(fake_read(m, driver_device, 4), FAKE_RAM / 2 / PAGE_SIZE);
	assert_int_equal(device_deadline(m), NEVER);
	assert_int_equal(driver_used(Q_REPORT)[1], 0);
	driver_start(m, 0, true);
	assert_true(fake_ram.stats.driver && !fake_ram.stats.reporting);
}

static u8 blob[64 * KIB];

/* Saved between any two pieces and loaded into a fresh process, the work ends as if nothing had been. */
static void save_in_the_midst(void **state)
{
	for (u32 pieces = 0; pieces < 24; pieces++) {
		struct machine *m = started(F_ALL);
		struct fake_ram *ram = malloc(sizeof(*ram));
		s64 len;

		for (u32 i = 0; i < 256; i++)
			list()[i + 16] = MEMORY / PAGE_SIZE + 2 * i;
		driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ LIST + 64, 1024, 0, 0 };
		driver_offer(m, Q_INFLATE, 0);
		report(m, Q_REPORT);
		for (u32 i = 0; i < pieces; i++)
			balloon_tick(m, ++fake.now);
		len = device_save(m, blob, sizeof(blob));
		memcpy(ram, &fake_ram, sizeof(*ram));
		m = driver_machine();
		memset(&m->balloon, 0, sizeof(m->balloon));
		memcpy(&fake_ram, ram, sizeof(*ram));
		free(ram);
		assert_int_equal(device_load(m, blob, (u64)len), 0);
		fake.now = 1000;
		driver_settle(m);
		assert_int_equal(driver_used(Q_INFLATE)[1], 1);
		assert_int_equal(driver_used(Q_REPORT)[1], 1);
		for (u32 i = 0; i < 256; i++)
			assert_true(fake_ram.discarded[MEMORY / PAGE_SIZE + 2 * i]);
		assert_int_equal(m->balloon.inflated, MIB);
		assert_int_equal(m->balloon.reported, 2 * MIB + 0x2000);
		assert_int_equal(fake_read(m, driver_common + R_STATUS, 1), 0x0f);
	}
}

static void no_balloon_no_function(void **state)
{
	struct machine *m = fake_machine();

	fake_ram_clear();
	device_attach_all(m);
	device_reset_all(m);
	assert_int_equal(fake_read(m, ECAM_BASE + 0x8000, 4), 0xffffffff);
	assert_int_equal(fake_read(m, 0xc0010000, 4), 0xffffffff);
	fake_ram.target = 0;
	balloon_update_target(m);
	assert_int_equal(device_deadline(m), NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inflates_in_any_order), cmocka_unit_test(odd_lists_are_taken),
		cmocka_unit_test(deflating_costs_nothing), cmocka_unit_test(reports_in_either_queue),
		cmocka_unit_test(poisoned_pages_stay), cmocka_unit_test(statistics_are_asked_for),
		cmocka_unit_test(second_buffer_of_statistics_waits),
		cmocka_unit_test(target_is_told), cmocka_unit_test(reset_keeps_the_target),
		cmocka_unit_test(save_in_the_midst), cmocka_unit_test(no_balloon_no_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
