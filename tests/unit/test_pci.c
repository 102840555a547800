/* PCI configuration space by both ways. */
/* links: tests/unit/fake_machine.c vmm/machine/pci.c vmm/machine/pm.c vmm/machine/pic.c vmm/machine/ioapic.c
 * vmm/machine/irq.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

static struct machine *setup(void)
{
	struct machine *m = fake_machine();

	pci_attach(m);
	pci_reset(m);
	return m;
}

static u32 get(struct machine *m, u32 address, u32 size)
{
	fake_out(m, 0xcf8, 4, 0x80000000 | (address & ~3u));
	return (u32)fake_in(m, 0xcfc + (address & 3), size);
}

static void set(struct machine *m, u32 address, u32 size, u32 value)
{
	fake_out(m, 0xcf8, 4, 0x80000000 | (address & ~3u));
	fake_out(m, 0xcfc + (address & 3), size, value);
}

static void mechanism_1_is_found(void **state)
{
	struct machine *m = setup();

	fake_out(m, 0xcfb, 1, 1); /* as Linux probes: no byte of the address register can be reached */
	fake_out(m, 0xcf8, 4, 0x80000000);
	assert_int_equal(fake_in(m, 0xcf8, 4), 0x80000000);
	assert_int_equal(fake_in(m, 0xcf8, 2), 0xffff);
	fake_out(m, 0xcf8, 4, 0xffffffff);
	assert_int_equal(fake_in(m, 0xcf8, 4), 0x80fffffc);
}

static void host_bridge_is_there(void **state)
{
	struct machine *m = setup();

	assert_int_equal(get(m, 0, 4), 0x00081b36);
	assert_int_equal(get(m, 2, 2), 0x0008);
	assert_int_equal(get(m, 0x0b, 1), 0x06);
	assert_int_equal(get(m, 0x0e, 1), 0x00);
	assert_int_equal(get(m, 0x2c, 4), 0x11001af4);
	for (u32 devfn = 1; devfn < 256; devfn++)
		assert_int_equal(get(m, devfn << 8, 4), 0xffffffff);
	assert_int_equal(get(m, 1 << 16, 4), 0xffffffff); /* bus 1 */
	fake_out(m, 0xcf8, 4, 0);
	assert_int_equal(fake_in(m, 0xcfc, 4), 0xffffffff); /* not enabled */
}

static void only_writable_bits_change(void **state)
{
	struct machine *m = setup();

	for (u32 offset = 0; offset < 256; offset += 4)
		set(m, offset, 4, 0xffffffff);
	assert_int_equal(get(m, 0, 4), 0x00081b36);
	assert_int_equal(get(m, 4, 4), 0x00000547);
	assert_int_equal(get(m, 0x0c, 4), 0x0000f8ff);
	assert_int_equal(get(m, 0x10, 4), 0);
	assert_int_equal(get(m, 0x3c, 4), 0x000000ff);
	set(m, 0x05, 1, 0);
	assert_int_equal(get(m, 4, 2), 0x47);
}

static void ecam_shows_the_same(void **state)
{
	struct machine *m = setup();

	assert_int_equal(fake_read(m, ECAM_BASE, 8), 0x0000000000081b36);
	fake_write(m, ECAM_BASE + 0x3c, 1, 0x0b);
	assert_int_equal(get(m, 0x3c, 1), 0x0b);
	assert_int_equal(fake_read(m, ECAM_BASE + 0xfe, 4), 0xffff0000);
	assert_int_equal(fake_read(m, ECAM_BASE + 0x100, 4), 0xffffffff); /* no extended space */
	assert_int_equal(fake_read(m, ECAM_BASE + 0x1000, 4), 0xffffffff);
	assert_int_equal(fake_read(m, ECAM_BASE + MIB - 4, 8), UINT64_MAX);
}

static void functions_can_be_added(void **state)
{
	static const struct pci_id id = { .vendor = 0x1af4, .device = 0x1042, .class_revision = 0x01000001 };
	struct machine *m = setup();
	struct pci_function *f = pci_add(m, PCI_DEVFN(3, 0), &id);

	assert_non_null(f);
	f->writable[0x11] = 0xf0;
	assert_int_equal(get(m, 3 << 11, 4), 0x10421af4);
	assert_int_equal(get(m, 3 << 11 | 8, 4), 0x01000001);
	set(m, 3 << 11 | 0x10, 4, 0xffffffff);
	assert_int_equal(get(m, 3 << 11 | 0x10, 4), 0x0000f000);
	assert_int_equal(fake_read(m, ECAM_BASE + (3 << 15) + 0x10, 4), 0x0000f000);
	assert_null(pci_add(m, PCI_DEVFN(3, 0), &id));
	for (u32 i = 2; i < PCI_FUNCTIONS; i++)
		assert_non_null(pci_add(m, PCI_DEVFN(4, 0) + (u8)i, &id));
	assert_null(pci_add(m, PCI_DEVFN(31, 0), &id));
	pci_reset(m);
	assert_int_equal(get(m, 3 << 11, 4), 0xffffffff);
}

static void fuzz(void **state)
{
	fake_fuzz(setup(), 100000, true, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mechanism_1_is_found), cmocka_unit_test(host_bridge_is_there),
		cmocka_unit_test(only_writable_bits_change), cmocka_unit_test(ecam_shows_the_same),
		cmocka_unit_test(functions_can_be_added), cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
