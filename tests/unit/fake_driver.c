/* See fake_driver.h. */
#include "tests/unit/fake_driver.h"

#include <string.h>

#include "vmm/machine/device.h"

#define DEVFN 0x08
#define RINGS 0x10000 /* in the fake RAM, a page a queue */

u64 driver_common, driver_isr, driver_device, driver_notify, driver_table, driver_pending;
u32 driver_msix;

u32 driver_config(struct machine *m, u32 offset, u32 size)
{
	return (u32)fake_read(m, ECAM_BASE + (DEVFN << 12) + offset, size);
}

void driver_config_set(struct machine *m, u32 offset, u32 size, u32 value)
{
	fake_write(m, ECAM_BASE + (DEVFN << 12) + offset, size, value);
}

static void find_registers(struct machine *m)
{
	u64 *const places[] = { NULL, &driver_common, &driver_notify, &driver_isr, &driver_device };
	u64 bar = driver_config(m, 0x10, 4);

	assert_true(driver_config(m, 6, 2) & 0x10);
	for (u32 at = driver_config(m, 0x34, 1); at; at = driver_config(m, at + 1, 1)) {
		u32 type = driver_config(m, at + 3, 1);

		if (driver_config(m, at, 1) == 0x11) {
			driver_msix = at;
			driver_table = bar + driver_config(m, at + 4, 4);
			driver_pending = bar + driver_config(m, at + 8, 4);
		} else if (driver_config(m, at, 1) == 9 && type < 5) {
			assert_int_equal(driver_config(m, at + 4, 1), 0);
			*places[type] = bar + driver_config(m, at + 8, 4);
		}
	}
}

struct machine *driver_machine(void)
{
	struct machine *m = fake_machine();

	fake_ram_clear();
	m->info.memory = FAKE_RAM;
	m->settings.balloon = true;
	device_attach_all(m);
	device_reset_all(m);
	find_registers(m);
	driver_config_set(m, 4, 2, 6);
	return m;
}

u32 driver_get(struct machine *m, u32 reg, u32 size)
{
	return (u32)fake_read(m, driver_common + reg, size);
}

void driver_set(struct machine *m, u32 reg, u32 size, u64 value)
{
	fake_write(m, driver_common + reg, size, value);
}

static u64 ring(u32 queue, u32 part)
{
	return RINGS + queue * 0x1000 + part * 0x400;
}

struct driver_desc *driver_table_of(u32 queue)
{
	return (struct driver_desc *)(fake_ram.bytes + ring(queue, 0));
}

u16 *driver_avail(u32 queue)
{
	return (u16 *)(fake_ram.bytes + ring(queue, 1));
}

u16 *driver_used(u32 queue)
{
	return (u16 *)(fake_ram.bytes + ring(queue, 2));
}

void driver_start(struct machine *m, u64 features, bool msix)
{
	u32 queues = driver_get(m, R_QUEUES, 2);

	driver_set(m, R_STATUS, 1, 0);
	driver_set(m, R_STATUS, 1, 3);
	for (u32 i = 0; i < 2; i++) {
		driver_set(m, R_DRIVER_SELECT, 4, i);
		driver_set(m, R_DRIVER, 4, (features | BIT(32)) >> (32 * i) & 0xffffffff);
	}
	driver_set(m, R_STATUS, 1, 0x0b);
	assert_int_equal(driver_get(m, R_STATUS, 1), 0x0b);
	if (msix)
		driver_config_set(m, driver_msix + 2, 2, 0x8000);
	for (u32 i = 0; i <= queues; i++) {
		fake_write(m, driver_table + 16 * i, 8, 0xfee00000);
		fake_write(m, driver_table + 16 * i + 8, 4, 0x40 + i);
		fake_write(m, driver_table + 16 * i + 12, 4, 0);
	}
	driver_set(m, R_CONFIG_VECTOR, 2, queues);
	for (u32 i = 0; i < queues; i++) {
		driver_set(m, R_SELECT, 2, i);
		driver_set(m, R_SIZE, 2, DRIVER_QUEUE_SIZE);
		driver_set(m, R_VECTOR, 2, i);
		driver_set(m, R_DESC, 8, ring(i, 0));
		driver_set(m, R_AVAIL, 8, ring(i, 1));
		driver_set(m, R_USED, 4, ring(i, 2));
		driver_set(m, R_USED + 4, 4, 0);
		driver_set(m, R_ENABLE, 2, 1);
	}
	driver_set(m, R_STATUS, 1, 0x0f);
	driver_settle(m);
}

void driver_offer(struct machine *m, u32 queue, u16 head)
{
	u16 *avail = driver_avail(queue);

	avail[2 + avail[1] % DRIVER_QUEUE_SIZE] = head;
	avail[1]++;
	fake_write(m, driver_notify + 4 * queue, 2, queue);
}

u32 driver_settle(struct machine *m)
{
	u32 ticks = 0;

	while (m->balloon.work_at <= fake.now + 1) {
		fake.now = MAX(fake.now, m->balloon.work_at);
		balloon_tick(m, fake.now);
		assert_true(++ticks < 100000);
	}
	return ticks;
}
