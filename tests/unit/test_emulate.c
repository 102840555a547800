/* The emulator's modes, segments, faults and restarts; arithmetic is test_emulate_native's. */
/* links: vmm/lib/emulate.c vmm/lib/emulate_one.c vmm/lib/emulate_two.c vmm/lib/emulate_string.c
 * vmm/lib/emulate_stack.c vmm/lib/emulate_operand.c vmm/lib/emulate_segment.c vmm/lib/emulate_alu.c
 * vmm/lib/emulate_plain.c kernel/lib/insn.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/emulate_fake.h"

#define RUN(f, ...) fake_run(f, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static struct fake fake, *f = &fake;
static struct vcpu_page *page = &fake.page;
static u64 *gpr = fake.page.gpr;

static u64 peek(u64 at, u32 size)
{
	u64 value = 0;

	memcpy(&value, f->memory + at, size);
	return value;
}

static void poke(u64 at, u64 value)
{
	memcpy(f->memory + at, &value, 8);
}

static void string_io(bool in, u8 size, u16 port)
{
	page->exit.kind = EXIT_IO;
	page->exit.io.string = true;
	page->exit.io.in = in;
	page->exit.io.size = size;
	page->exit.io.port = port;
	gpr[GPR_RDX] = port;
}

static void assert_fault(int result, u8 vector, u32 error)
{
	assert_int_equal(result, EMULATE_FAULT);
	assert_true(page->inject.valid && page->inject.has_error);
	assert_int_equal(page->inject.vector, vector);
	assert_int_equal(page->inject.error, error);
	assert_int_equal(page->rip, 0x1000);
}

static void test_real_mode(void **state)
{
	fake_init(f, MODE_REAL);
	f->state.seg[SEG_DS].base = 0x10000;
	f->state.seg[SEG_SS].base = 0x20000;
	gpr[GPR_RAX] = 0x11223344;
	gpr[GPR_RBX] = 0xabcdff00;
	gpr[GPR_RSI] = 0x0210;
	assert_int_equal(RUN(f, 0x89, 0x00), 0); /* mov [bx+si],ax: wraps at 64 KiB */
	assert_int_equal(peek(0x10110, 4), 0x3344);
	assert_int_equal(page->rip, 0x1002);
	gpr[GPR_RBP] = 0x500;
	assert_int_equal(RUN(f, 0x66, 0x89, 0x46, 0x10), 0); /* mov [bp+10],eax: SS */
	assert_int_equal(peek(0x20510, 4), 0x11223344);
	assert_int_equal(RUN(f, 0x3e, 0x89, 0x46, 0x20), 0); /* mov ds:[bp+20],ax */
	assert_int_equal(peek(0x10520, 2), 0x3344);
	page->rip = 0x1000;
	assert_fault(RUN(f, 0xa1, 0xff, 0xff), 13, 0); /* a word over the limit */
	gpr[GPR_RBP] = 0xffff;
	assert_fault(RUN(f, 0x8b, 0x46, 0x00), 12, 0);
	assert_int_equal(gpr[GPR_RAX], 0x11223344);
}

static void test_unreal_mode(void **state)
{
	fake_init(f, MODE_REAL);
	f->state.seg[SEG_DS].limit = 0xffffffff;
	gpr[GPR_RDI] = 0x30000;
	assert_int_equal(RUN(f, 0x67, 0xc6, 0x07, 0x5a), 0); /* mov byte [edi],5a */
	assert_int_equal(peek(0x30000, 2), 0x5a);
}

static void test_protected_segments(void **state)
{
	struct vcpu_segment *ds = &f->state.seg[SEG_DS];

	fake_init(f, MODE_PROT32);
	ds->base = 0xfffff000; /* linear addresses wrap at 4 GiB */
	gpr[GPR_RBX] = 0x3000;
	gpr[GPR_RAX] = 0x12345678;
	assert_int_equal(RUN(f, 0x89, 0x03), 0);
	assert_int_equal(peek(0x2000, 4), 0x12345678);
	page->rip = 0x1000;
	ds->attr = 0xc91; /* read only */
	assert_int_equal(RUN(f, 0x8b, 0x0b), 0);
	assert_int_equal(gpr[GPR_RCX], 0x12345678);
	page->rip = 0x1000;
	assert_fault(RUN(f, 0x89, 0x03), 13, 0);
	ds->attr = 0xc13; /* not present: a null selector */
	assert_fault(RUN(f, 0x8b, 0x03), 13, 0);
	ds->attr = 0xc97; /* expand down: above the limit */
	ds->limit = 0x3003;
	assert_fault(RUN(f, 0x8b, 0x03), 13, 0);
	gpr[GPR_RBX] = 0x3004;
	assert_int_equal(RUN(f, 0x8b, 0x03), 0);
	page->rip = 0x1000;
	assert_fault(RUN(f, 0x2e, 0x89, 0x03), 13, 0); /* code cannot be written */
	f->state.seg[SEG_CS].attr = 0xc99;             /* nor read, when it is execute only */
	assert_fault(RUN(f, 0x2e, 0x8b, 0x03), 13, 0);
}

static void test_long_mode(void **state)
{
	fake_init(f, MODE_LONG);
	f->state.seg[SEG_GS].base = 0x20000;
	f->state.seg[SEG_DS].base = 0x5000; /* counts for nothing */
	gpr[GPR_RBX] = 0x3000;
	gpr[8] = 0x8877665544332211;
	assert_int_equal(RUN(f, 0x4c, 0x89, 0x03), 0); /* mov [rbx],r8 */
	assert_int_equal(peek(0x3000, 8), 0x8877665544332211);
	assert_int_equal(f->states, 0);  /* a system call saved */
	page->exit.mmio.write = true;    /* so that the reads below are not plain */
	assert_int_equal(RUN(f, 0x65, 0x44, 0x88, 0x03), 0); /* mov gs:[rbx],r8b */
	assert_int_equal(peek(0x23000, 2), 0x11);
	gpr[GPR_RBX] = 0x100003000;
	assert_int_equal(RUN(f, 0x67, 0x8b, 0x03), 0); /* mov eax,[ebx] */
	assert_int_equal(gpr[GPR_RAX], 0x44332211);
	page->rip = 0x1000;
	assert_int_equal(RUN(f, 0x8b, 0x0d, 0xf9, 0x1f, 0, 0), 0); /* mov ecx,[rip+1ff9] */
	assert_int_equal(gpr[GPR_RCX], (u32)peek(0x2fff, 4));
	assert_int_equal(RUN(f, 0xa0, 0x01, 0x30, 0, 0, 0, 0, 0, 0), 0); /* mov al,[3001] */
	assert_int_equal(gpr[GPR_RAX], 0x44332222);
	page->rip = 0x1000;
	gpr[GPR_RBX] = 0x0000800000000000;
	assert_fault(RUN(f, 0x8b, 0x03), 13, 0);
	gpr[GPR_RBP] = 0x00007ffffffffffe; /* the last two bytes are not canonical */
	assert_fault(RUN(f, 0x8b, 0x45, 0x00), 12, 0);
	f->state.cr4 = BIT(12);
	assert_fault(RUN(f, 0x8b, 0x45, 0x00), 14, 0);
	assert_int_equal(page->inject.cr2, gpr[GPR_RBP]);
}

/* A plain move goes to the device at once, if the exit can only be about all of its operand. */
static void test_plain(void **state)
{
	fake_init(f, MODE_PROT32);
	f->device_value = 0x8877665544332211;
	page->exit.mmio.gpa = 0xfed00010;
	gpr[GPR_RAX] = UINT64_MAX;
	assert_int_equal(RUN(f, 0x8a, 0x23), 0); /* mov ah,[ebx] */
	assert_int_equal(gpr[GPR_RAX], 0xffffffffffff11ff);
	assert_int_equal(RUN(f, 0x66, 0x8b, 0x03), 0);
	assert_int_equal(gpr[GPR_RAX], 0xffffffffffff2211);
	assert_int_equal(RUN(f, 0xa1, 0x10, 0, 0, 0), 0);
	assert_int_equal(gpr[GPR_RAX], 0x44332211);
	page->exit.mmio.write = true;
	assert_int_equal(RUN(f, 0xc7, 0x03, 0xff, 0xff, 0xff, 0xff), 0);
	assert_int_equal(f->device_value, 0xffffffff);
	assert_int_equal(f->device_count, 4);
	assert_int_equal(f->states, 0);
	assert_int_equal(page->rip, 0x1000 + 2 + 3 + 5 + 6);
	page->exit.mmio.gpa = 0xfed00012; /* not aligned */
	assert_int_equal(RUN(f, 0x89, 0x03), 0);
	page->exit.mmio.gpa = 0xfed00000; /* is this its second page? */
	assert_int_equal(RUN(f, 0x89, 0x03), 0);
	page->exit.mmio.gpa = 0xfed00010;
	page->exit.mmio.write = false; /* another direction */
	assert_int_equal(RUN(f, 0x89, 0x03), 0);
	assert_int_equal(f->device_count, 4);
	fake_init(f, MODE_LONG);
	page->exit.mmio.write = true;
	gpr[GPR_RBX] = 0x2ffe;
	gpr[GPR_RAX] = 0x44332211;
	assert_int_equal(RUN(f, 0x89, 0x03), 0); /* from RAM on into the device */
	assert_int_equal(peek(0x2ffe, 4), 0x44332211);
	assert_int_equal(f->device_count, 0);
	gpr[GPR_RBX] = 0x3000;
	assert_int_equal(RUN(f, 0x89, 0x03), 0);
	assert_int_equal(f->device_count, 1);
}

/* The hint is for the access that exited and no other. */
static void test_hint(void **state)
{
	fake_init(f, MODE_LONG);
	gpr[GPR_RBX] = 0x3008;
	assert_int_equal(RUN(f, 0x03, 0x03), 0);
	assert_int_equal(f->hints, 0); /* another offset */
	page->exit.mmio.gpa = 0xfed00008;
	assert_int_equal(RUN(f, 0x01, 0x03), 0);
	assert_int_equal(f->hints, 0); /* another direction */
	assert_int_equal(RUN(f, 0x03, 0x03), 0);
	assert_int_equal(f->hints, 1);
	gpr[GPR_RBX] = 0x3ffe;
	page->exit.mmio.gpa = 0xfed00ffe;
	assert_int_equal(RUN(f, 0x03, 0x03), 0);
	assert_int_equal(f->hints, 1); /* two pages */
}

/* Nothing changes when the operand cannot be written. */
static void test_faults_change_nothing(void **state)
{
	static const u8 codes[][5] = {
		{ 2, 0x87, 0x03 }, { 3, 0x0f, 0xc1, 0x03 }, { 3, 0x0f, 0xb1, 0x03 }, { 2, 0x01, 0x03 },
		{ 2, 0xff, 0x03 }, { 2, 0x8f, 0x03 }, { 3, 0x0f, 0xab, 0x03 }, { 2, 0xd1, 0x23 },
		{ 3, 0x0f, 0xc7, 0x0b }, { 2, 0x88, 0x03 }, { 3, 0x0f, 0x94, 0x03 }, { 2, 0xf7, 0x1b },
	};

	for (u32 n = 0; n < ARRAY_SIZE(codes); n++) {
		struct vcpu_page before;

		fake_init(f, MODE_LONG);
		f->read_only[3] = true;
		page->exit.cpl = 3;
		for (u32 k = 0; k < GPR_COUNT; k++)
			gpr[k] = k;
		gpr[GPR_RBX] = 0x3000;
		gpr[GPR_RSP] = 0x8000;
		poke(0x3000, 1);
		before = *page;
		assert_fault(fake_run(f, codes[n] + 1, codes[n][0]), 14, 7); /* present, write, user */
		assert_int_equal(page->inject.cr2, 0x3000);
		assert_memory_equal(gpr, before.gpr, sizeof(before.gpr));
		assert_int_equal(page->rflags, before.rflags);
		assert_int_equal(peek(0x3000, 8), 1);
	}
}

static void test_string_in_across_pages(void **state)
{
	fake_init(f, MODE_REAL);
	f->state.seg[SEG_ES].base = 0x20000;
	f->absent[0x23] = true;
	string_io(true, 2, 0x1f0);
	gpr[GPR_RDI] = 0xdead2ff9;
	gpr[GPR_RCX] = 0xbeef0008;
	assert_fault(RUN(f, 0xf3, 0x6d), 14, 2); /* rep insw: the fourth word touches the absent page */
	assert_int_equal(page->inject.cr2, 0x23000);
	assert_int_equal(gpr[GPR_RDI], 0xdead2fff);
	assert_int_equal(gpr[GPR_RCX], 0xbeef0005);
	assert_int_equal(f->in_count, 3); /* nothing was taken from the device in vain */
	f->absent[0x23] = false;
	assert_int_equal(RUN(f, 0xf3, 0x6d), 0);
	assert_int_equal(gpr[GPR_RDI], 0xdead3009);
	assert_int_equal(gpr[GPR_RCX], 0xbeef0000);
	assert_int_equal(page->rip, 0x1002);
	for (u32 n = 0; n < 16; n++)
		assert_int_equal(f->memory[0x22ff9 + n], n);
	assert_int_equal(RUN(f, 0xf3, 0x6d), 0); /* CX is 0 */
	assert_int_equal(f->in_count, 8);
}

static void test_string_out(void **state)
{
	fake_init(f, MODE_PROT32);
	f->state.seg[SEG_FS].base = 0x5000;
	string_io(false, 1, 0x3f8);
	memcpy(f->memory + 0x5100, "hello", 5);
	gpr[GPR_RSI] = 0x104;
	gpr[GPR_RCX] = 5;
	page->rflags |= BIT(10); /* DF */
	assert_int_equal(RUN(f, 0x64, 0xf3, 0x6e), 0);
	assert_int_equal(f->out_len, 5);
	assert_memory_equal(f->out, "olleh", 5);
	assert_int_equal(gpr[GPR_RSI], 0xff);
	assert_int_equal(gpr[GPR_RCX], 0);
}

/* The code was changed between the exit and us: the guest must not get at another port, nor at any port by an
 * exit that was about memory. */
static void test_raced_code(void **state)
{
	fake_init(f, MODE_PROT32);
	string_io(false, 1, 0x80);
	gpr[GPR_RDX] = 0x64;
	assert_int_equal(RUN(f, 0x6e), 0);
	gpr[GPR_RDX] = 0x80;
	assert_int_equal(RUN(f, 0x6f), 0); /* wider */
	assert_int_equal(RUN(f, 0x6c), 0); /* the other direction */
	assert_int_equal(RUN(f, 0x89, 0x03), 0);
	page->exit.kind = EXIT_MMIO;
	assert_int_equal(RUN(f, 0x6e), 0);
	assert_int_equal(f->out_len, 0);
	assert_int_equal(f->in_count, 0);
	assert_int_equal(page->rip, 0x1000);
	assert_int_equal(gpr[GPR_RSI], 0);
}

static void test_long_repeat(void **state)
{
	u32 runs = 0;

	fake_init(f, MODE_LONG);
	gpr[GPR_RDI] = 0x10000;
	gpr[GPR_RCX] = 2500;
	gpr[GPR_RAX] = 0xa5a5a5a5;
	while (page->rip == 0x1000 && runs < 100) {
		assert_int_equal(RUN(f, 0xf3, 0xab), 0); /* rep stosd, 10000 bytes */
		runs++;
	}
	assert_int_equal(runs, 3);
	assert_int_equal(gpr[GPR_RDI], 0x10000 + 10000);
	assert_int_equal(peek(0x10000 + 9996, 8), 0xa5a5a5a5);
	gpr[GPR_RCX] = 0xffffffff00000002;
	gpr[GPR_RDI] = 0x20000;
	assert_int_equal(RUN(f, 0x67, 0xf3, 0xaa), 0); /* by ECX and EDI */
	assert_int_equal(gpr[GPR_RCX], 0);
	assert_int_equal(peek(0x20000, 4), 0xa5a5);
}

static void test_fetch(void **state)
{
	static const u8 code[] = { 0xc7, 0x05, 0x00, 0x30, 0x00, 0x00, 0x78, 0x56, 0x34, 0x12 };

	fake_init(f, MODE_PROT32);
	f->state.seg[SEG_CS].base = 0x4000;
	page->rip = 0x1ffc; /* linear 5ffc: four bytes are before the page's end */
	memcpy(f->memory + 0x5ffc, code, sizeof(code));
	f->absent[6] = true;
	assert_int_equal(fake_run(f, code, 0), EMULATE_FAULT);
	assert_int_equal(page->inject.vector, 14);
	assert_int_equal(page->inject.cr2, 0x6000);
	f->absent[6] = false;
	assert_int_equal(fake_run(f, code, 4), 0); /* cut: fetched anew */
	assert_int_equal(peek(0x3000, 4), 0x12345678);
	assert_int_equal(page->rip, 0x2006);
	page->rip = 0x1ffc;
	f->state.seg[SEG_CS].limit = 0x2004; /* the last byte is beyond */
	assert_int_equal(fake_run(f, code, 0), EMULATE_FAULT);
	assert_int_equal(page->inject.vector, 13);
	fake_init(f, MODE_LONG);
	page->rip = 0x5ffe;
	memcpy(f->memory + 0x5ffe, "\x88\x03", 2);
	f->absent[6] = true; /* not needed */
	gpr[GPR_RBX] = 0x3000;
	assert_int_equal(fake_run(f, code, 0), 0);
}

static void test_stack(void **state)
{
	fake_init(f, MODE_LONG);
	gpr[GPR_RBX] = 0x3000;
	poke(0x3000, 0x1122334455667788);
	assert_int_equal(RUN(f, 0xff, 0x33), 0); /* push qword [rbx] */
	assert_int_equal(gpr[GPR_RSP], 0x7ff8);
	assert_int_equal(peek(0x7ff8, 8), 0x1122334455667788);
	assert_int_equal(RUN(f, 0x66, 0xff, 0x33), 0);
	assert_int_equal(gpr[GPR_RSP], 0x7ff6);
	gpr[GPR_RSP] = 0x7ff8;
	assert_int_equal(RUN(f, 0x8f, 0x44, 0x24, 0x10), 0); /* pop [rsp+10]: from after the pop */
	assert_int_equal(peek(0x8010, 8), 0x1122334455667788);
	assert_int_equal(gpr[GPR_RSP], 0x8000);
	poke(0x3000, 0x2000);
	page->rip = 0x1000;
	assert_int_equal(RUN(f, 0xff, 0x13), 0); /* call [rbx] */
	assert_int_equal(page->rip, 0x2000);
	assert_int_equal(peek(0x7ff8, 8), 0x1002);
	assert_int_equal(RUN(f, 0xc2, 0x10, 0x00), 0); /* ret 10 */
	assert_int_equal(page->rip, 0x1002);
	assert_int_equal(gpr[GPR_RSP], 0x8010);
	page->rip = 0x1000;
	poke(0x3000, 0x8000000000000000);
	assert_fault(RUN(f, 0xff, 0x23), 13, 0);
	fake_init(f, MODE_PROT16);
	f->state.seg[SEG_SS].base = 0x20000;
	gpr[GPR_RSP] = 0xabcd0002;
	gpr[GPR_RAX] = 0x99887766;
	assert_int_equal(RUN(f, 0x50), 0);
	assert_int_equal(gpr[GPR_RSP], 0xabcd0000);
	assert_int_equal(RUN(f, 0x50), 0); /* SP wraps */
	assert_int_equal(gpr[GPR_RSP], 0xabcdfffe);
	assert_int_equal(peek(0x2fffe, 2), 0x7766);
}

static void test_segment_register(void **state)
{
	fake_init(f, MODE_PROT32);
	f->state.seg[SEG_GS].selector = 0x1234;
	gpr[GPR_RBX] = 0x3000;
	poke(0x3000, UINT64_MAX);
	assert_int_equal(RUN(f, 0x8c, 0x2b), 0); /* mov [ebx],gs: 16 bits whatever the operand size */
	assert_int_equal(peek(0x3000, 4), 0xffff1234);
	assert_int_equal(RUN(f, 0x8c, 0x3b), EMULATE_FAULT); /* there is no seventh */
	assert_true(page->inject.vector == 6 && !page->inject.has_error);
}

static void test_single_step(void **state)
{
	fake_init(f, MODE_LONG);
	page->rflags |= BIT(8) | BIT(16); /* TF, RF */
	gpr[GPR_RDI] = 0x3000;
	gpr[GPR_RCX] = 3;
	assert_int_equal(RUN(f, 0xf3, 0xaa), 0);
	assert_int_equal(gpr[GPR_RCX], 2); /* a trap after each iteration */
	assert_int_equal(f->traps, 1);
	assert_int_equal(RUN(f, 0x88, 0x07), 0);
	assert_int_equal(f->traps, 2);
	assert_int_equal(page->rflags, 2 | BIT(8));
}

static void test_unsupported(void **state)
{
	fake_init(f, MODE_LONG);
	gpr[GPR_RBX] = 0x3000;
	assert_int_equal(RUN(f, 0x0f, 0x11, 0x03), ERR_UNSUPPORTED);       /* movups */
	assert_int_equal(RUN(f, 0xf7, 0x33), ERR_UNSUPPORTED);             /* div */
	assert_int_equal(RUN(f, 0xc5, 0xf8, 0x11, 0x03), ERR_UNSUPPORTED); /* vmovups */
	assert_int_equal(RUN(f, 0xdd, 0x03), ERR_UNSUPPORTED);             /* fld */
	assert_int_equal(RUN(f, 0x0f, 0xae, 0x03), ERR_UNSUPPORTED);       /* fxsave */
	assert_int_equal(page->rip, 0x1000);
	page->exit.mmio.fetch = true;
	assert_int_equal(RUN(f, 0x90), ERR_UNSUPPORTED);
	assert_false(page->inject.valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_mode), cmocka_unit_test(test_unreal_mode),
		cmocka_unit_test(test_protected_segments), cmocka_unit_test(test_long_mode),
		cmocka_unit_test(test_plain), cmocka_unit_test(test_hint),
		cmocka_unit_test(test_faults_change_nothing),
		cmocka_unit_test(test_string_in_across_pages), cmocka_unit_test(test_string_out),
		cmocka_unit_test(test_raced_code), cmocka_unit_test(test_long_repeat),
		cmocka_unit_test(test_fetch), cmocka_unit_test(test_stack),
		cmocka_unit_test(test_segment_register), cmocka_unit_test(test_single_step),
		cmocka_unit_test(test_unsupported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
