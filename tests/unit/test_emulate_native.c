/* The emulator against this machine's own processor: the same instruction with the same random registers,
 * flags and memory is executed natively and emulated; every register, defined flag and byte is compared. */
/* links: vmm/lib/emulate.c vmm/lib/emulate_one.c vmm/lib/emulate_two.c vmm/lib/emulate_string.c
 * vmm/lib/emulate_stack.c vmm/lib/emulate_operand.c vmm/lib/emulate_segment.c vmm/lib/emulate_alu.c
 * vmm/lib/emulate_plain.c kernel/lib/insn.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#undef MAP_FILE /* kernel/abi.h has its own */
#include <cmocka.h>

#include "vmm/lib/emulate.h"

#define STATUS 0x8d5ull /* OF SF ZF AF PF CF */
#define AF 0x10ull
#define OF 0x800ull
#define CF 0x1ull
#define DF 0x400ull
#define SHIFTS 0x10000 /* in undefined: what a shift leaves undefined depends on its count */
#define BUFFER 8192

/* Executes code (an instruction and RET) with the page's registers but RSP, and its flags. */
void native_run(struct vcpu_page *page, void *code);
__asm__(".text\n"
	"native_run:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi; push %rdi\n"
	"pushq 136(%rdi); popfq\n"
	"mov 0(%rdi),%rax; mov 8(%rdi),%rcx; mov 16(%rdi),%rdx; mov 24(%rdi),%rbx\n"
	"mov 40(%rdi),%rbp; mov 48(%rdi),%rsi; mov 64(%rdi),%r8; mov 72(%rdi),%r9\n"
	"mov 80(%rdi),%r10; mov 88(%rdi),%r11; mov 96(%rdi),%r12; mov 104(%rdi),%r13\n"
	"mov 112(%rdi),%r14; mov 120(%rdi),%r15; mov 56(%rdi),%rdi\n"
	"call *8(%rsp)\n"
	"push %rdi; mov 8(%rsp),%rdi\n"
	"mov %rax,0(%rdi); mov %rcx,8(%rdi); mov %rdx,16(%rdi); mov %rbx,24(%rdi)\n"
	"mov %rbp,40(%rdi); mov %rsi,48(%rdi); mov %r8,64(%rdi); mov %r9,72(%rdi)\n"
	"mov %r10,80(%rdi); mov %r11,88(%rdi); mov %r12,96(%rdi); mov %r13,104(%rdi)\n"
	"mov %r14,112(%rdi); mov %r15,120(%rdi)\n"
	"pushfq; popq 136(%rdi); popq 56(%rdi); cld\n"
	"pop %rdi; pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static u8 *buffer, *code;
static u64 seed = 88172645463325252ull;

static u64 random_u64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

/* Corner values are where flags go wrong. */
static u64 random_value(void)
{
	static const u64 corners[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
				       0xffffffff, INT64_MAX, (u64)INT64_MIN, UINT64_MAX };

	return random_u64() % 3 ? random_u64() : corners[random_u64() % ARRAY_SIZE(corners)];
}

/* Linear addresses are this process's own, within the buffer. */
static int check(u64 linear, u32 len)
{
	return linear >= (u64)buffer && linear + len <= (u64)buffer + BUFFER ? 0 : ERR_FAULT;
}

static int test_read(void *ctx, u64 linear, void *buf, u32 len, u32 access)
{
	if (check(linear, len))
		return ERR_FAULT;
	memcpy(buf, (void *)linear, len);
	return 0;
}

static int test_write(void *ctx, u64 linear, const void *buf, u32 len, u32 access)
{
	if (check(linear, len))
		return ERR_FAULT;
	memcpy((void *)linear, buf, len);
	return 0;
}

static int test_probe(void *ctx, u64 linear, u32 len, u32 access)
{
	return check(linear, len);
}

static void test_hint(void *ctx, u64 linear, u64 gpa)
{
}

static u64 test_device_read(void *ctx, u64 gpa, u32 size)
{
	u64 value = 0;

	memcpy(&value, (void *)gpa, size);
	return value;
}

static void test_device_write(void *ctx, u64 gpa, u32 size, u64 value)
{
	memcpy((void *)gpa, &value, size);
}

static const struct emulate_ops ops = {
	.read = test_read, .write = test_write, .probe = test_probe, .hint = test_hint,
	.device_read = test_device_read, .device_write = test_device_write,
};

enum form { PLAIN, BITS, STRING };

struct pattern {
	const char *opcode;   /* hex, from the opcode map's escape on */
	int reg;              /* ModRM.reg, -1: any, -2: no ModRM */
	u8 immediate;         /* bytes; 4: of the operand size, at most 4 */
	bool byte;
	u8 form;
	u64 undefined;        /* flags not to be compared */
};

#define ALU(n, op) \
	{ op "0", -1, 0, true, PLAIN, n }, { op "1", -1, 0, false, PLAIN, n }, \
	{ op "2", -1, 0, true, PLAIN, n }, { op "3", -1, 0, false, PLAIN, n }, \
	{ op "4", -2, 1, true, PLAIN, n }, { op "5", -2, 4, false, PLAIN, n }
#define ALU8(n, op) \
	{ op "8", -1, 0, true, PLAIN, n }, { op "9", -1, 0, false, PLAIN, n }, \
	{ op "a", -1, 0, true, PLAIN, n }, { op "b", -1, 0, false, PLAIN, n }, \
	{ op "c", -2, 1, true, PLAIN, n }, { op "d", -2, 4, false, PLAIN, n }
#define GROUP1(r, n) \
	{ "80", r, 1, true, PLAIN, n }, { "81", r, 4, false, PLAIN, n }, { "83", r, 1, false, PLAIN, n }
#define SHIFT(r) \
	{ "c0", r, 1, true, PLAIN, SHIFTS }, { "c1", r, 1, false, PLAIN, SHIFTS }, \
	{ "d0", r, 0, true, PLAIN, AF }, { "d1", r, 0, false, PLAIN, AF }, \
	{ "d2", r, 0, true, PLAIN, SHIFTS }, { "d3", r, 0, false, PLAIN, SHIFTS }
#define BOTH(op, op1, reg, imm, imm1, n) { op, reg, imm, true, PLAIN, n }, { op1, reg, imm1, false, PLAIN, n }
#define CMOV(cc) { "0f4" cc, -1, 0, false, PLAIN, 0 }
#define NOT_CF (STATUS & ~CF)

static const struct pattern patterns[] = {
	ALU(0, "0"), ALU8(AF, "0"), ALU(0, "1"), ALU8(0, "1"), ALU(AF, "2"), ALU8(0, "2"), ALU(AF, "3"),
	ALU8(0, "3"),
	GROUP1(0, 0), GROUP1(1, AF), GROUP1(2, 0), GROUP1(3, 0), GROUP1(4, AF), GROUP1(5, 0), GROUP1(6, AF),
	GROUP1(7, 0),
	SHIFT(0), SHIFT(1), SHIFT(2), SHIFT(3), SHIFT(4), SHIFT(5), SHIFT(6), SHIFT(7),
	BOTH("84", "85", -1, 0, 0, AF), BOTH("86", "87", -1, 0, 0, 0), BOTH("88", "89", -1, 0, 0, 0),
	BOTH("8a", "8b", -1, 0, 0, 0), BOTH("c6", "c7", 0, 1, 4, 0), BOTH("f6", "f7", 0, 1, 4, AF),
	BOTH("f6", "f7", 2, 0, 0, 0), BOTH("f6", "f7", 3, 0, 0, 0), BOTH("fe", "ff", 0, 0, 0, 0),
	BOTH("fe", "ff", 1, 0, 0, 0), BOTH("f6", "f7", 4, 0, 0, STATUS & ~(CF | OF)),
	BOTH("f6", "f7", 5, 0, 0, STATUS & ~(CF | OF)), BOTH("0fb0", "0fb1", -1, 0, 0, 0),
	BOTH("0fc0", "0fc1", -1, 0, 0, 0),
	{ "69", -1, 4, false, PLAIN, STATUS & ~(CF | OF) },
	{ "6b", -1, 1, false, PLAIN, STATUS & ~(CF | OF) },
	{ "0faf", -1, 0, false, PLAIN, STATUS & ~(CF | OF) }, { "63", -1, 0, false, PLAIN, 0 },
	{ "0fb6", -1, 0, false, PLAIN, 0 }, { "0fb7", -1, 0, false, PLAIN, 0 },
	{ "0fbe", -1, 0, false, PLAIN, 0 }, { "0fbf", -1, 0, false, PLAIN, 0 },
	{ "0fa3", -1, 0, false, BITS, NOT_CF }, { "0fab", -1, 0, false, BITS, NOT_CF },
	{ "0fb3", -1, 0, false, BITS, NOT_CF }, { "0fbb", -1, 0, false, BITS, NOT_CF },
	{ "0fba", 4, 1, false, PLAIN, NOT_CF }, { "0fba", 5, 1, false, PLAIN, NOT_CF },
	{ "0fba", 6, 1, false, PLAIN, NOT_CF }, { "0fba", 7, 1, false, PLAIN, NOT_CF },
	{ "0fa4", -1, 1, false, PLAIN, SHIFTS }, { "0fa5", -1, 0, false, PLAIN, SHIFTS },
	{ "0fac", -1, 1, false, PLAIN, SHIFTS }, { "0fad", -1, 0, false, PLAIN, SHIFTS },
	CMOV("0"), CMOV("1"), CMOV("2"), CMOV("4"), CMOV("6"), CMOV("7"), CMOV("8"), CMOV("b"), CMOV("c"),
	CMOV("d"), CMOV("e"), CMOV("f"),
	{ "0f90", 0, 0, true, PLAIN, 0 }, { "0f95", 0, 0, true, PLAIN, 0 }, { "0f97", 0, 0, true, PLAIN, 0 },
	{ "0f9c", 0, 0, true, PLAIN, 0 }, { "0f9f", 0, 0, true, PLAIN, 0 },
	{ "0fc3", -1, 0, false, PLAIN, 0 },
	{ "0f38f0", -1, 0, false, PLAIN, 0 }, { "0f38f1", -1, 0, false, PLAIN, 0 },
	{ "0fc7", 1, 0, false, PLAIN, 0 }, { "d7", -2, 0, true, PLAIN, 0 },
	{ "a4", -2, 0, true, STRING, 0 }, { "a5", -2, 0, false, STRING, 0 }, { "a6", -2, 0, true, STRING, 0 },
	{ "a7", -2, 0, false, STRING, 0 }, { "aa", -2, 0, true, STRING, 0 },
	{ "ab", -2, 0, false, STRING, 0 },
	{ "ac", -2, 0, true, STRING, 0 }, { "ad", -2, 0, false, STRING, 0 }, { "ae", -2, 0, true, STRING, 0 },
	{ "af", -2, 0, false, STRING, 0 },
};

/* One instruction of a pattern: its bytes and what its flags are worth. */
struct trial {
	u8 bytes[16];
	u32 len, size;
	u8 reg, displacement;
	u64 undefined;
};

static void put(struct trial *t, u8 byte)
{
	t->bytes[t->len++] = byte;
}

static void make_prefixes(const struct pattern *p, struct trial *t)
{
	bool wide = random_u64() & 1, narrow = random_u64() % 3 == 0, is_0fc3 = !strcmp(p->opcode, "0fc3");
	bool no_wide = !strcmp(p->opcode, "0fc7"), rex = random_u64() & 1;

	t->size = p->byte ? 1 : 4;
	if (p->form == STRING && random_u64() % 4)
		put(t, random_u64() & 1 ? 0xf2 : 0xf3);
	if (narrow && !is_0fc3 && !no_wide) {
		put(t, 0x66);
		t->size = p->byte ? 1 : 2;
	}
	if (!rex)
		return;
	put(t, 0x40 | (wide && !no_wide ? 8 : 0) | (p->reg == -1 ? (random_u64() & 1) << 2 : 0));
	if (wide && !no_wide && !p->byte)
		t->size = 8;
}

/* RSP cannot be in ModRM.reg: the native side's stack is there.  AH can. */
static void make_trial(const struct pattern *p, struct trial *t)
{
	u8 rex, reg = p->reg < 0 ? (u8)(random_u64() & 7) : (u8)p->reg;
	u32 immediate;

	*t = (struct trial){ .undefined = p->undefined };
	make_prefixes(p, t);
	rex = t->len && (t->bytes[t->len - 1] & 0xf0) == 0x40 ? t->bytes[t->len - 1] : 0;
	if (p->reg == -1 && reg == 4 && !(rex & 4) && !(p->byte && !rex))
		reg = 5;
	if (p->form == BITS && reg == GPR_RDI && !(rex & 4)) /* an address makes no bit number */
		reg = 6;
	t->reg = reg | (rex & 4) << 1;
	for (const char *s = p->opcode; *s; s += 2) {
		unsigned value;

		sscanf(s, "%2x", &value);
		put(t, value);
	}
	if (p->reg != -2) { /* [rdi+disp8] */
		put(t, 0x40 | reg << 3 | 7);
		t->displacement = random_u64() & 0x7f;
		put(t, t->displacement);
	}
	immediate = p->immediate == 4 ? MIN(t->size, 4) : p->immediate;
	while (immediate--)
		put(t, random_u64() % 3 ? random_u64() : random_u64() % 66);
}

static void make_registers(const struct pattern *p, const struct trial *t, struct vcpu_page *page)
{
	memset(page, 0, sizeof(*page));
	for (u32 n = 0; n < GPR_COUNT; n++)
		page->gpr[n] = random_value();
	page->gpr[GPR_RSP] = 0;
	page->gpr[GPR_RDI] = (u64)buffer + BUFFER / 2 + random_u64() % 64;
	page->rflags = 0x202 | (random_u64() & STATUS);
	if (!strcmp(p->opcode, "d7"))
		page->gpr[GPR_RBX] = (u64)buffer + random_u64() % 1024;
	if (p->form == BITS)
		page->gpr[t->reg] = (u64)((s16)random_u64() / 4); /* 1 KiB before or behind */
	if (p->form == STRING) {
		page->gpr[GPR_RSI] = (u64)buffer + BUFFER / 2 + random_u64() % 64;
		page->gpr[GPR_RCX] = random_u64() % 40;
		page->rflags |= random_u64() & 1 ? DF : 0;
	}
	page->exit.kind = EXIT_MMIO;
	page->exit.mode = MODE_LONG;
	page->exit.mmio.gpa = page->gpr[GPR_RDI] + t->displacement; /* of the ModRM operand */
	page->exit.mmio.write = random_u64() & 1;
	page->exit.insn_len = t->len;
	memcpy(page->exit.insn, t->bytes, t->len);
}

/* Some memory operands should equal the accumulator or each other. */
static void make_memory(const struct vcpu_page *page)
{
	bool alike = random_u64() & 1;

	for (u32 n = 0; n < BUFFER; n += 8) {
		u64 value = alike ? 0x4141414141414141 : random_value();

		memcpy(buffer + n, &value, 8);
	}
	if (random_u64() % 4 == 0) {
		for (u32 n = 0; n < 24; n++)
			memcpy((u8 *)page->gpr[GPR_RDI] + 8 * n, &page->gpr[GPR_RAX], 8);
	}
}

/* CF beyond the size and OF beyond one bit are undefined, AF always; without a count nothing changes. */
static u64 undefined_flags(const struct trial *t, const struct pattern *p, const struct vcpu_page *before)
{
	u8 count = p->immediate ? t->bytes[t->len - 1] : (u8)before->gpr[GPR_RCX];
	bool is_double = p->opcode[0] == '0', is_plain;

	if (p->undefined != SHIFTS)
		return p->undefined;
	count &= t->size == 8 ? 63 : 31;
	if (count == 0)
		return 0;
	if (is_double && count > 8 * t->size)
		return UINT64_MAX; /* the result is undefined, too */
	is_plain = !is_double && p->reg >= 4 && p->reg != 7; /* SHL, SHR */
	return AF | (count != 1 ? OF : 0) | (is_plain && count >= 8 * t->size ? CF : 0);
}

static void run_trial(const struct pattern *p)
{
	static u8 before[BUFFER], native[BUFFER];
	struct vcpu_page start, a, b;
	struct emulate e = { .ops = &ops, .page = &b };
	struct trial t;
	u64 undefined, differ = 0;

	make_trial(p, &t);
	make_registers(p, &t, &start);
	make_memory(&start);
	undefined = undefined_flags(&t, p, &start);
	if (undefined == UINT64_MAX)
		return;
	a = b = start;
	memcpy(before, buffer, BUFFER);
	memcpy(code, t.bytes, t.len);
	code[t.len] = 0xc3;
	native_run(&a, code);
	memcpy(native, buffer, BUFFER);
	memcpy(buffer, before, BUFFER);
	if (emulate_run(&e))
		fail_msg("pattern %s /%d is not emulated", p->opcode, p->reg);
	for (u32 n = 0; n < GPR_COUNT; n++)
		differ |= (a.gpr[n] ^ b.gpr[n]) ? BIT(n) : 0;
	differ |= ((a.rflags ^ b.rflags) & (STATUS | DF) & ~undefined) << 16;
	if (differ || memcmp(native, buffer, BUFFER) || b.rip != start.rip + t.len) {
		for (u32 n = 0; n < t.len; n++)
			print_error("%02x ", t.bytes[n]);
		print_error("flags %lx -> %lx, emulated %lx\n", start.rflags, a.rflags, b.rflags);
		fail_msg("pattern %s /%d: registers and flags %lx differ", p->opcode, p->reg, differ);
	}
}

static void test_native(void **state)
{
	for (u32 n = 0; n < ARRAY_SIZE(patterns); n++) {
		for (u32 k = 0; k < 400; k++)
			run_trial(&patterns[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_native) };

	buffer = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED || code == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
