/* Virtio over PCI: registers, MSI-X and INTA#, the rules of virtqueues, and drivers that break them. */
/* links: tests/unit/fake_driver.c tests/unit/fake_machine.c tests/unit/fake_ram.c vmm/machine/balloon.c
 * vmm/machine/virtio.c vmm/machine/virtio_pci.c vmm/machine/msix.c vmm/machine/device.c vmm/machine/pic.c
 * vmm/machine/cpu_hotplug.c
 * vmm/machine/ioapic.c vmm/machine/pit.c vmm/machine/pit_counter.c vmm/machine/backlog.c vmm/machine/rtc.c
 * vmm/machine/rtc_time.c vmm/machine/pm.c vmm/machine/uart.c vmm/machine/pci.c vmm/machine/hpet.c
 * vmm/machine/i8042.c vmm/machine/irq.c vmm/machine/bus.c kernel/lib/string.c */
#include "tests/unit/fake_driver.h"

#include <string.h>

#include "vmm/machine/device.h"

#define INDIRECT BIT(28)

static u32 status(struct machine *m)
{
	return driver_get(m, R_STATUS, 1);
}

static bool needs_reset(struct machine *m)
{
	return status(m) & 0x40;
}

static void function_is_found(void **state)
{
	struct machine *m = driver_machine();

	assert_int_equal(driver_config(m, 0, 4), 0x10451af4);
	assert_int_equal(driver_config(m, 8, 4) >> 16, 0x0580);
	assert_true(driver_config(m, 8, 1) >= 1); /* not transitional */
	assert_int_equal(driver_config(m, 0x3c, 2), 0x010b);
	assert_true(driver_common && driver_isr && driver_device && driver_notify && driver_table && driver_pending);
	assert_int_equal(driver_config(m, driver_msix + 2, 2), 7); /* eight vectors, off */
}

static void bar_is_sized_and_moved(void **state)
{
	struct machine *m = driver_machine();
	u64 bar = driver_config(m, 0x10, 4), moved = 0xd0000000;

	assert_true(bar >= 0xc0000000 && bar < 0xe0000000);
	driver_config_set(m, 0x10, 4, 0xffffffff);
	assert_int_equal(driver_config(m, 0x10, 4), 0xffffe000);
	assert_int_equal(driver_config(m, 0x14, 4), 0);
	driver_config_set(m, 0x10, 4, (u32)moved);
	assert_int_equal(fake_read(m, moved + R_QUEUES, 2), 5);
	assert_int_equal(fake_read(m, bar + R_QUEUES, 2), 0xffff);
	assert_int_equal(fake_read(m, moved + 0x1ffc, 8), UINT64_MAX); /* across its end */
	driver_config_set(m, 4, 2, 0);
	assert_int_equal(fake_read(m, moved + R_QUEUES, 2), 0xffff);
	driver_config_set(m, 4, 2, 2);
	driver_config_set(m, 0x10, 4, 0xfec00000); /* beyond the window: nowhere, and nobody else's place */
	assert_int_equal(fake_read(m, 0xfec00000, 4), 0);
	assert_int_equal(fake_read(m, moved + R_QUEUES, 2), 0xffff);
}

static void registers_keep_what_they_must(void **state)
{
	struct machine *m = driver_machine();

	driver_set(m, R_SELECT, 2, 4);
	assert_int_equal(driver_get(m, R_SIZE, 2), 64);
	assert_int_equal(driver_get(m, R_NOTIFY, 2), 4);
	assert_int_equal(driver_get(m, R_VECTOR, 2), 0xffff);
	driver_set(m, R_VECTOR, 2, 8); /* there are only eight */
	assert_int_equal(driver_get(m, R_VECTOR, 2), 0xffff);
	driver_set(m, R_VECTOR, 2, 7);
	assert_int_equal(driver_get(m, R_VECTOR, 2), 7);
	driver_set(m, R_DESC, 4, 0x1000);
	driver_set(m, R_DESC + 4, 4, 2);
	assert_int_equal(fake_read(m, driver_common + R_DESC, 8), 0x200001000);
	driver_set(m, R_SIZE, 4, 8); /* by a wrong width */
	assert_int_equal(driver_get(m, R_SIZE, 2), 64);
	driver_set(m, R_SELECT, 2, 5);
	assert_int_equal(driver_get(m, R_SIZE, 2), 0);
	driver_set(m, R_ENABLE, 2, 1);
	driver_set(m, R_SELECT, 2, 4);
	driver_set(m, R_ENABLE, 2, 0);
	assert_int_equal(driver_get(m, R_ENABLE, 2), 0);
	driver_set(m, R_ENABLE, 2, 1);
	driver_set(m, R_DESC, 4, 0x5000); /* too late */
	driver_set(m, R_SIZE, 2, 32);
	assert_int_equal(driver_get(m, R_DESC, 4), 0x1000);
	assert_int_equal(driver_get(m, R_SIZE, 2), 64);
	driver_set(m, R_STATUS, 1, 0);
	assert_int_equal(driver_get(m, R_ENABLE, 2), 0);
	assert_int_equal(driver_get(m, R_SELECT, 2), 0);
}

static void features_are_negotiated(void **state)
{
	struct machine *m = driver_machine();
	u64 offered = driver_get(m, R_DEVICE, 4);

	driver_set(m, R_DEVICE_SELECT, 4, 1);
	offered |= (u64)driver_get(m, R_DEVICE, 4) << 32;
	assert_int_equal(offered, BIT(1) | BIT(2) | BIT(4) | BIT(5) | BIT(28) | BIT(32));
	driver_set(m, R_DEVICE_SELECT, 4, 2);
	assert_int_equal(driver_get(m, R_DEVICE, 4), 0);
	driver_set(m, R_STATUS, 1, 0x0b); /* without VERSION_1 */
	assert_int_equal(status(m), 0x03);
	driver_set(m, R_DRIVER_SELECT, 4, 1);
	driver_set(m, R_DRIVER, 4, 3);   /* with one that was not offered */
	driver_set(m, R_STATUS, 1, 0x0f);
	assert_int_equal(status(m), 0x03); /* DRIVER_OK needs FEATURES_OK */
	driver_set(m, R_DRIVER, 4, 1);
	driver_set(m, R_STATUS, 1, 0x0b);
	assert_int_equal(status(m), 0x0b);
	driver_set(m, R_DRIVER, 4, 0);   /* too late */
	assert_int_equal(driver_get(m, R_DRIVER, 4), 1);
}

/* Sends an empty chain through the deflate queue, which gives everything back unseen. */
static void bounce(struct machine *m)
{
	driver_table_of(Q_DEFLATE)[3] = (struct driver_desc){ 0x2000, 4, 0, 0 };
	driver_offer(m, Q_DEFLATE, 3);
	driver_settle(m);
}

static void messages_are_sent_and_masked(void **state)
{
	struct machine *m = driver_machine();

	driver_start(m, 0, true);
	bounce(m);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(fake.messages[0].address, 0xfee00000);
	assert_int_equal(fake.messages[0].data, 0x40 + Q_DEFLATE);
	assert_int_equal(driver_used(Q_DEFLATE)[1], 1);
	assert_int_equal(driver_used(Q_DEFLATE)[2], 3);
	driver_avail(Q_DEFLATE)[0] = 1; /* no interrupt, please */
	bounce(m);
	assert_int_equal(fake.message_count, 1);
	driver_avail(Q_DEFLATE)[0] = 0;
	fake_write(m, driver_table + 16 * Q_DEFLATE + 12, 4, 1);
	bounce(m);
	assert_int_equal(fake.message_count, 1);
	assert_int_equal(fake_read(m, driver_pending, 8), BIT(Q_DEFLATE));
	driver_config_set(m, driver_msix + 2, 2, 0xc000); /* all of the function, too */
	fake_write(m, driver_table + 16 * Q_DEFLATE + 12, 4, 0);
	assert_int_equal(fake.message_count, 1);
	driver_config_set(m, driver_msix + 2, 2, 0x8000);
	assert_int_equal(fake.message_count, 2);
	assert_int_equal(fake_read(m, driver_pending, 4), 0);
	assert_int_equal(fake_read(m, driver_isr, 1), 0); /* not used with MSI-X */
}

static void line_without_messages(void **state)
{
	struct machine *m = driver_machine();

	driver_start(m, 0, false);
	bounce(m);
	assert_int_equal(fake.message_count, 0);
	assert_true(m->ioapic.lines & BIT(PCI_IRQ));
	assert_true(driver_config(m, 6, 2) & 8);
	driver_config_set(m, 4, 2, 0x406); /* INTx off */
	assert_false(m->ioapic.lines & BIT(PCI_IRQ));
	driver_config_set(m, 4, 2, 6);
	assert_true(m->ioapic.lines & BIT(PCI_IRQ));
	assert_int_equal(fake_read(m, driver_isr, 1), 1);
	assert_false(m->ioapic.lines & BIT(PCI_IRQ));
	assert_int_equal(fake_read(m, driver_isr, 1), 0);
	bounce(m);
	driver_config_set(m, driver_msix + 2, 2, 0x8000);
	assert_false(m->ioapic.lines & BIT(PCI_IRQ));
	driver_config_set(m, driver_msix + 2, 2, 0);
	assert_true(m->ioapic.lines & BIT(PCI_IRQ));
	driver_set(m, R_STATUS, 1, 0); /* a reset ends it */
	assert_false(m->ioapic.lines & BIT(PCI_IRQ));
}

static void configuration_space_reaches_the_bar(void **state)
{
	struct machine *m = driver_machine();
	u32 at = driver_config(m, 0x34, 1);

	while (driver_config(m, at, 1) != 9 || driver_config(m, at + 3, 1) != 5)
		at = driver_config(m, at + 1, 1);
	driver_config_set(m, at + 12, 4, 2);
	driver_config_set(m, at + 8, 4, R_QUEUES);
	assert_int_equal(driver_config(m, at + 16, 2), 5);
	driver_config_set(m, at + 8, 4, R_SELECT);
	driver_config_set(m, at + 16, 2, 3);
	assert_int_equal(driver_get(m, R_SELECT, 2), 3);
	driver_config_set(m, at + 8, 4, R_SELECT + 1); /* not aligned, too long, beyond, another BAR */
	driver_config_set(m, at + 16, 2, 0x101);
	driver_config_set(m, at + 8, 4, R_SELECT);
	driver_config_set(m, at + 12, 4, 8);
	driver_config_set(m, at + 16, 4, 1);
	driver_config_set(m, at + 12, 4, 2);
	driver_config_set(m, at + 8, 4, 0x2000 + R_SELECT);
	driver_config_set(m, at + 16, 4, 1);
	driver_config_set(m, at + 8, 4, R_SELECT);
	driver_config_set(m, at + 4, 1, 1);
	driver_config_set(m, at + 16, 4, 1);
	assert_int_equal(driver_get(m, R_SELECT, 2), 3);
}

/* What a driver may get wrong in a queue.  Each breaks the device, with a word to the driver, until it is reset. */
static void break_index(struct machine *m)
{
	driver_avail(Q_INFLATE)[1] = DRIVER_QUEUE_SIZE + 1;
}

static void break_head(struct machine *m)
{
	driver_avail(Q_INFLATE)[2] = DRIVER_QUEUE_SIZE;
}

/* Of a queue whose chains nobody walks. */
static void break_deflate_head(struct machine *m)
{
	driver_avail(Q_INFLATE)[1] = 0;
	driver_offer(m, Q_DEFLATE, DRIVER_QUEUE_SIZE);
}

static void break_next(struct machine *m)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ 0x2000, 4, D_NEXT, DRIVER_QUEUE_SIZE };
}

static void break_loop(struct machine *m)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ 0x2000, 0, D_NEXT, 1 };
	driver_table_of(Q_INFLATE)[1] = (struct driver_desc){ 0x2000, 0, D_NEXT, 0 };
}

static void break_address(struct machine *m)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ FAKE_RAM - 2, 4, 0, 0 };
}

static void break_wrap(struct machine *m)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ UINT64_MAX - 1, 4, 0, 0 };
}

static void break_order(struct machine *m)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ 0x2000, 0, D_NEXT | D_WRITE, 1 };
	driver_table_of(Q_INFLATE)[1] = (struct driver_desc){ 0x2000, 0, 0, 0 };
}

static void break_indirect_len(struct machine *m)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ 0x2000, 24, D_INDIRECT, 0 };
}

static void break_indirect_next(struct machine *m)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ 0x2000, 16, D_INDIRECT | D_NEXT, 1 };
}

static void break_indirect_twice(struct machine *m)
{
	driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ 0x2000, 16, D_INDIRECT, 0 };
	*(struct driver_desc *)(fake_ram.bytes + 0x2000) = (struct driver_desc){ 0x2000, 16, D_INDIRECT, 0 };
}

static void broken_rules_break_the_device(void **state)
{
	static void (*const ways[])(struct machine *m) = {
		break_index, break_head, break_deflate_head, break_next, break_loop, break_address, break_wrap, break_order,
		break_indirect_len, break_indirect_next, break_indirect_twice,
	};

	for (u32 i = 0; i < ARRAY_SIZE(ways); i++) {
		struct machine *m = driver_machine();

		driver_start(m, INDIRECT, true);
		driver_avail(Q_INFLATE)[1] = 1;
		driver_table_of(Q_INFLATE)[0] = (struct driver_desc){ 0x2000, 4, 0, 0 };
		ways[i](m);
		fake_write(m, driver_notify, 2, 0);
		assert_true(driver_settle(m) < 2 * DRIVER_QUEUE_SIZE);
		if (!needs_reset(m))
			fail_msg("way %u was taken", i);
		assert_int_equal(fake.messages[fake.message_count - 1].data, 0x45); /* the configuration's */
		assert_int_equal(driver_used(Q_INFLATE)[1], 0);
		bounce(m);
		assert_int_equal(driver_used(Q_DEFLATE)[1], 0); /* dead until it is reset */
		memset(fake_ram.bytes, 0, FAKE_RAM);
		driver_start(m, INDIRECT, true);
		assert_false(needs_reset(m));
		bounce(m);
		assert_int_equal(driver_used(Q_DEFLATE)[1], 1);
	}
}

static void bad_queues_are_refused(void **state)
{
	static const struct { u32 reg; u64 value; } bad[] = {
		{ R_SIZE, 0 }, { R_SIZE, 3 }, { R_SIZE, 128 }, { R_SIZE, 0xffff }, { R_DESC, 8 }, { R_AVAIL, 1 },
		{ R_USED, 2 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		struct machine *m = driver_machine();

		driver_set(m, bad[i].reg, bad[i].reg == R_SIZE ? 2 : 4, bad[i].value);
		driver_set(m, R_ENABLE, 2, 1);
		assert_true(needs_reset(m));
		driver_set(m, R_STATUS, 1, 0);
		assert_int_equal(status(m), 0);
	}
}

/* Without memory for the guest's ring the chain waits; nothing is lost and nothing is told twice. */
static void used_ring_waits_for_memory(void **state)
{
	struct machine *m = driver_machine();

	driver_start(m, 0, true);
	fake_ram.refused_writes = 3;
	bounce(m);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(driver_used(Q_DEFLATE)[1], 0);
		assert_true(device_deadline(m) > fake.now);
		fake.now += 20000000;
		driver_settle(m);
	}
	assert_int_equal(driver_used(Q_DEFLATE)[1], 1);
	assert_int_equal(fake.message_count, 1);
	assert_false(needs_reset(m));
}

static void indices_wrap(void **state)
{
	struct machine *m = driver_machine();

	driver_start(m, 0, true);
	for (u32 i = 0; i < 70000; i++)
		bounce(m);
	assert_int_equal(driver_used(Q_DEFLATE)[1], 70000 % 65536);
	assert_int_equal(fake.message_count, 70000);
}

static void random_desc(struct driver_desc *d)
{
	*d = (struct driver_desc){ fake_random() % FAKE_RAM, fake_random() % 4 ? fake_random() % 5000 : fake_random(),
				   fake_random() % 8, fake_random() % (DRIVER_QUEUE_SIZE + 1) };
	if (fake_random() % 8 == 0)
		d->addr = (u64)fake_random() << 32 | fake_random();
	if (d->flags & D_INDIRECT && fake_random() % 4)
		d->len = 16 * (fake_random() % 20);
	d->flags &= fake_random() % 4 ? D_NEXT | D_WRITE : 7;
}

/* Random tables, rings and registers: the device is bounded in what it does, and comes back after a reset. */
static void hostile_drivers_are_survived(void **state)
{
	struct machine *m = driver_machine();
	u32 broken = 0, served = 0;

	for (u32 round = 0; round < 3000; round++) {
		u32 calls;

		memset(fake_ram.bytes + 0x10000, 0, 0x5000);
		driver_start(m, fake_random() & 0x10000036, fake_random() & 1);
		for (u32 q = 0; q < 5; q++) {
			for (u32 i = 0; i < DRIVER_QUEUE_SIZE; i++)
				random_desc(&driver_table_of(q)[i]);
			for (u32 i = 0; i < DRIVER_QUEUE_SIZE; i++)
				driver_avail(q)[2 + i] = fake_random() % (DRIVER_QUEUE_SIZE + (fake_random() % 16 == 0));
			driver_avail(q)[1] = fake_random() % (DRIVER_QUEUE_SIZE + 2);
			fake_write(m, driver_notify + 4 * q, 2, q);
		}
		for (u32 i = 0; i < 40; i++) {
			calls = fake_ram.reads + fake_ram.discards;
			fake.now += 1000;
			balloon_tick(m, fake.now);
			assert_in_range(fake_ram.reads + fake_ram.discards - calls, 0, 200);
			if (fake_random() % 16 == 0) /* tables change while they are walked */
				random_desc(&driver_table_of(fake_random() % 5)[fake_random() % DRIVER_QUEUE_SIZE]);
		}
		broken += needs_reset(m);
		for (u32 q = 0; q < 5; q++)
			served += driver_used(q)[1];
	}
	assert_true(broken > 500 && broken < 3000 && served > 3000);
}

static void fuzz(void **state)
{
	struct machine *m = driver_machine();

	for (u32 i = 0; i < 300; i++) {
		driver_config_set(m, 0x10, 4, 0xc0010000);
		driver_config_set(m, 4, 2, 6);
		driver_start(m, 0x36, i & 1);
		for (u32 j = 0; j < 200; j++)
			fake_write(m, driver_common + fake_random() % 0x2000, 1u << fake_random() % 4,
				   fake_random() >> fake_random() % 32);
		driver_config_set(m, fake_random() % 256, 4, fake_random());
		fake_fuzz(m, 100, false, device_deadline, device_tick);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(function_is_found), cmocka_unit_test(bar_is_sized_and_moved),
		cmocka_unit_test(registers_keep_what_they_must), cmocka_unit_test(features_are_negotiated),
		cmocka_unit_test(messages_are_sent_and_masked), cmocka_unit_test(line_without_messages),
		cmocka_unit_test(configuration_space_reaches_the_bar), cmocka_unit_test(broken_rules_break_the_device),
		cmocka_unit_test(bad_queues_are_refused), cmocka_unit_test(used_ring_waits_for_memory),
		cmocka_unit_test(indices_wrap), cmocka_unit_test(hostile_drivers_are_survived), cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
