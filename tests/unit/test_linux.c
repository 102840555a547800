/* Linux's boot protocol, with hostile headers and with the real memtest86+.
 * links: vmm/machine/linux.c vmm/machine/load.c vmm/machine/multiboot.c vmm/machine/elf.c vmm/machine/entry.c
 * vmm/machine/ram.c kernel/lib/fmt.c kernel/lib/string.c kernel/lib/error.c tests/unit/fake_loader.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_loader.h"
#include "vmm/machine/linux.h"
#include "vmm/machine/ram.h"

#define SETUP (8 * 512)   /* seven sectors and the first: the payload is page aligned */
#define PAYLOAD 0x10000
#define RSDP 0xe0000

static struct load l;
static u8 image[SETUP + PAYLOAD];
static u8 initrd[10000];

static void put(u64 at, u64 value, u32 size)
{
	memcpy(image + at, &value, size);
}

/* A good relocatable 64-bit kernel of protocol 2.15 that wants 16 MiB. */
static int setup(void **state)
{
	fake_reset();
	for (u32 i = 0; i < sizeof(image); i++)
		image[i] = (u8)(i * 7 + (i >> 8));
	memset(image + 0x1f1, 0, 0x270 - 0x1f1);
	put(0x1f1, 7, 1);
	put(0x1f4, PAYLOAD / 16, 4);
	put(0x1fe, 0xaa55, 2);
	put(0x200, 0x6aeb, 2);
	memcpy(image + 0x202, "HdrS", 4);
	put(0x206, 0x20f, 2);
	put(0x211, 1, 1);
	put(0x214, 0x100000, 4);
	put(0x22c, 0x7fffffff, 4);
	put(0x230, 0x200000, 4);
	put(0x234, 1, 1);
	put(0x236, 0x7f, 2);
	put(0x238, 2047, 4);
	put(0x258, 0x1000000, 8);
	put(0x260, 0x200000, 4);
	fake_add_file("vmlinuz", image, sizeof(image));
	memset(initrd, 0xab, sizeof(initrd));
	fake_add_file("initrd", initrd, sizeof(initrd));
	strcpy(fake_machine.settings.kernel, "vmlinuz");
	return 0;
}

static int load(void)
{
	load_init(&l, &fake_machine);
	return load_guest(&l, RSDP);
}

/* The load must fail with a reason that has the word, in one line that fits. */
static void refuses(const char *word)
{
	assert_int_equal(load(), ERR_INVAL);
	if (!strstr(l.reason, word))
		fail_msg("reason \"%s\" lacks \"%s\"", l.reason, word);
	assert_true(strlen(l.reason) < LOAD_REASON - 1);
}

static void test_good(void **state)
{
	strcpy(fake_machine.settings.cmdline, "console=ttyS0");
	strcpy(fake_machine.settings.initrd, "initrd");
	assert_int_equal(load(), 0);
	assert_memory_equal(fake_ram + 0x1000000, image + SETUP, PAYLOAD);
	assert_int_equal(fake_mapped, PAYLOAD + (sizeof(initrd) & PAGE_MASK));
	assert_int_equal(fake_vcpu.rip, 0x1000200);
	assert_int_equal(fake_vcpu.gpr[GPR_RSI], BOOT_INFO);
	assert_int_equal(fake_vcpu.seg[SEG_CS].attr, 0xa9b);
	assert_int_equal(fake_vcpu.efer, 0x500);
	assert_int_equal(fake_vcpu.cr0 & 0x80000001, 0x80000001);
	assert_int_equal(fake_u64(BOOT_INFO + 0x70), RSDP);
	assert_memory_equal(fake_ram + BOOT_INFO + 0x202, "HdrS", 4);
	assert_string_equal((char *)fake_ram + fake_u32(BOOT_INFO + 0x228), "console=ttyS0");
	assert_int_equal(fake_ram[BOOT_INFO + 0x210], 0xff);
}

/* Files whose frames are another share group's are copied. */
static void test_copied(void **state)
{
	fake_files_taken = true;
	assert_int_equal(load(), 0);
	assert_memory_equal(fake_ram + 0x1000000, image + SETUP, PAYLOAD);
	assert_int_equal(fake_mapped, 0);
}

static void test_initrd_place(void **state)
{
	u32 at;

	strcpy(fake_machine.settings.initrd, "initrd");
	assert_int_equal(load(), 0);
	at = fake_u32(BOOT_INFO + 0x218);
	assert_int_equal(at, FAKE_RAM - 3 * PAGE_SIZE);
	assert_int_equal(fake_u32(BOOT_INFO + 0x21c), sizeof(initrd));
	assert_memory_equal(fake_ram + at, initrd, sizeof(initrd));
	put(0x22c, 0x2ffffff, 4); /* initrd_addr_max is inclusive */
	assert_int_equal(load(), 0);
	assert_int_equal(fake_u32(BOOT_INFO + 0x218), 0x3000000 - 3 * PAGE_SIZE);
	put(0x22c, 0x1200fff, 4); /* only below the kernel is room: it has all up to 1200000h */
	assert_int_equal(load(), 0);
	assert_int_equal(fake_u32(BOOT_INFO + 0x218), 0x1000000 - 3 * PAGE_SIZE);
	put(0x22c, 0x100000, 4);
	refuses("initrd: no room");
}

static void test_e820(void **state)
{
	static const u64 expected[][3] = {
		{ 0, 0xa0000, 1 }, { 0xe0000, 0x20000, 2 }, { 0x100000, FAKE_RAM - 0x100000, 1 },
		{ ECAM_BASE, ECAM_SIZE, 2 },
	};

	assert_int_equal(load(), 0);
	assert_int_equal(fake_ram[BOOT_INFO + 0x1e8], ARRAY_SIZE(expected));
	for (u32 i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(fake_u64(BOOT_INFO + 0x2d0 + i * 20), expected[i][0]);
		assert_int_equal(fake_u64(BOOT_INFO + 0x2d0 + i * 20 + 8), expected[i][1]);
		assert_int_equal(fake_u32(BOOT_INFO + 0x2d0 + i * 20 + 16), expected[i][2]);
	}
}

static void test_page_tables(void **state)
{
	assert_int_equal(load(), 0);
	for (u64 at = 0; at < 4 * GIB; at += 2 * MIB) {
		u64 pdpt = fake_u64(fake_vcpu.cr3 + 8 * (at >> 39)) & PAGE_MASK;
		u64 pd = fake_u64(pdpt + 8 * (at >> 30 & 511)) & PAGE_MASK;

		assert_int_equal(fake_u64(pd + 8 * (at >> 21 & 511)), at | 0x83);
	}
	assert_int_equal(fake_vcpu.gdtr.base, BOOT_GDT);
	assert_int_equal(fake_u64(BOOT_GDT + 0x10), 0x00af9b000000ffff);
	assert_int_equal(fake_u64(BOOT_GDT + 0x18), 0x00cf93000000ffff);
}

static void test_32_bit_entry(void **state)
{
	put(0x236, 0x7e, 2);
	assert_int_equal(load(), 0);
	assert_int_equal(fake_vcpu.rip, 0x1000000);
	assert_int_equal(fake_vcpu.seg[SEG_CS].attr, 0xc9b);
	assert_int_equal(fake_vcpu.cr0 & 0x80000001, 1);
	assert_int_equal(fake_vcpu.efer, 0);
	put(0x206, 0x206, 2); /* no pref_address, no xloadflags yet */
	put(0x236, 0x7f, 2);
	assert_int_equal(load(), 0);
	assert_int_equal(fake_vcpu.rip, 0x200000); /* 1 MiB, aligned */
	put(0x234, 0, 1);
	assert_int_equal(load(), 0);
	assert_int_equal(fake_vcpu.rip, 0x100000);
	assert_int_equal(fake_u32(BOOT_INFO + 0x214), 0x100000);
}

static void test_hostile_headers(void **state)
{
	struct { u64 at, value; u32 size; const char *word; } bad[] = {
		{ 0x206, 0x205, 2, "boot protocol 2.05" },
		{ 0x211, 0, 1, "bzImage is needed" },
		{ 0x1f4, 0, 4, "no code" },
		{ 0x1f4, PAYLOAD / 16 + 1, 4, "truncated" },
		{ 0x1f4, 0xffffffff, 4, "truncated" },
		{ 0x1f1, 255, 1, "truncated" },
		{ 0x258, 0, 8, "wants to be loaded at 0x0" },
		{ 0x258, 0xffffffffffffffff, 8, "wants to be loaded" },
		{ 0x258, 0xfffffffff000, 8, "wants to be loaded" },
		{ 0x258, 0xfff00000, 8, "wants to be loaded" },
		{ 0x258, FAKE_RAM, 8, "do not fit into 128 MiB" },
		{ 0x258, 0xc0000000, 8, "do not fit" },
		{ 0x260, FAKE_RAM, 4, "do not fit" },
		{ 0x260, 0xffffffff, 4, "do not fit" },
		{ 0x230, 0x300000, 4, "alignment" },
		{ 0x238, 4, 4, "takes at most 4" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		setup(state);
		strcpy(fake_machine.settings.cmdline, "quiet");
		put(bad[i].at, bad[i].value, bad[i].size);
		refuses(bad[i].word);
		assert_int_equal(fake_vcpu.rip, 0);
	}
}

static void test_random_headers(void **state)
{
	u32 seed = 12345;

	strcpy(fake_machine.settings.initrd, "initrd");
	for (u32 i = 0; i < 3000; i++) {
		u8 saved[0x270 - 0x1f1];

		memcpy(saved, image + 0x1f1, sizeof(saved));
		for (u32 j = 0; j < 4; j++) {
			seed = seed * 1103515245 + 12345;
			image[0x1f1 + (seed >> 8) % sizeof(saved)] = (u8)(seed >> 24);
		}
		if (load() == 0)
			assert_true(fake_vcpu.rip >= RAM_HIGH && fake_vcpu.rip < FAKE_RAM);
		else
			assert_true(l.reason[0] != 0);
		memcpy(image + 0x1f1, saved, sizeof(saved));
	}
}

static void test_truncated_file(void **state)
{
	/* every length that ends within the header, some of the others */
	for (u64 size = 1; size < SETUP + PAYLOAD; size += size < 0x1e0 ? 37 : size < 0x280 ? 1 : 4093) {
		u8 *exact = malloc(size); /* so that ASan sees what reads beyond the end */

		fake_reset();
		strcpy(fake_machine.settings.kernel, "vmlinuz");
		memcpy(exact, image, size);
		fake_add_file("vmlinuz", exact, size);
		assert_int_equal(load(), ERR_INVAL);
		if (size > 0x300)
			assert_non_null(strstr(l.reason, "truncated"));
		free(exact);
	}
}

static void test_not_a_kernel(void **state)
{
	static const u8 gzip[] = { 0x1f, 0x8b, 8, 0 }, elf[64] = "\177ELF\2\1", text[] = { 'h' };

	strcpy(fake_machine.settings.kernel, "nowhere");
	refuses("kernel: nowhere was not loaded");
	fake_add_file("empty", text, 0);
	strcpy(fake_machine.settings.kernel, "empty");
	refuses("kernel: empty is empty");
	fake_add_file("gzip", gzip, sizeof(gzip));
	strcpy(fake_machine.settings.kernel, "gzip");
	refuses("compressed by gzip");
	fake_add_file("elf", elf, sizeof(elf));
	strcpy(fake_machine.settings.kernel, "elf");
	refuses("ELF file without a Multiboot header");
	fake_add_file("one", text, 1);
	strcpy(fake_machine.settings.kernel, "one");
	refuses("neither a Linux bzImage nor Multiboot (68 00 00 00");
}

static void test_missing_initrd(void **state)
{
	strcpy(fake_machine.settings.initrd, "nowhere");
	refuses("initrd: nowhere was not loaded");
}

static void test_memtest(void **state)
{
	u64 size;
	u8 *file = fake_read_host_file("/boot/memtest86+x64.bin", &size);

	if (!file)
		skip();
	fake_add_file("memtest", file, size);
	strcpy(fake_machine.settings.kernel, "memtest");
	strcpy(fake_machine.settings.cmdline, "console=ttyS0");
	assert_int_equal(load(), 0);
	assert_int_equal(fake_vcpu.rip, 0x100200);
	assert_int_equal(fake_vcpu.seg[SEG_CS].attr, 0xa9b);
	assert_memory_equal(fake_ram + 0x100000, file + 0x600, size - 0x600);
	free(file);
}

static void test_above_4g(void **state)
{
	struct ram_range r[RAM_RANGES];

	assert_int_equal(ram_ranges(5 * GIB, r), 5);
	assert_int_equal(r[2].len, LOW_RAM_END - RAM_HIGH);
	assert_int_equal(r[4].base, 4 * GIB);
	assert_int_equal(r[4].len, 2 * GIB);
	assert_true(ram_contains(5 * GIB, 6 * GIB - 1, 1));
	assert_false(ram_contains(5 * GIB, 6 * GIB, 1));
	assert_false(ram_contains(5 * GIB, LOW_RAM_END - 1, 2));
	assert_false(ram_contains(5 * GIB, UINT64_MAX, 2));
	assert_false(ram_contains(5 * GIB, 0x9ffff, 2));
	assert_false(ram_contains(5 * GIB, 0xe0000, 1));
	assert_false(ram_contains(5 * GIB, 1 * MIB, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, setup),
		cmocka_unit_test_setup(test_copied, setup),
		cmocka_unit_test_setup(test_initrd_place, setup),
		cmocka_unit_test_setup(test_e820, setup),
		cmocka_unit_test_setup(test_page_tables, setup),
		cmocka_unit_test_setup(test_32_bit_entry, setup),
		cmocka_unit_test_setup(test_hostile_headers, setup),
		cmocka_unit_test_setup(test_random_headers, setup),
		cmocka_unit_test_setup(test_truncated_file, setup),
		cmocka_unit_test_setup(test_not_a_kernel, setup),
		cmocka_unit_test_setup(test_missing_initrd, setup),
		cmocka_unit_test_setup(test_memtest, setup),
		cmocka_unit_test(test_above_4g),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
