/* The table of devices: all together, saved, restored, and with hostile states. */
/* links: tests/unit/fake_machine.c tests/unit/fake_ram.c vmm/machine/balloon.c vmm/machine/virtio.c
 * vmm/machine/virtio_pci.c vmm/machine/msix.c vmm/machine/device.c vmm/machine/pic.c vmm/machine/ioapic.c
 * vmm/machine/pit.c vmm/machine/pit_counter.c vmm/machine/backlog.c vmm/machine/rtc.c
 * vmm/machine/rtc_time.c vmm/machine/pm.c vmm/machine/uart.c vmm/machine/pci.c vmm/machine/hpet.c
 * vmm/machine/i8042.c vmm/machine/cpu_hotplug.c vmm/machine/irq.c vmm/machine/bus.c kernel/lib/string.c */
#include "tests/unit/fake_machine.h"

#include <string.h>

#include "vmm/machine/device.h"

static u8 blob[64 * KIB], again[64 * KIB];

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	m->info.memory = 128 * MIB;
	m->info.vcpu_count = 5;
	fake.vcpu_target = 3;
	m->info.epoch = 1700000000;
	m->settings.balloon = true;
	device_attach_all(m);
	device_reset_all(m);
	return m;
}

/* A fresh process, as after SYS_STATE_SAVE. */
static struct machine *fresh(void)
{
	u64 now = fake.now;
	struct machine *m = setup();

	fake.now = now;
	return m;
}

static void table_is_sound(void **state)
{
	for (u32 i = 0; i < device_count; i++) {
		const struct device *d = &device_table[i];

		assert_true(d->name && strlen(d->name) < 16);
		assert_true(d->size && d->offset >= offsetof(struct machine, pic));
		assert_true(d->offset + d->size <= sizeof(struct machine));
		assert_true(!d->deadline == !d->tick);
		for (u32 j = 0; j < i; j++)
			assert_true(d->offset >= device_table[j].offset + device_table[j].size ||
				    device_table[j].offset >= d->offset + d->size);
	}
}

static void reset_is_repeatable(void **state)
{
	struct machine *m = setup();
	s64 len = device_save(m, blob, sizeof(blob));

	fake_fuzz(m, 5000, true, device_deadline, device_tick);
	fake.now = 0;
	device_reset_all(m);
	device_reset_all(m); /* lines that are high when the first begins fall in it */
	m->pic.chip[0].lines = m->pic.chip[1].lines = 0;
	m->ioapic.lines = 0;
	assert_int_equal(device_save(m, again, sizeof(again)), len);
	assert_memory_equal(blob, again, (size_t)len);
}

static void save_and_load_round_trip(void **state)
{
	struct machine *m = setup();
	s64 len;

	fake_fuzz(m, 20000, true, device_deadline, device_tick);
	m->pic.output = 1;
	len = device_save(m, blob, sizeof(blob));
	assert_true(len > 0);
	m = fresh();
	assert_int_equal(device_load(m, blob, (u64)len), 0);
	assert_true(fake.extint);
	assert_int_equal(fake.rescheduled, device_deadline(m));
	assert_int_equal(device_save(m, again, sizeof(again)), len);
	assert_memory_equal(blob, again, (size_t)len);
}

/* The same accesses after a restore give the same answers as without one. */
static void guest_cannot_tell(void **state)
{
	struct machine *m = setup();
	u8 rtc[128];
	u64 now, counts[4];
	s64 len;

	fake_out(m, 0x43, 1, 0x34);
	fake_out(m, 0x40, 1, 0x9c);
	fake_out(m, 0x40, 1, 0x2e);
	fake_write(m, HPET_BASE + 0x10, 8, 1);
	fake.now = now = 123456789012;
	device_tick(m, fake.now);
	len = device_save(m, blob, sizeof(blob));
	for (u32 round = 0; round < 2; round++) {
		fake.now = now + 1000000;
		u64 got[4] = { fake_in(m, 0x608, 4), fake_read(m, HPET_BASE + 0xf0, 8), fake_in(m, 0x61, 1),
			       device_deadline(m) };

		for (u8 i = 0; i < 128; i++) {
			fake_out(m, 0x70, 1, i);
			if (round)
				assert_int_equal(rtc[i], fake_in(m, 0x71, 1));
			else
				rtc[i] = (u8)fake_in(m, 0x71, 1);
		}
		if (round)
			assert_memory_equal(got, counts, sizeof(got));
		memcpy(counts, got, sizeof(got));
		fake.now = now;
		m = fresh();
		assert_int_equal(device_load(m, blob, (u64)len), 0);
	}
}

static void damaged_states_change_nothing(void **state)
{
	struct machine *m = setup();
	s64 len = device_save(m, blob, sizeof(blob));
	static struct machine before;
	u64 at;

	assert_int_equal(device_save(m, again, (u64)len - 1), ERR_TOOBIG);
	assert_int_equal(device_save(m, again, (u64)len), len);
	fake_fuzz(m, 1000, true, device_deadline, device_tick);
	memcpy(&before, m, sizeof(before));
	assert_int_equal(device_load(m, blob, (u64)len - 1), ERR_INVAL);
	assert_int_equal(device_load(m, blob, (u64)len + 1), ERR_INVAL);
	assert_int_equal(device_load(m, blob, 0), ERR_INVAL);
	at = 16; /* the header, then each record's name, version and size */
	for (u64 i = 0; i < at; i++) {
		blob[i] ^= 1;
		assert_int_equal(device_load(m, blob, (u64)len), ERR_INVAL);
		blob[i] ^= 1;
	}
	for (u32 d = 0; d < device_count; d++) {
		for (u64 i = at; i < at + 24; i++) {
			blob[i] ^= 0x10;
			assert_int_equal(device_load(m, blob, (u64)len), ERR_INVAL);
			blob[i] ^= 0x10;
		}
		at += 24 + device_table[d].size;
	}
	assert_int_equal(at, len);
	assert_memory_equal(&before, m, sizeof(before));
	assert_int_equal(device_load(m, blob, (u64)len), 0);
}

/* A process that was taken over may leave anything: no state may hurt the next one. */
static void hostile_states_are_survived(void **state)
{
	struct machine *m = setup();

	for (u32 round = 0; round < 300; round++) {
		s64 len = device_save(m, blob, sizeof(blob));
		u64 at = 16;

		for (u32 d = 0; d < device_count; at += 24 + device_table[d++].size)
			for (u64 i = 0; i < device_table[d].size; i++)
				if (round % 3 == 0 || fake_random() % 64 == 0)
					blob[at + 24 + i] = (u8)(fake_random() % 5 ? fake_random() : 0xff);
		assert_int_equal(device_load(m, blob, (u64)len), 0);
		fake_fuzz(m, 300, false, device_deadline, device_tick);
		(void)uart_room(m);
		uart_receive(m, blob, 100);
		for (u32 i = 0; i < 24; i++)
			machine_irq(m, i, i & 1);
		assert_in_range(pic_acknowledge(m), 0, 255);
		ioapic_eoi(m, (u8)round);
		fake.console_len = 0;
	}
}

static void everything_together(void **state)
{
	struct machine *m = setup();

	for (u32 i = 0; i < 200000; i++) {
		fake_fuzz(m, 1, true, device_deadline, device_tick);
		if (fake_random() % 64 == 0)
			pic_acknowledge(m);
		if (fake_random() % 256 == 0)
			pm_power_button(m);
		fake.console_len = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_sound), cmocka_unit_test(reset_is_repeatable),
		cmocka_unit_test(save_and_load_round_trip), cmocka_unit_test(guest_cannot_tell),
		cmocka_unit_test(damaged_states_change_nothing), cmocka_unit_test(hostile_states_are_survived),
		cmocka_unit_test(everything_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
