/* Multiboot 1: ELF32, ELF64 and flat kernels, modules, and what hostile ones say.
 * links: vmm/machine/linux.c vmm/machine/load.c vmm/machine/multiboot.c vmm/machine/elf.c vmm/machine/entry.c
 * vmm/machine/ram.c kernel/lib/fmt.c kernel/lib/string.c kernel/lib/error.c tests/unit/fake_loader.c */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_loader.h"
#include "vmm/machine/load.h"

#define HEADER_AT 0x1000
#define CODE_AT 0x1000
#define CODE_LEN 0x1234
#define VIRTUAL 0x40000000

static struct load l;
static u8 image[0x4000];
static u8 module[5000];

static int setup(void **state)
{
	fake_reset();
	for (u32 i = 0; i < sizeof(image); i++)
		image[i] = (u8)(i * 5 + 1);
	memset(image, 0, 0x200);
	strcpy(fake_machine.settings.kernel, "kernel");
	fake_add_file("kernel", image, sizeof(image));
	memset(module, 0xcd, sizeof(module));
	fake_add_file("mod", module, sizeof(module));
	return 0;
}

static void put_header(u64 at, u32 flags)
{
	u32 h[8] = { 0x1badb002, flags, -(0x1badb002 + flags) };

	memcpy(image + at, h, sizeof(h));
}

static void put_elf64(u64 paddr, u64 memsz)
{
	Elf64_Ehdr e = { .e_ident = "\177ELF\2\1\1", .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_phoff = 64,
			 .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1, .e_entry = VIRTUAL + 0x123 };
	Elf64_Phdr p = { .p_type = PT_LOAD, .p_offset = CODE_AT, .p_vaddr = VIRTUAL, .p_paddr = paddr,
			 .p_filesz = CODE_LEN, .p_memsz = memsz };

	memcpy(image, &e, sizeof(e));
	memcpy(image + 64, &p, sizeof(p));
}

static void put(u64 at, u64 value)
{
	memcpy(image + at, &value, sizeof(value));
}

static void put_elf32(u32 paddr, u32 memsz)
{
	Elf32_Ehdr e = { .e_ident = "\177ELF\1\1\1", .e_type = ET_EXEC, .e_machine = EM_386, .e_phoff = 64,
			 .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1, .e_entry = paddr + 0x123 };
	Elf32_Phdr p = { .p_type = PT_LOAD, .p_offset = CODE_AT, .p_vaddr = paddr, .p_paddr = paddr,
			 .p_filesz = CODE_LEN, .p_memsz = memsz };

	memcpy(image, &e, sizeof(e));
	memcpy(image + 64, &p, sizeof(p));
}

static int load(void)
{
	load_init(&l, &fake_machine);
	return load_guest(&l, 0xe0000);
}

static void refuses(const char *word)
{
	assert_int_equal(load(), ERR_INVAL);
	if (!strstr(l.reason, word))
		fail_msg("reason \"%s\" lacks \"%s\"", l.reason, word);
	assert_true(strlen(l.reason) < LOAD_REASON - 1);
}

static void check_entry(u64 rip)
{
	assert_int_equal(fake_vcpu.rip, rip);
	assert_int_equal(fake_vcpu.gpr[GPR_RAX], 0x2badb002);
	assert_int_equal(fake_vcpu.gpr[GPR_RBX], BOOT_INFO);
	assert_int_equal(fake_vcpu.seg[SEG_CS].attr, 0xc9b);
	assert_int_equal(fake_vcpu.seg[SEG_DS].attr, 0xc93);
	assert_int_equal(fake_vcpu.cr0 & 0x80000001, 1);
	assert_int_equal(fake_vcpu.rflags & 0x20200, 0);
}

static void test_elf64(void **state)
{
	put_elf64(0x200000, 0x3000);
	put_header(HEADER_AT, 3);
	assert_int_equal(load(), 0);
	check_entry(0x200123); /* the entry was virtual */
	assert_memory_equal(fake_ram + 0x200000, image + CODE_AT, CODE_LEN);
	assert_int_equal(fake_ram[0x200000 + CODE_LEN], 0);
	assert_int_equal(fake_mapped, PAGE_SIZE); /* the page that is whole */
}

/* Place and offset are as far from a page's beginning: the pages that are whole are mapped, both ends are copied. */
static void test_elf64_alike(void **state)
{
	const u64 offset = CODE_AT + 0x340, len = 0x2000;

	put_elf64(0x200340, 0x3000);
	put(64 + offsetof(Elf64_Phdr, p_offset), offset);
	put(64 + offsetof(Elf64_Phdr, p_filesz), len);
	put_header(HEADER_AT, 3);
	for (u32 taken = 0; taken < 2; taken++) {
		fake_files_taken = taken;
		fake_mapped = 0;
		memset(fake_ram + 0x200000, 0xee, 0x4000);
		assert_int_equal(load(), 0);
		assert_memory_equal(fake_ram + 0x200340, image + offset, len);
		assert_int_equal(fake_ram[0x20033f], 0xee);
		assert_int_equal(fake_ram[0x200340 + len], 0xee);
		assert_int_equal(fake_mapped, taken ? 0 : PAGE_SIZE);
	}
}

static void test_elf32_unaligned(void **state)
{
	put_elf32(0x100010, CODE_LEN);
	put_header(HEADER_AT + 8, 0);
	assert_int_equal(load(), 0);
	check_entry(0x100133);
	assert_memory_equal(fake_ram + 0x100010, image + CODE_AT, CODE_LEN);
	assert_int_equal(fake_mapped, 0);
}

static void test_flat(void **state)
{
	u32 addresses[5] = { 0x100040, 0x100000, 0x100800, 0x102000, 0x100050 };

	put_header(0x140, 0x10003);
	memcpy(image + 0x140 + 12, addresses, sizeof(addresses));
	assert_int_equal(load(), 0);
	check_entry(0x100050);
	assert_memory_equal(fake_ram + 0x100000, image + 0x100, 0x800);
	addresses[2] = 0; /* to the end of the file */
	memcpy(image + 0x140 + 12, addresses, sizeof(addresses));
	assert_int_equal(load(), 0);
	assert_memory_equal(fake_ram + 0x100000, image + 0x100, sizeof(image) - 0x100);
}

static void test_flat_hostile(void **state)
{
	struct { u32 addresses[5]; const char *word; } bad[] = {
		{ { 0x100000, 0x100040, 0, 0, 0 }, "Multiboot header says" },
		{ { 0x100000, 0, 0, 0, 0 }, "Multiboot header says" },
		{ { 0x100040, 0x100000, 0xfffff, 0, 0 }, "before" },
		{ { 0x100040, 0x100000, 0xffffffff, 0, 0 }, "do not fit" },
		{ { 0x100040, 0x100000, 0x110000, 0, 0 }, "truncated" },
		{ { 0x100040, 0x100000, 0, 0xffffffff, 0 }, "do not fit" },
		{ { 0x8040, 0x8000, 0, 0, 0 }, "overlaps the Quire's boot tables" },
		{ { 0xfffffff0, 0xfffffff0, 0, 0, 0 }, "do not fit" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		setup(state);
		put_header(0x140, 0x10000);
		memcpy(image + 0x140 + 12, bad[i].addresses, sizeof(bad[i].addresses));
		refuses(bad[i].word);
	}
}

static void test_information(void **state)
{
	u32 mods, mmap;

	put_elf64(0x200000, 0x3000);
	put_header(HEADER_AT, 3);
	strcpy(fake_machine.settings.cmdline, "console=com0");
	strcpy(fake_machine.settings.initrd, "mod");
	strcpy(fake_machine.settings.modules[0], "mod with arguments");
	fake_machine.settings.module_count = 1;
	assert_int_equal(load(), 0);
	assert_int_equal(fake_u32(BOOT_INFO), 0x24d);
	assert_int_equal(fake_u32(BOOT_INFO + 4), 640);
	assert_int_equal(fake_u32(BOOT_INFO + 8), (FAKE_RAM - MIB) / KIB);
	assert_string_equal((char *)fake_ram + fake_u32(BOOT_INFO + 16), "kernel console=com0");
	assert_int_equal(fake_u32(BOOT_INFO + 20), 2);
	mods = fake_u32(BOOT_INFO + 24);
	assert_int_equal(fake_u32(mods), FAKE_RAM - 2 * PAGE_SIZE);
	assert_int_equal(fake_u32(mods + 16), FAKE_RAM - 4 * PAGE_SIZE);
	assert_int_equal(fake_u32(mods + 20) - fake_u32(mods + 16), sizeof(module));
	assert_string_equal((char *)fake_ram + fake_u32(mods + 8), "mod");
	assert_string_equal((char *)fake_ram + fake_u32(mods + 24), "mod with arguments");
	assert_memory_equal(fake_ram + fake_u32(mods + 16), module, sizeof(module));
	assert_int_equal(fake_u32(BOOT_INFO + 44), 4 * 24);
	mmap = fake_u32(BOOT_INFO + 48);
	assert_int_equal(fake_u32(mmap), 20);
	assert_int_equal(fake_u64(mmap + 2 * 24 + 4), MIB);
	assert_int_equal(fake_u64(mmap + 2 * 24 + 12), FAKE_RAM - MIB);
	assert_int_equal(fake_u32(mmap + 2 * 24 + 20), 1);
	assert_string_equal((char *)fake_ram + fake_u32(BOOT_INFO + 64), "Quire");
}

static void test_header_search(void **state)
{
	put_elf64(0x200000, 0x3000);
	put_header(8192 - 12, 3); /* its last word is the search area's last */
	assert_int_equal(load(), 0);
	setup(state);
	put_elf64(0x200000, 0x3000);
	put_header(8192, 3);
	refuses("without a Multiboot header");
	setup(state);
	put_elf64(0x200000, 0x3000);
	put_header(HEADER_AT, 3);
	image[HEADER_AT + 8]++; /* the checksum */
	refuses("without a Multiboot header");
	put_header(HEADER_AT + 2, 3); /* not aligned */
	refuses("without a Multiboot header");
	put_header(HEADER_AT + 16, 3); /* a second, good one behind a bad one */
	assert_int_equal(load(), 0);
}

static void test_hostile_elf(void **state)
{
	struct { u64 at, value; u32 size; const char *word; } bad[] = {
		{ offsetof(Elf64_Ehdr, e_type), ET_DYN, 2, "no ELF executable" },
		{ offsetof(Elf64_Ehdr, e_machine), EM_ARM, 2, "no ELF for x86" },
		{ offsetof(Elf64_Ehdr, e_phnum), 0, 2, "0 ELF program headers" },
		{ offsetof(Elf64_Ehdr, e_phnum), 0xffff, 2, "65535 ELF program headers" },
		{ offsetof(Elf64_Ehdr, e_phentsize), 8, 2, "of 8 bytes" },
		{ offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX, 8, "truncated" },
		{ offsetof(Elf64_Ehdr, e_phoff), sizeof(image) - 8, 8, "truncated" },
		{ offsetof(Elf64_Ehdr, e_entry), BIT(32), 8, "above 4 GiB" },
		{ 64 + offsetof(Elf64_Phdr, p_type), PT_NOTE, 4, "nothing to load" },
		{ 64 + offsetof(Elf64_Phdr, p_filesz), 0x3001, 8, "more bytes in the file" },
		{ 64 + offsetof(Elf64_Phdr, p_memsz), UINT64_MAX, 8, "do not fit" },
		{ 64 + offsetof(Elf64_Phdr, p_memsz), FAKE_RAM, 8, "do not fit" },
		{ 64 + offsetof(Elf64_Phdr, p_paddr), UINT64_MAX - 5, 8, "do not fit" },
		{ 64 + offsetof(Elf64_Phdr, p_paddr), 0x9f000, 8, "do not fit" },
		{ 64 + offsetof(Elf64_Phdr, p_paddr), 0xf000, 8, "overlaps" },
		{ 64 + offsetof(Elf64_Phdr, p_offset), UINT64_MAX - 5, 8, "truncated" },
		{ 64 + offsetof(Elf64_Phdr, p_offset), 0x3000, 8, "truncated" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		setup(state);
		put_elf64(0x200000, 0x3000);
		put_header(HEADER_AT, 3);
		memcpy(image + bad[i].at, &bad[i].value, bad[i].size);
		refuses(bad[i].word);
		assert_int_equal(fake_vcpu.rip, 0);
	}
	setup(state);
	put_elf64(0x200000, 0x3000);
	put_header(HEADER_AT, 0x8);
	refuses("unknown Multiboot features");
}

static void test_overlapping_segments(void **state)
{
	put_elf64(0x200000, 0x3000);
	memcpy(image + 64 + sizeof(Elf64_Phdr), image + 64, sizeof(Elf64_Phdr));
	image[offsetof(Elf64_Ehdr, e_phnum)] = 2;
	put_header(HEADER_AT, 3);
	refuses("overlaps the kernel");
}

static void test_bad_modules(void **state)
{
	put_elf64(0x200000, 0x3000);
	put_header(HEADER_AT, 3);
	strcpy(fake_machine.settings.modules[0], "nowhere x");
	fake_machine.settings.module_count = 1;
	refuses("module: nowhere was not loaded");
	memset(fake_machine.settings.modules[0], 'm', sizeof(fake_machine.settings.modules[0]) - 1);
	refuses("module: mmm");
}

static void test_random(void **state)
{
	u32 seed = 4711;

	for (u32 i = 0; i < 3000; i++) {
		put_elf64(0x200000, 0x3000);
		put_header(HEADER_AT, i & 1 ? 3 : 0x10003);
		for (u32 j = 0; j < 4; j++) {
			seed = seed * 1103515245 + 12345;
			image[(seed >> 8) & 1 ? (seed >> 9) % 120 : HEADER_AT + (seed >> 9) % 32] = (u8)(seed >> 24);
		}
		if (load())
			assert_true(l.reason[0] != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_elf64, setup), cmocka_unit_test_setup(test_elf64_alike, setup),
		cmocka_unit_test_setup(test_elf32_unaligned, setup),
		cmocka_unit_test_setup(test_flat, setup),
		cmocka_unit_test_setup(test_flat_hostile, setup),
		cmocka_unit_test_setup(test_information, setup),
		cmocka_unit_test_setup(test_header_search, setup),
		cmocka_unit_test_setup(test_hostile_elf, setup),
		cmocka_unit_test_setup(test_overlapping_segments, setup),
		cmocka_unit_test_setup(test_bad_modules, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
