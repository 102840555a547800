/* The bus: order, overlaps, splitting at a region's ends, and nobody there. */
/* links: tests/unit/fake_machine.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

static u8 bytes[64];
static u32 calls, widest;

/* 16 bytes of memory that notes how it is reached. */
static void memory_access(struct machine *m, void *device, struct access *a)
{
	u8 *from = (u8 *)device + a->addr;
	u64 value = 0;

	calls++;
	widest = MAX(widest, a->size);
	assert_true(a->addr + a->size <= 16);
	for (u32 i = 0; i < a->size; i++) {
		if (a->write)
			from[i] = (u8)(a->value >> (8 * i));
		value |= (u64)from[i] << (8 * i);
	}
	a->value = value;
}

static void byte_access(struct machine *m, void *device, struct access *a)
{
	if (bus_split(m, device, a, byte_access))
		return;
	memory_access(m, device, a);
}

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	for (u32 i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)i;
	calls = widest = 0;
	return m;
}

static void regions_are_sorted_and_apart(void **state)
{
	struct machine *m = setup();
	struct bus *b = &m->ports;

	assert_int_equal(bus_add(b, 0x100, 16, memory_access, bytes), 0);
	assert_int_equal(bus_add(b, 0x80, 16, memory_access, bytes), 0);
	assert_int_equal(bus_add(b, 0x90, 0x70, memory_access, bytes), 0);
	assert_int_equal(b->count, 3);
	for (u32 i = 1; i < b->count; i++)
		assert_true(b->regions[i - 1].base + b->regions[i - 1].len <= b->regions[i].base);
	assert_int_equal(bus_add(b, 0x10f, 1, memory_access, bytes), ERR_EXIST);
	assert_int_equal(bus_add(b, 0x7f, 2, memory_access, bytes), ERR_EXIST);
	assert_int_equal(bus_add(b, 0x0, 0x1000, memory_access, bytes), ERR_EXIST);
	assert_int_equal(bus_add(b, 0x200, 0, memory_access, bytes), ERR_INVAL);
	assert_int_equal(bus_add(b, UINT64_MAX, 2, memory_access, bytes), ERR_INVAL);
	assert_int_equal(bus_add(b, UINT64_MAX, 1, memory_access, bytes), 0);
	bus_remove(b, 0x91);
	assert_int_equal(b->count, 4);
	bus_remove(b, 0x90);
	assert_int_equal(b->count, 3);
	assert_int_equal(bus_add(b, 0x95, 3, memory_access, bytes), 0);
}

static void table_has_an_end(void **state)
{
	struct machine *m = setup();

	for (u32 i = 0; i < BUS_REGIONS; i++)
		assert_int_equal(bus_add(&m->ports, i * 0x20, 16, memory_access, bytes), 0);
	assert_int_equal(bus_add(&m->ports, 0x8000, 1, memory_access, bytes), ERR_NOMEM);
	for (u32 i = 0; i < BUS_REGIONS; i++) {
		assert_int_equal(fake_in(m, (u16)(i * 0x20 + 5), 1), 5);
		assert_int_equal(fake_in(m, (u16)(i * 0x20 + 16), 1), 0xff);
	}
	for (u32 i = 0; i < BUS_REGIONS; i++)
		bus_remove(&m->ports, i * 0x20);
	assert_int_equal(fake_in(m, 5, 1), 0xff);
}

static void nobody_reads_as_ones(void **state)
{
	struct machine *m = setup();

	for (u32 size = 1; size <= 4; size *= 2)
		assert_int_equal(fake_in(m, 0x80, size), BIT(8 * size) - 1);
	fake_out(m, 0x80, 1, 5);
	assert_int_equal(fake_read(m, UINT64_MAX, 8), UINT64_MAX);
	bus_add(&m->ports, 0x100, 16, memory_access, bytes);
	assert_int_equal(fake_in(m, 0x100, 3) & 0xff, 0xff); /* no such size */
	assert_int_equal(calls, 0);
}

static void accesses_keep_their_width(void **state)
{
	struct machine *m = setup();

	bus_add(&m->memory, 0x1000, 16, memory_access, bytes);
	assert_int_equal(fake_read(m, 0x1002, 8), 0x0908070605040302);
	assert_int_equal(calls, 1);
	assert_int_equal(widest, 8);
	bus_add(&m->memory, 0x2000, 16, byte_access, bytes + 16);
	calls = widest = 0;
	fake_write(m, 0x2004, 4, 0x44332211);
	assert_int_equal(calls, 4);
	assert_int_equal(widest, 1);
	assert_int_equal(fake_read(m, 0x2004, 4), 0x44332211);
}

static void ends_are_split(void **state)
{
	struct machine *m = setup();

	bus_add(&m->memory, 0x1000, 16, memory_access, bytes);
	bus_add(&m->memory, 0x1010, 16, memory_access, bytes + 16);
	assert_int_equal(fake_read(m, 0x100e, 4), 0x11100f0e);
	assert_int_equal(fake_read(m, 0xffe, 4), 0x0100ffff);
	assert_int_equal(fake_read(m, 0x101e, 4), 0xffff1f1e);
	fake_write(m, 0xfff, 2, 0xaabb);
	assert_int_equal(bytes[0], 0xaa);
	bus_add(&m->memory, UINT64_MAX - 3, 4, memory_access, bytes + 32);
	assert_int_equal(fake_read(m, UINT64_MAX - 1, 8), 0xffffffffffff2322);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions_are_sorted_and_apart), cmocka_unit_test(table_has_an_end),
		cmocka_unit_test(nobody_reads_as_ones), cmocka_unit_test(accesses_keep_their_width),
		cmocka_unit_test(ends_are_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
