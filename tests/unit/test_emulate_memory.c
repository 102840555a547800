/* How accesses reach RAM, ROM, devices and the local APIC: splitting, routing, and how few system calls. */
/* links: vmm/lib/emulate_memory.c vmm/lib/emulate.c vmm/lib/emulate_one.c vmm/lib/emulate_two.c
 * vmm/lib/emulate_string.c vmm/lib/emulate_stack.c vmm/lib/emulate_operand.c vmm/lib/emulate_segment.c
 * vmm/lib/emulate_alu.c vmm/lib/emulate_plain.c kernel/lib/insn.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/lib/emulate.h"
#include "vmm/lib/emulate_memory.h"
#include "vmm/lib/sys.h"

#define RAM_SIZE 0x10000
#define ROM 0xf000      /* the last page of it cannot be written */
#define DEVICE 0xfed00000
#define LAPIC 0xfee00000

static u8 ram[RAM_SIZE];
static u8 device[4096];
static u32 lapic[1024];
static struct vcpu_state vcpu;
static struct vcpu_page page;
static struct emulate_memory memory;
static char log_text[1024];
static u32 translates, gets, last_access;

/* ---- the kernel ---- */

/* Linear 10000h is the device, 11000h the local APIC, 12000h is absent, below is RAM. */
s64 sys_vcpu_translate(u32 index, u64 gva, u32 access, u64 *gpa)
{
	assert_int_equal(index, 3);
	translates++;
	last_access = access;
	if (gva < RAM_SIZE)
		*gpa = gva;
	else if (gva < 0x11000)
		*gpa = DEVICE | (gva & 0xfff);
	else if (gva < 0x12000)
		*gpa = LAPIC | (gva & 0xfff);
	else
		return (s64)(BIT(31) | (access & ACCESS_WRITE ? 2 : 0));
	return 0;
}

int sys_guest_read(u64 gpa, void *buf, u64 len)
{
	if (gpa + len > RAM_SIZE)
		return ERR_FAULT;
	memcpy(buf, ram + gpa, len);
	return 0;
}

int sys_guest_write(u64 gpa, const void *buf, u64 len)
{
	if (gpa + len > ROM)
		return ERR_FAULT;
	memcpy(ram + gpa, buf, len);
	return 0;
}

int sys_lapic_access(u32 index, u32 offset, bool write, u32 *value)
{
	if (write)
		lapic[offset / 4] = *value;
	else
		*value = lapic[offset / 4];
	return 0;
}

int sys_vcpu_get(u32 index, struct vcpu_state *state)
{
	gets++;
	*state = vcpu;
	return 0;
}

int sys_vcpu_set(u32 index, const struct vcpu_state *state)
{
	vcpu = *state;
	return 0;
}

_Noreturn void sys_guest_stop(enum stop_reason reason, const char *text)
{
	fail_msg("%s", text);
	__builtin_unreachable();
}

/* ---- the machine ---- */

static void note(const char *what, u64 addr, u32 size, u64 value)
{
	size_t at = strlen(log_text);

	snprintf(log_text + at, sizeof(log_text) - at, "%s%lx.%u=%lx ", what, addr, size, value);
}

static u64 mmio_read(void *machine, u64 gpa, u32 size)
{
	u64 value = 0;

	assert_int_equal(gpa % size, 0);
	if ((gpa & PAGE_MASK) == DEVICE)
		memcpy(&value, device + (gpa & 0xfff), size);
	note("r", gpa, size, value);
	return value;
}

static void mmio_write(void *machine, u64 gpa, u32 size, u64 value)
{
	assert_int_equal(gpa % size, 0);
	note("w", gpa, size, value);
}

static u32 port_in(void *machine, u16 port, u32 size)
{
	return 0;
}

static void port_out(void *machine, u16 port, u32 size, u32 value)
{
	note("o", port, size, value);
}

static const struct emulate_bus bus = { port_in, port_out, mmio_read, mmio_write };

static int setup(void **state)
{
	memset(&page, 0, sizeof(page));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(ram, 0, sizeof(ram));
	memset(lapic, 0, sizeof(lapic));
	for (u32 n = 0; n < sizeof(device); n++)
		device[n] = (u8)n;
	log_text[0] = 0;
	translates = gets = 0;
	vcpu.apic_base = LAPIC | 0x800;
	page.exit.kind = EXIT_MMIO;
	page.exit.mode = MODE_LONG;
	page.exit.mmio.gpa = DEVICE;
	page.rip = 0x1000;
	emulate_memory_init(&memory, 3, &page, &bus, NULL);
	return 0;
}

static int run(const char *bytes, u32 len)
{
	page.exit.insn_len = len;
	memcpy(page.exit.insn, bytes, len);
	return emulate_memory_run(&memory);
}

static void test_plain_read(void **state)
{
	page.gpr[GPR_RBX] = 0x10040;
	page.exit.mmio.gpa = DEVICE + 0x40;
	assert_int_equal(run("\x8b\x03", 2), 0); /* mov eax,[rbx] */
	assert_int_equal(page.gpr[GPR_RAX], 0x43424140);
	assert_int_equal(run("\x03\x03", 2), 0); /* add eax,[rbx]: by the hint */
	assert_int_equal(page.gpr[GPR_RAX], 0x86848280);
	log_text[strlen(log_text) / 2] = 0;
	assert_string_equal(log_text, "rfed00040.4=43424140 ");
	assert_int_equal(translates + gets, 0); /* not one system call */
}

static void test_unaligned(void **state)
{
	page.gpr[GPR_RBX] = 0x10003;
	page.gpr[GPR_RAX] = 0x44332211;
	page.exit.cpl = 3;
	assert_int_equal(run("\x89\x03", 2), 0);
	assert_string_equal(log_text, "wfed00003.1=11 wfed00004.2=3322 wfed00006.1=44 ");
	assert_int_equal(last_access, ACCESS_WRITE | ACCESS_USER);
}

static void test_ram_and_device(void **state)
{
	page.gpr[GPR_RBX] = 0xeffd;
	page.gpr[GPR_RAX] = 0x8877665544332211;
	memset(ram + 0xf000, 0xee, 16);
	page.exit.mmio.gpa = 0xf000; /* the part in ROM */
	page.exit.mmio.write = true;
	assert_int_equal(run("\x48\x89\x03", 3), 0);
	assert_memory_equal(ram + 0xeffd, "\x11\x22\x33\xee", 4);
	assert_string_equal(log_text, "wf000.4=77665544 wf004.1=88 ");
	page.gpr[GPR_RBX] = 0xfffe;
	page.exit.mmio.gpa = DEVICE;
	page.exit.mmio.write = false;
	log_text[0] = 0;
	ram[0xfffe] = 0xaa;
	ram[0xffff] = 0xbb;
	assert_int_equal(run("\x8b\x03", 2), 0);
	assert_string_equal(log_text, "rfed00000.2=100 ");
	assert_int_equal(page.gpr[GPR_RAX], 0x0100bbaa);
}

/* The second page is absent: the device of the first must not see half of the access. */
static void test_fault_first(void **state)
{
	page.gpr[GPR_RBX] = 0x11ffe;
	assert_int_equal(run("\x89\x03", 2), EMULATE_FAULT);
	assert_int_equal(page.inject.vector, 14);
	assert_int_equal(page.inject.error, 2);
	assert_int_equal(page.inject.cr2, 0x12000);
	assert_int_equal(lapic[0xffc / 4], 0);
	assert_string_equal(log_text, "");
}

/* Writes to ROM exit as well; what is read there is its content. */
static void test_rom(void **state)
{
	page.gpr[GPR_RBX] = 0xf010;
	ram[0xf010] = 0x55;
	page.exit.mmio.gpa = 0xf010;
	page.exit.mmio.write = true;
	assert_int_equal(run("\x83\x0b\x0a", 3), 0); /* or dword [rbx],0a */
	assert_string_equal(log_text, "wf010.4=5f ");
	assert_int_equal(ram[0xf010], 0x55);
}

static void test_lapic(void **state)
{
	lapic[0x80 / 4] = 0x21;
	page.gpr[GPR_RBX] = 0x11080;
	page.exit.mmio.gpa = LAPIC + 0x80;
	page.exit.mmio.lapic = true;
	assert_int_equal(run("\x83\x0b\x0a", 3), 0);
	assert_int_equal(lapic[0x80 / 4], 0x2b);
	assert_int_equal(gets, 0);
	page.gpr[GPR_RBX] = 0x11081;
	page.exit.mmio.gpa = LAPIC + 0x81;
	assert_int_equal(run("\x8a\x03", 2), 0); /* a byte of the register */
	assert_int_equal(page.gpr[GPR_RAX], 0);
	page.exit.mmio.write = true;
	assert_int_equal(run("\xc6\x03\x01", 3), 0); /* undefined: ignored */
	assert_int_equal(lapic[0x80 / 4], 0x2b);
	assert_string_equal(log_text, "");
}

/* From the device to the local APIC, which is not the page of the exit: its base has to be asked for. */
static void test_device_to_lapic(void **state)
{
	page.gpr[GPR_RSI] = 0x10010;
	page.gpr[GPR_RDI] = 0x11080;
	page.exit.mmio.gpa = DEVICE + 0x10;
	assert_int_equal(run("\xa5", 1), 0);
	assert_int_equal(lapic[0x80 / 4], 0x13121110);
	assert_int_equal(gets, 1);
	vcpu.apic_base = LAPIC | 0xc00; /* x2APIC: there is no page */
	assert_int_equal(run("\xa5", 1), 0);
	assert_non_null(strstr(log_text, "wfee00084.4=17161514"));
}

static void test_repeat_translates_once(void **state)
{
	page.gpr[GPR_RSI] = 0x10ff0;
	page.gpr[GPR_RDI] = 0x2000;
	page.gpr[GPR_RCX] = 16;
	assert_int_equal(run("\xf3\xa4", 2), 0);
	assert_memory_equal(ram + 0x2000, device + 0xff0, 16);
	assert_int_equal(translates, 2);
	assert_int_equal(page.rip, 0x1002);
	page.rip = 0x1000;
	page.gpr[GPR_RSI] = 0x10000;
	page.gpr[GPR_RCX] = 1;
	assert_int_equal(run("\xf3\xa4", 2), 0);
	assert_int_equal(translates, 4); /* and not longer than for one instruction */
}

static void test_linear_wraps(void **state)
{
	page.exit.mode = MODE_PROT32;
	vcpu.seg[SEG_DS] = (struct vcpu_segment){ .base = 0xffffe000, .limit = 0xffffffff, .attr = 0xc93 };
	page.gpr[GPR_RBX] = 0x1ffe; /* linear fffffffe: absent, and then 0 */
	assert_int_equal(run("\x8b\x03", 2), EMULATE_FAULT);
	assert_int_equal(page.inject.cr2, 0xfffffffe);
	page.gpr[GPR_RBX] = 0x2010;
	ram[0x10] = 0x77;
	assert_int_equal(run("\x8a\x03", 2), 0);
	assert_int_equal(page.gpr[GPR_RAX], 0x77);
}

static void test_single_step(void **state)
{
	page.rflags = 0x102;
	page.gpr[GPR_RBX] = 0x10000;
	assert_int_equal(run("\x8b\x03", 2), 0);
	assert_true(page.inject.valid && page.inject.vector == 1 && !page.inject.has_error);
	assert_true(vcpu.dr6 & BIT(14));
	assert_int_equal(vcpu.rip, 0x1002);
	assert_int_equal(vcpu.gpr[GPR_RAX], 0x03020100);
}

static void test_ports(void **state)
{
	page.exit.kind = EXIT_IO;
	page.exit.io.string = true;
	page.exit.io.size = 2;
	page.exit.io.port = 0x3f8;
	page.gpr[GPR_RDX] = 0x3f8;
	page.gpr[GPR_RSI] = 0x10000; /* from the device's memory */
	page.gpr[GPR_RCX] = 2;
	assert_int_equal(run("\x66\xf3\x6f", 3), 0);
	assert_string_equal(log_text, "rfed00000.2=100 o3f8.2=100 rfed00002.2=302 o3f8.2=302 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_plain_read, setup), cmocka_unit_test_setup(test_unaligned, setup),
		cmocka_unit_test_setup(test_ram_and_device, setup), cmocka_unit_test_setup(test_fault_first, setup),
		cmocka_unit_test_setup(test_rom, setup), cmocka_unit_test_setup(test_lapic, setup),
		cmocka_unit_test_setup(test_device_to_lapic, setup),
		cmocka_unit_test_setup(test_repeat_translates_once, setup),
		cmocka_unit_test_setup(test_linear_wraps, setup), cmocka_unit_test_setup(test_single_step, setup),
		cmocka_unit_test_setup(test_ports, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
