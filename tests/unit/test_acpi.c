/* ACPI tables, right ones and broken ones, in a fake physical memory with nothing readable around it. */
/* links: boot/acpi.c boot/acpi_madt.c boot/acpi_places.c boot/acpi_power.c boot/ranges.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/acpi.h"
#include "boot/ranges.h"

#define BASE 0x100000ull
#define SIZE 8192

static struct boot_info info;
static u8 *memory; /* from the heap, so that the sanitizer sees the first byte beyond */
static u64 used;
static u64 tables[16];
static u32 table_count;

static const void *fake_at(void *context, u64 address, u64 len)
{
	u64 offset = address - BASE;

	return offset <= SIZE && len <= SIZE - offset ? memory + offset : NULL;
}

static struct acpi acpi = { .at = fake_at };

static int clear(void **state)
{
	memory = calloc(1, SIZE);
	memset(&info, 0, sizeof(info));
	used = table_count = 0;
	info.s5_type_a = info.s5_type_b = info.reset_space = 255;
	return 0;
}

static int done(void **state)
{
	free(memory);
	return 0;
}

static void put(u8 *to, u64 value, u32 bytes)
{
	memcpy(to, &value, bytes);
}

static void fix_sum(u8 *table, u32 len, u32 at)
{
	u8 sum = 0;

	table[at] = 0;
	for (u32 i = 0; i < len; i++)
		sum += table[i];
	table[at] = -sum;
}

static u64 add(const char *signature, const void *body, u32 len)
{
	u8 *t = memory + used;
	u64 address = BASE + used;

	memcpy(t, signature, 4);
	put(t + 4, 36 + len, 4);
	memcpy(t + 36, body, len);
	fix_sum(t, 36 + len, 9);
	used += 36 + len;
	return address;
}

static u8 *add_table(const char *signature, const void *body, u32 len)
{
	tables[table_count++] = add(signature, body, len);
	return memory + (tables[table_count - 1] - BASE);
}

/* The RSDP and its root table, revision 0 (RSDT) or 2 (XSDT). */
static void finish(u8 revision)
{
	u8 entries[128], *rsdp;
	u32 size = revision ? 8 : 4;
	u64 root;

	for (u32 i = 0; i < table_count; i++)
		put(entries + i * size, tables[i], size);
	root = add(revision ? "XSDT" : "RSDT", entries, table_count * size);
	rsdp = memory + used;
	acpi.rsdp = BASE + used;
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = revision;
	put(rsdp + (revision ? 24 : 16), root, size);
	fix_sum(rsdp, 20, 8);
	fix_sum(rsdp, 36, 32);
	used += 36;
}

static void test_finds_by_both_roots(void **state)
{
	struct acpi_table t;

	for (u8 revision = 0; revision <= 2; revision += 2) {
		used = table_count = 0;
		memset(memory, 0, SIZE);
		add_table("AAAA", "1", 1);
		add_table("BBBB", "22", 2);
		finish(revision);
		assert_true(acpi_find(&acpi, "BBBB", &t));
		assert_int_equal(t.len, 38);
		assert_int_equal(acpi_field(&t, 36, 2), 0x3232);
		assert_int_equal(acpi_field(&t, 37, 2), 0); /* beyond the end */
		assert_int_equal(acpi_field(&t, ~0u, 8), 0);
		assert_false(acpi_find(&acpi, "CCCC", &t));
	}
}

static void test_refuses_bad_sums_and_lengths(void **state)
{
	struct acpi_table t;
	u8 *table = add_table("AAAA", "1", 1);

	finish(2);
	table[36]++;
	assert_false(acpi_find(&acpi, "AAAA", &t));
	table[36]--;
	assert_true(acpi_find(&acpi, "AAAA", &t));
	put(table + 4, 35, 4);
	fix_sum(table, 35, 9);
	assert_false(acpi_find(&acpi, "AAAA", &t));
	put(table + 4, SIZE, 4);
	assert_false(acpi_find(&acpi, "AAAA", &t));
	put(table + 4, ~0u, 4);
	assert_false(acpi_find(&acpi, "AAAA", &t));
	memory[acpi.rsdp - BASE + 8]++;
	assert_false(acpi_find(&acpi, "AAAA", &t));
	acpi.rsdp = 0x1234;
	assert_false(acpi_find(&acpi, "AAAA", &t));
	acpi.rsdp = 0;
	assert_false(acpi_find(&acpi, "AAAA", &t));
}

static void test_cpus(void **state)
{
	static const u8 body[] = {
		0, 0, 0, 0, 0, 0, 0, 0,
		0, 8, 0, 4, 1, 0, 0, 0,  0, 8, 1, 0, 1, 0, 0, 0,   /* 4 is the boot CPU; 0 */
		0, 8, 2, 1, 0, 0, 0, 0,  0, 8, 3, 2, 2, 0, 0, 0,   /* disabled; only online capable */
		0, 8, 4, 0, 1, 0, 0, 0,  0, 8, 5, 255, 1, 0, 0, 0, /* twice; broadcast */
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0,   /* x2APIC ID 100h */
		1, 12, 0, 0, 0, 0, 0xc1, 0xfe, 24, 0, 0, 0,        /* an IOAPIC from GSI 24 on */
		1, 12, 1, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0, 2, 10, 0, 9, 20, 0, 0, 0, 15, 0,
		2, 10, 0, 77, 5, 0, 0, 0, 0, 0,                    /* no such IRQ */
		0, 1,                                              /* shorter than its head: the end */
		0, 8, 9, 9, 1, 0, 0, 0,
	};

	add_table("APIC", body, sizeof(body));
	finish(2);
	info.cpus[0] = (struct boot_cpu){ .apic_id = 4, .boot = true };
	info.cpu_count = 1;
	acpi_read_cpus(&acpi, &info);
	assert_int_equal(info.cpu_count, 3);
	assert_int_equal(info.cpus[0].apic_id, 4);
	assert_int_equal(info.cpus[1].apic_id, 0);
	assert_int_equal(info.cpus[2].apic_id, 0x100);
	acpi_read_interrupts(&acpi, &info);
	assert_int_equal(info.ioapic, 0xfec00000);
	assert_int_equal(info.irq_gsi[0], 2);
	assert_int_equal(info.irq_gsi[1], 1);
	assert_int_equal(info.irq_gsi[9], 20);
	assert_true(info.irq_level[9] && info.irq_low[9] && !info.irq_level[0] && !info.irq_low[0]);
}

static u8 *make_fadt(const void *aml, u32 aml_len)
{
	u8 body[232 - 36] = { 0 };
	u64 dsdt = add("DSDT", aml, aml_len);

	put(body + 40 - 36, dsdt, 4);
	put(body + 48 - 36, 0xb2, 4);
	body[52 - 36] = 0x71;
	put(body + 64 - 36, 0x604, 4);
	put(body + 76 - 36, 0x608, 4);
	put(body + 112 - 36, 1 << 10, 4);
	put(body + 116 - 36, 1, 1);
	put(body + 120 - 36, 0xcf9, 8);
	body[128 - 36] = 6;
	return add_table("FACP", body, sizeof(body));
}

static void test_power(void **state)
{
	static const u8 aml[] = { 'x', '_', 'S', '5', '_', 0x08, '\\', '_', 'S', '5', '_',
				  0x12, 0x08, 4, 0x0a, 5, 1, 0, 0 };

	make_fadt(aml, sizeof(aml));
	finish(2);
	acpi_read_power(&acpi, &info);
	assert_int_equal(info.pm_timer_port, 0x608);
	assert_int_equal(info.pm1a_control, 0x604);
	assert_int_equal(info.pm1b_control, 0);
	assert_int_equal(info.smi_command, 0xb2);
	assert_int_equal(info.acpi_enable, 0x71);
	assert_int_equal(info.s5_type_a, 5);
	assert_int_equal(info.s5_type_b, 1);
	assert_int_equal(info.reset_space, 1);
	assert_int_equal(info.reset_register, 0xcf9);
	assert_int_equal(info.reset_value, 6);
}

static void test_power_prefers_extended_fields(void **state)
{
	u8 *fadt = make_fadt("", 0);

	put(fadt + 208, 1, 1);
	put(fadt + 212, 0x508, 8);
	put(fadt + 172, 0, 1); /* in memory: not for a port */
	put(fadt + 176, 0x12345678, 8);
	fix_sum(fadt, 232, 9);
	finish(2);
	acpi_read_power(&acpi, &info);
	assert_int_equal(info.pm_timer_port, 0x508);
	assert_int_equal(info.pm1a_control, 0x604);
	assert_int_equal(info.s5_type_a, 255);
}

static void test_hardware_reduced(void **state)
{
	u8 *fadt = make_fadt("", 0);

	put(fadt + 112, 1 << 20, 4);
	fix_sum(fadt, 232, 9);
	finish(2);
	acpi_read_power(&acpi, &info);
	assert_int_equal(info.pm_timer_port, 0);
	assert_int_equal(info.pm1a_control, 0);
	assert_int_equal(info.reset_space, 255);
}

/* \_S5 cut off at every byte of its package, at the very end of the table. */
static void test_short_s5(void **state)
{
	static const u8 aml[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x48, 0, 4, 0x0b, 7, 0, 0x0b, 7, 0 };

	for (u32 len = 0; len <= sizeof(aml); len++) {
		used = table_count = 0;
		info.s5_type_a = info.s5_type_b = 255;
		make_fadt(aml, len);
		finish(2);
		acpi_read_power(&acpi, &info);
		assert_true(len < sizeof(aml) || (info.s5_type_a == 7 && info.s5_type_b == 7));
		assert_true(len > 9 || info.s5_type_a == 255);
	}
}

static void test_hpet_and_serial(void **state)
{
	u8 hpet[20] = { [4] = 0, [5] = 64 }, spcr[44] = { [0] = 0, [4] = 0, [5] = 32, [7] = 3, [22] = 7 };
	struct acpi_serial serial;

	put(hpet + 8, 0xfed00000, 8);
	put(spcr + 8, 0xfedc9000, 8);
	add_table("HPET", hpet, sizeof(hpet));
	finish(2);
	acpi_read_hpet(&acpi, &info);
	assert_int_equal(info.hpet, 0xfed00000);
	assert_false(acpi_read_serial(&acpi, &serial));
	add_table("SPCR", spcr, sizeof(spcr));
	finish(2);
	assert_true(acpi_read_serial(&acpi, &serial));
	assert_int_equal(serial.kind, BOOT_SERIAL_MMIO);
	assert_int_equal(serial.base, 0xfedc9000);
	assert_int_equal(serial.stride, 4);
	assert_int_equal(serial.baud, 115200);
	table_count = 0;
	spcr[0] = 3; /* an ARM PL011 */
	add_table("SPCR", spcr, sizeof(spcr));
	finish(2);
	assert_false(acpi_read_serial(&acpi, &serial));
}

static void test_nodes(void **state)
{
	u8 body[12 + 3 * 40 + 16 + 24 + 16] = { 0 }, *cpu = body + 12 + 3 * 40;

	for (u64 i = 0; i < 3; i++) {
		u8 *e = body + 12 + i * 40;

		e[0] = 1;
		e[1] = 40;
		put(e + 2, i == 1 ? 7 : 3, 4);
		put(e + 8, i * 0x100000, 8);
		put(e + 16, 0x100000, 8);
		e[28] = 1;
	}
	memcpy(cpu, (u8[]){ 0, 16, 7, 4, 1 }, 5);                /* APIC ID 4, domain 7 */
	memcpy(cpu + 16, (u8[]){ 2, 24, 0, 0, 9 }, 5);           /* x2APIC ID 100h, domain 9 */
	put(cpu + 16 + 8, 0x100, 4);
	put(cpu + 16 + 12, 1, 4);
	memcpy(cpu + 16 + 24, (u8[]){ 0, 16, 9, 0, 0 }, 5);      /* APIC ID 0: not enabled */
	info.cpu_count = 3;
	for (u32 i = 0; i < 3; i++)
		info.cpus[i] = (struct boot_cpu){ .apic_id = (u32[]){ 4, 0, 0x100 }[i] };
	add_table("SRAT", body, sizeof(body));
	finish(2);
	ranges_paint(&info, 0, 0x400000, BOOT_RANGE_FREE);
	acpi_read_nodes(&acpi, &info);
	assert_int_equal(info.range_count, 3);
	assert_int_equal(info.ranges[1].base, 0x100000);
	assert_int_equal(info.ranges[1].node, 1);
	assert_int_equal(info.ranges[2].node, 0);
	assert_int_equal(info.cpus[0].node, 1);
	assert_int_equal(info.cpus[1].node, 0);
	assert_int_equal(info.cpus[2].node, 2);
}

/* Random damage, with the sums put right again, so that it reaches the parsers. */
static void test_damage(void **state)
{
	struct acpi_serial serial;

	srand(4);
	for (int round = 0; round < 3000; round++) {
		static const char *const names[] = { "APIC", "SRAT", "SPCR", "HPET", "FACP" };
		u8 body[200];

		used = table_count = 0;
		memset(&info, 0, sizeof(info));
		info.cpu_count = 1;
		ranges_paint(&info, 0, GIB, BOOT_RANGE_FREE);
		for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
			u32 len = (u32)rand() % sizeof(body);

			for (u32 k = 0; k < len; k++)
				body[k] = rand() % 3 ? rand() % 20 : rand();
			add_table(names[i], body, len);
		}
		finish(2);
		acpi_read_cpus(&acpi, &info);
		acpi_read_interrupts(&acpi, &info);
		acpi_read_nodes(&acpi, &info);
		acpi_read_power(&acpi, &info);
		acpi_read_hpet(&acpi, &info);
		if (acpi_read_serial(&acpi, &serial))
			assert_true(serial.base && (serial.stride == 1 || serial.stride == 4));
		assert_true(info.cpu_count >= 1 && info.range_count >= 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_finds_by_both_roots, clear, done),
		cmocka_unit_test_setup_teardown(test_refuses_bad_sums_and_lengths, clear, done),
		cmocka_unit_test_setup_teardown(test_cpus, clear, done),
		cmocka_unit_test_setup_teardown(test_power, clear, done),
		cmocka_unit_test_setup_teardown(test_power_prefers_extended_fields, clear, done),
		cmocka_unit_test_setup_teardown(test_hardware_reduced, clear, done),
		cmocka_unit_test_setup_teardown(test_short_s5, clear, done),
		cmocka_unit_test_setup_teardown(test_hpet_and_serial, clear, done),
		cmocka_unit_test_setup_teardown(test_nodes, clear, done),
		cmocka_unit_test_setup_teardown(test_damage, clear, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
