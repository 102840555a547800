/* The instruction decoder against known encodings. */
/* links: kernel/lib/insn.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/error.h"
#include "kernel/lib/insn.h"

struct sample {
	const char *text; /* bytes in hex */
	u8 mode;
	const char *name;
};

static u32 bytes_of(const char *text, u8 *bytes)
{
	u32 len = 0, value;
	int used;

	for (; sscanf(text, " %2x%n", &value, &used) == 1; text += used)
		bytes[len++] = value;
	return len;
}

static void decode(struct insn *i, const char *text, u8 mode)
{
	u8 bytes[32] = { 0 };
	u32 len = bytes_of(text, bytes);

	assert_int_equal(insn_decode(i, bytes, sizeof(bytes), mode), 0);
	assert_int_equal(i->length, len);
}

/* Each is complete: its own length with junk behind, ERR_FAULT when cut anywhere. */
static const struct sample samples[] = {
	{ "0fa2", 64, "cpuid" }, { "0f32", 64, "rdmsr" }, { "0f30", 32, "wrmsr" }, { "f4", 16, "hlt" },
	{ "0f01d9", 64, "vmmcall" }, { "0f01c1", 32, "vmcall" }, { "0f01d1", 64, "xsetbv" },
	{ "0f01f9", 64, "rdtscp" }, { "0f31", 64, "rdtsc" }, { "0f33", 64, "rdpmc" }, { "f390", 64, "pause" },
	{ "0f20c0", 64, "mov rax,cr0" }, { "0f22e0", 32, "mov cr4,eax" }, { "440f20c0", 64, "mov rax,cr8" },
	{ "f00f20c0", 32, "lock mov eax,cr0" }, { "0f2305", 64, "mov dr0,rbp with mod 0" },
	{ "0f08", 64, "invd" }, { "0f09", 16, "wbinvd" }, { "0f06", 32, "clts" }, { "0f01f0", 32, "lmsw ax" },
	{ "0f0136 3412", 16, "lmsw [1234]" }, { "0f01e0", 32, "smsw eax" }, { "cd80", 32, "int 80" },
	{ "cc", 64, "int3" }, { "f1", 64, "int1" }, { "ce", 32, "into" }, { "cf", 16, "iret" },
	{ "48cf", 64, "iretq" }, { "0f0138", 64, "invlpg [rax]" }, { "0f01c8", 64, "monitor" },
	{ "0f01c9", 64, "mwait" }, { "0f01d8", 64, "vmrun" }, { "0f01dd", 64, "clgi" },
	{ "0f01df", 64, "invlpga" },
	{ "660f388203", 64, "invpcid" }, { "0f00d8", 64, "ltr ax" }, { "0f0115 00000000", 64, "lgdt [rip]" },
	{ "0f0116 0000", 16, "lgdt [0]" }, { "0faa", 64, "rsm" }, { "e460", 64, "in al,60" },
	{ "66ed", 32, "in ax,dx" },
	{ "f3 66 6f", 32, "rep outsw" }, { "6c", 16, "insb" }, { "9c", 64, "pushf" }, { "9d", 64, "popf" },
	{ "48b8 0102030405060708", 64, "mov rax,imm64" }, { "66b8 0102", 64, "mov ax,imm16" },
	{ "66b8 01020304", 16, "mov eax,imm32 in 16-bit code" }, { "a1 0102030405060708", 64, "moffs64" },
	{ "67a1 01020304", 64, "moffs32" }, { "67a1 0102", 32, "moffs16" }, { "a1 01020304", 32, "moffs32" },
	{ "c8 100002", 64, "enter" }, { "ea 34120000 1000", 32, "far jump" },
	{ "ea 3412 00f0", 16, "far jump" },
	{ "66ea 34120000 1000", 16, "far jump 32" }, { "f605 01020304 7f", 64, "test byte [rip],imm8" },
	{ "f715 01020304", 64, "not [rip]" }, { "66f7c1 3412", 64, "test cx,imm16" },
	{ "8b849e 10000000", 64, "mov eax,[rsi+rbx*4+10]" }, { "8b0425 10000000", 64, "mov eax,[10]" },
	{ "8b442408", 64, "mov eax,[rsp+8]" }, { "8b4c25 00", 32, "mov ecx,[ebp+eiz]" },
	{ "678b4702", 32, "mov eax,[bx+2]" }, { "8b0e 3412", 16, "mov cx,[1234]" },
	{ "673e668b0cb5 10000000", 16, "mov ecx,ds:[esi*4+10]" }, { "0f3a0fc108", 32, "palignr" },
	{ "660f3a0fc108", 64, "palignr xmm" }, { "0f70c01b", 64, "pshufw" }, { "660f78c00102", 64, "extrq" },
	{ "f20f78c10102", 64, "insertq" }, { "0f78c1", 64, "vmread" }, { "8fc0", 64, "pop rax" },
	{ "c4 07", 32, "les" }, { "62 07", 32, "bound" }, { "4048 89c0", 64, "only the last REX counts" },
	{ "2e26363e646566 67f2f3 89c0", 64, "all prefixes" },
};

static void test_lengths(void **state)
{
	for (u32 n = 0; n < ARRAY_SIZE(samples); n++) {
		const struct sample *s = &samples[n];
		u8 bytes[32];
		struct insn i;
		u32 len;

		memset(bytes, 0x90, sizeof(bytes));
		len = bytes_of(s->text, bytes);
		if (insn_length(bytes, sizeof(bytes), s->mode) != (int)len ||
		    insn_decode(&i, bytes, len, s->mode))
			fail_msg("%s: length %d", s->name, insn_length(bytes, sizeof(bytes), s->mode));
		assert_int_equal(i.length, len);
		for (u32 cut = 0; cut < len; cut++) {
			if (insn_decode(&i, bytes, cut, s->mode) != ERR_FAULT)
				fail_msg("%s: cut to %u", s->name, cut);
			assert_int_equal(insn_length(bytes, cut, s->mode), ERR_FAULT);
		}
	}
}

static void test_refused(void **state)
{
	static const u8 vex[] = { 0xc5, 0xf8, 0x10, 0x00 }, evex[] = { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x00 };
	static const u8 xop[] = { 0x8f, 0xe8, 0x78, 0xc0, 0xc0, 0x01 }, ud[] = { 0x0f, 0x04 };
	static const u8 push_es[] = { 0x06, 0x90 };
	u8 longest[17];
	struct insn i;

	assert_int_equal(insn_decode(&i, vex, sizeof(vex), INSN_64), ERR_UNSUPPORTED);
	assert_int_equal(insn_decode(&i, vex, sizeof(vex), INSN_32), ERR_UNSUPPORTED);
	assert_int_equal(insn_decode(&i, evex, sizeof(evex), INSN_64), ERR_UNSUPPORTED);
	assert_int_equal(insn_decode(&i, xop, sizeof(xop), INSN_32), ERR_UNSUPPORTED);
	assert_int_equal(insn_decode(&i, ud, sizeof(ud), INSN_32), ERR_INVAL);
	assert_int_equal(insn_decode(&i, push_es, sizeof(push_es), INSN_64), ERR_INVAL);
	assert_int_equal(insn_decode(&i, push_es, sizeof(push_es), INSN_32), 0);
	memset(longest, 0x66, sizeof(longest));
	longest[14] = 0x90;
	assert_int_equal(insn_length(longest, 17, INSN_64), 15);
	longest[14] = 0x66;
	longest[15] = 0x90;
	assert_int_equal(insn_length(longest, 17, INSN_64), ERR_INVAL);
	assert_int_equal(insn_length(longest, 14, INSN_64), ERR_FAULT);
}

static void test_operands(void **state)
{
	struct insn i;

	decode(&i, "4a8b94a5 80ffffff", 64); /* mov rdx,[rbp+r12*4-80] */
	assert_true(i.memory && i.reg == 2 && i.base == 5 && i.index == 12 && i.shift == 2);
	assert_int_equal(i.displacement, -0x80);
	assert_int_equal(i.operand_size, 8);
	assert_int_equal(i.segment, 2); /* SS: by its base */
	decode(&i, "65418b45 00", 64); /* mov eax,gs:[r13] */
	assert_true(i.base == 13 && i.index == INSN_REG_NONE && i.segment == 5);
	decode(&i, "418b4500", 64);
	assert_int_equal(i.segment, 3); /* R13 is not RBP */
	decode(&i, "368b00", 64);
	assert_int_equal(i.segment, 3); /* ignored in 64-bit code */
	decode(&i, "368b00", 32);
	assert_int_equal(i.segment, 2);
	decode(&i, "8b05 f0ffffff", 64);
	assert_true(i.base == INSN_REG_RIP && i.displacement == -16);
	decode(&i, "8b05 f0ffffff", 32);
	assert_int_equal(i.base, INSN_REG_NONE);
	decode(&i, "8b43f0", 16); /* mov ax,[bp+di-10] */
	assert_true(i.base == 5 && i.index == 7 && i.segment == 2 && i.displacement == -16);
	assert_true(i.address_size == 2 && i.operand_size == 2);
	decode(&i, "45 88c0", 64);
	assert_true(i.byte && !i.memory && i.reg == 8 && i.rm == 8 && i.rex);
	decode(&i, "4866 89c3", 64); /* the REX is dead */
	assert_true(i.rex == 0 && i.operand_size == 2);
	decode(&i, "66 48 89c3", 64);
	assert_int_equal(i.operand_size, 8);
	decode(&i, "f0f2f3 0fb10b", 32);
	assert_true(i.lock && i.rep == 0xf3 && i.map == INSN_MAP_0F && i.opcode == 0xb1);
	decode(&i, "6a80", 64);
	assert_true(i.immediate == -128 && i.operand_size == 8);
	decode(&i, "9a 78563412 3433", 32);
	assert_true(i.immediate == 0x12345678 && i.immediate2 == 0x3334);
	decode(&i, "f2480f38f100", 64);
	assert_true(i.map == INSN_MAP_0F38 && i.opcode == 0xf1 && i.rep == 0xf2);
}

static void test_plain_move(void **state)
{
	struct insn_move m;
	struct insn i;

	decode(&i, "8983 b0000000", 64);
	assert_true(insn_plain_move(&i, &m) && m.store && !m.immediate && m.size == 4 && m.reg == 0);
	decode(&i, "448b b3 20000000", 64);
	assert_true(insn_plain_move(&i, &m) && !m.store && m.reg == 14 && m.size == 4);
	decode(&i, "c7 8000030000 fb080000", 32);
	assert_true(insn_plain_move(&i, &m) && m.store && m.immediate && m.value == 0x8fb);
	decode(&i, "a1 2000e0fe", 32);
	assert_true(insn_plain_move(&i, &m) && !m.store && m.reg == 0 && m.size == 4);
	decode(&i, "48a3 2000e0fe00000000", 64);
	assert_true(insn_plain_move(&i, &m) && m.store && m.reg == 0 && m.size == 8);
	decode(&i, "8903", 16);
	assert_true(insn_plain_move(&i, &m) && m.size == 2);
	decode(&i, "89c3", 64); /* between registers */
	assert_false(insn_plain_move(&i, &m));
	decode(&i, "c7f8 00000000", 64); /* XBEGIN */
	assert_false(insn_plain_move(&i, &m));
	decode(&i, "8803", 64);
	assert_false(insn_plain_move(&i, &m));
	decode(&i, "0f8903000000", 64); /* JNS */
	assert_false(insn_plain_move(&i, &m));
}

/* Nothing that random bytes do reads beyond its end or makes a length that is not there. */
static void test_random(void **state)
{
	static const enum insn_mode modes[] = { INSN_16, INSN_32, INSN_64 };
	u32 seed = 1;

	for (u32 n = 0; n < 300000; n++) {
		u8 bytes[15];
		u32 len = seed % 16;
		struct insn i;
		int r;

		for (u32 k = 0; k < sizeof(bytes); k++) {
			seed = seed * 1664525 + 1013904223;
			bytes[k] = seed >> 24;
		}
		u8 *exact = test_malloc(len ? len : 1);
		memcpy(exact, bytes, len);
		r = insn_decode(&i, exact, len, modes[n % 3]);
		assert_true(r == 0 || r == ERR_FAULT || r == ERR_INVAL || r == ERR_UNSUPPORTED);
		assert_true(r || (i.length >= 1 && i.length <= len));
		assert_int_equal(insn_length(exact, len, modes[n % 3]), r ? r : i.length);
		test_free(exact);
	}
}

/* What is remembered is taken for the same bytes, length and mode only, and not after an error. */
static void test_again(void **state)
{
	u8 bytes[16] __attribute__((aligned(8))) = { 0x89, 0x81, 0xb0, 0, 0, 0, 0x90 };
	struct insn_key key = { 0 };
	struct insn i;

	assert_int_equal(insn_decode_again(&key, &i, bytes, 15, INSN_64), 0);
	assert_int_equal(i.length, 6);
	i.length = 99; /* what is remembered is not decoded again */
	assert_int_equal(insn_decode_again(&key, &i, bytes, 15, INSN_64), 0);
	assert_int_equal(i.length, 99);
	assert_int_equal(insn_decode_again(&key, &i, bytes, 15, INSN_16), 0);
	assert_int_equal(i.length, 4);
	bytes[15] = 1;
	assert_int_equal(insn_decode_again(&key, &i, bytes, 15, INSN_64), 0);
	assert_int_equal(i.length, 6);
	for (u32 n = 0; n < 2; n++)
		assert_int_equal(insn_decode_again(&key, &i, bytes, 5, INSN_64), ERR_FAULT);
	bytes[0] = 0x06;
	for (u32 n = 0; n < 2; n++)
		assert_int_equal(insn_decode_again(&key, &i, bytes, 15, INSN_64), ERR_INVAL);
	for (u32 n = 0; n < 2; n++)
		assert_int_equal(insn_decode_again(&key, &i, bytes, 0, INSN_64), ERR_FAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_plain_move), cmocka_unit_test(test_random), cmocka_unit_test(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
