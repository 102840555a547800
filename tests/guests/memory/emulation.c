/* Each instruction is run on a word of RAM and on an MMIO register that keeps 32 bits; the results, the
 * register operand and the flags must be the same. */
#include "tests/guests/memory/memory.h"

#define HPET_T1 (HPET + 0x128)
#define FLAGS 0x8d5 /* OF SF ZF AF PF CF */

struct result {
	u64 memory, reg, flags;
};

/* One instruction with %1 as its memory operand and RCX as its register; RAX is there for CMPXCHG. */
#define RUN(name, size, text, mask) \
	static struct result name(u64 address, u64 initial, u64 reg) \
	{ \
		u64 rax = 0x0f0f0f0f, flags; \
		*(volatile size *)address = initial; \
		asm volatile("pushq $2; popfq\n\t" text "\n\tpushfq\n\tpopq %2" \
			     : "+c"(reg), "+m"(*(volatile size *)address), "=r"(flags), "+a"(rax) \
			     : : "rdx", "cc", "memory"); \
		return (struct result){ *(volatile size *)address, reg ^ rax << 32, flags & (mask) }; \
	}

RUN(do_mov_load, u32, "movl %1, %%ecx", 0)
RUN(do_mov_store, u32, "movl %%ecx, %1", 0)
RUN(do_mov_immediate, u32, "movl $0x12345678, %1", 0)
RUN(do_add, u32, "addl %%ecx, %1", FLAGS)
RUN(do_add_load, u32, "addl %1, %%ecx", FLAGS)
RUN(do_add_byte, u32, "addl $-5, %1", FLAGS)
RUN(do_adc, u32, "stc; adcl %%ecx, %1", FLAGS)
RUN(do_sub, u32, "subl %%ecx, %1", FLAGS)
RUN(do_sbb, u32, "stc; sbbl %%ecx, %1", FLAGS)
RUN(do_and, u32, "andl %%ecx, %1", FLAGS & ~0x10)
RUN(do_or, u32, "orl %%ecx, %1", FLAGS & ~0x10)
RUN(do_or_immediate, u32, "orl $0x10000, %1", FLAGS & ~0x10)
RUN(do_xor, u32, "xorl %%ecx, %1", FLAGS & ~0x10)
RUN(do_cmp, u32, "cmpl %%ecx, %1", FLAGS)
RUN(do_cmp_load, u32, "cmpl %1, %%ecx", FLAGS)
RUN(do_test, u32, "testl %%ecx, %1", FLAGS & ~0x10)
RUN(do_test_immediate, u32, "testl $0x40, %1", FLAGS & ~0x10)
RUN(do_inc, u32, "incl %1", FLAGS)
RUN(do_dec, u32, "decl %1", FLAGS)
RUN(do_not, u32, "notl %1", FLAGS)
RUN(do_neg, u32, "negl %1", FLAGS)
RUN(do_xchg, u32, "xchgl %%ecx, %1", 0)
RUN(do_xadd, u32, "xaddl %%ecx, %1", FLAGS)
RUN(do_cmpxchg, u32, "cmpxchgl %%ecx, %1", FLAGS)
RUN(do_lock_or, u32, "lock orl %%ecx, %1", FLAGS & ~0x10)
RUN(do_bts, u32, "btsl $7, %1", 1)
RUN(do_btr, u32, "btrl $6, %1", 1)
RUN(do_bt, u32, "btl $5, %1", 1)
RUN(do_shl, u32, "shll $3, %1", FLAGS & ~0x810)
RUN(do_shr, u32, "shrl $1, %1", FLAGS & ~0x10)
RUN(do_movsxd, u32, "movslq %1, %%rcx", 0)
RUN(do_mov_wide, u64, "movq %1, %%rcx", 0)
RUN(do_mov_wide_store, u64, "movq %%rcx, %1", 0)
RUN(do_moffs, u32, "movl %1, %%eax", 0)

#undef RUN

static const struct {
	const char *name;
	struct result (*run)(u64 address, u64 initial, u64 reg);
} cases[] = {
#define CASE(name) { #name, do_##name }
	CASE(mov_load), CASE(mov_store), CASE(mov_immediate), CASE(add), CASE(add_load), CASE(add_byte),
	CASE(adc), CASE(sub), CASE(sbb), CASE(and), CASE(or), CASE(or_immediate), CASE(xor), CASE(cmp),
	CASE(cmp_load),
	CASE(test), CASE(test_immediate), CASE(inc), CASE(dec), CASE(not), CASE(neg), CASE(xchg), CASE(xadd),
	CASE(cmpxchg), CASE(lock_or), CASE(bts), CASE(btr), CASE(bt), CASE(shl), CASE(shr), CASE(movsxd),
	CASE(mov_wide), CASE(mov_wide_store), CASE(moffs),
};

static const u64 values[][2] = {
	{ 0, 0 }, { 0x12345678, 0x0fedcba9 }, { 0x7fffffff, 1 }, { 0xffffffff, 1 }, { 0x0f0f0f0f, 0x55 },
};

static void test_instructions(void)
{
	static u64 word __attribute__((aligned(8)));

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u32 wrong = 0;

		for (u32 v = 0; v < ARRAY_SIZE(values); v++) {
			struct result r, m;

			word = 0;
			r = cases[i].run((u64)&word, values[v][0], values[v][1]);
			mmio_write(HPET_T1 + 4, 0);
			m = cases[i].run(HPET_T1, values[v][0], values[v][1]);
			wrong += r.memory != m.memory || r.reg != m.reg || r.flags != m.flags;
			if (wrong)
				print("  %s: ram %x %x %x", cases[i].name, r.memory, r.reg, r.flags);
			if (wrong)
				print(", mmio %x %x %x\n", m.memory, m.reg, m.flags);
		}
		print("%s emulation: %s\n", wrong ? "FAIL" : "PASS", cases[i].name);
		if (wrong)
			check(false, "emulation");
	}
}

/* The local APIC's page: more than plain moves. */
static void test_local_apic(void)
{
	volatile u32 *tpr = (volatile u32 *)(u64)(LAPIC + APIC_TPR);
	u32 old = *tpr;

	*tpr = 0x10;
	asm volatile("orl $0x21, %0" : "+m"(*tpr));
	check_equal(*tpr, 0x31, "emulation: OR on the local APIC");
	asm volatile("xchgl %0, %1" : "+r"(old), "+m"(*tpr));
	check_equal(old, 0x31, "emulation: XCHG on the local APIC");
	asm volatile("andl $0, %0" : "+m"(*tpr));
	check_equal(*tpr, 0, "emulation: AND on the local APIC");
}

/* movl (%rdi), %eax; addl %eax, (%rsi); ret, placed so that the first two cross the page's end in turn. */
static void test_fetch(void)
{
	static u8 pages[2 * 4096] __attribute__((aligned(4096)));
	static const u8 code[] = { 0x8b, 0x07, 0x01, 0x06, 0xc3 };
	u64 wrong = 0, word;

	for (u32 before = 1; before < 4; before++) {
		u8 *at = pages + 4096 - before;

		for (u32 i = 0; i < sizeof(code); i++)
			((volatile u8 *)at)[i] = code[i];
		word = 1;
		mmio_write(HPET_T1, 41);
		asm volatile("call *%2" : : "D"((u64)HPET_T1), "S"(&word), "r"(at) : "rax", "cc", "memory");
		wrong += (u32)word != 42;
		word = 2;
		asm volatile("call *%2" : : "D"(&word), "S"((u64)HPET_T1), "r"(at) : "rax", "cc", "memory");
		wrong += mmio_read(HPET_T1) != 43;
	}
	check_equal(wrong, 0, "emulation: instructions over a page's end");
}

static void test_stack(void)
{
	u64 got = 0;

	mmio_write(HPET_T1, 77);
	asm volatile("pushq %1; popq %0" : "=r"(got) : "m"(*(volatile u64 *)(u64)HPET_T1));
	check_equal((u32)got, 77, "emulation: PUSH from MMIO");
	asm volatile("pushq $99; popq %0" : "=m"(*(volatile u64 *)(u64)HPET_T1));
	check_equal(mmio_read(HPET_T1), 99, "emulation: POP to MMIO");
}

static void test_holes(void)
{
	volatile u32 *hole = (volatile u32 *)0xd0000000ull;

	check_equal(*hole, 0xffffffff, "emulation: a hole reads as ones");
	*hole = 1;
	check_equal(*hole, 0xffffffff, "emulation: a hole keeps nothing");
	check_equal(inb(0x1234), 0xff, "emulation: a port without a device reads as ones");
	check_equal(inl(0x1234), 0xffffffff, "emulation: and with 32 bits");
}

void test_emulation(void)
{
	mmio_write(HPET + 0x10, 0);
	mmio_write(HPET + 0x120, 0);
	test_instructions();
	test_local_apic();
	test_fetch();
	test_stack();
	test_holes();
}
