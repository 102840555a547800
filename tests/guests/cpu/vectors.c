/* x87, SSE, AVX and AVX-512 registers survive exits; XCR0 takes legal values and refuses others. */
#include "tests/guests/cpu/cpu.h"

#define CR4_OSXSAVE (1 << 18)

static u8 before[32][64] __attribute__((aligned(64))), after[32][64] __attribute__((aligned(64)));

static void exits(void)
{
	for (u32 i = 0; i < 200; i++) {
		cpuid(0, 0);
		inb(0x61);
	}
}

#define EACH(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15)
#define EACH_HIGH(f) f(16) f(17) f(18) f(19) f(20) f(21) f(22) f(23) f(24) f(25) f(26) f(27) f(28) f(29) f(30) f(31)
#define LOAD_XMM(n) "movups " #n "*64(%0), %%xmm" #n "\n\t"
#define SAVE_XMM(n) "movups %%xmm" #n ", " #n "*64(%0)\n\t"
#define LOAD_YMM(n) "vmovups " #n "*64(%0), %%ymm" #n "\n\t"
#define SAVE_YMM(n) "vmovups %%ymm" #n ", " #n "*64(%0)\n\t"

#define LOAD_ZMM(n) "vmovups " #n "*64(%0), %%zmm" #n "\n\t"
#define SAVE_ZMM(n) "vmovups %%zmm" #n ", " #n "*64(%0)\n\t"

static bool same(u32 registers, u32 bytes)
{
	for (u32 r = 0; r < registers; r++)
		for (u32 i = 0; i < bytes; i++)
			if (before[r][i] != after[r][i])
				return false;
	return true;
}

static void test_sse(void)
{
	u32 mxcsr = 0x3f80, got = 0;
	u64 one = 0;

	asm volatile("ldmxcsr %0" : : "m"(mxcsr));
	asm volatile(EACH(LOAD_XMM) : : "r"(before) : "memory");
	asm volatile("fninit; fld1");
	exits();
	asm volatile(EACH(SAVE_XMM) : : "r"(after) : "memory");
	asm volatile("stmxcsr %0" : "=m"(got));
	asm volatile("fistpll %0" : "=m"(one));
	check(same(16, 16), "vectors: XMM kept over exits");
	check_equal(got, mxcsr, "vectors: MXCSR kept over exits");
	check_equal(one, 1, "vectors: x87 kept over exits");
}

struct xcr {
	u32 index;
	u64 value;
};

static void set_xcr(void *argument)
{
	struct xcr *x = argument;
	asm volatile("xsetbv" : : "c"(x->index), "a"((u32)x->value), "d"((u32)(x->value >> 32)));
}

static int try_xcr(u32 index, u64 value)
{
	return trap_catch(set_xcr, &(struct xcr){ index, value });
}

static u64 xgetbv(void)
{
	u32 low, high;
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

static void test_xcr0(void)
{
	check_equal(xgetbv(), 1, "vectors: XCR0 after reset");
	check_equal(try_xcr(0, 3), NO_FAULT, "vectors: XCR0 = x87, SSE");
	check_equal(xgetbv(), 3, "vectors: XCR0 reads back");
	check_equal(try_xcr(0, 2), 13, "vectors: XCR0 without x87");
	check_equal(try_xcr(0, 5), 13, "vectors: XCR0 with AVX without SSE");
	check_equal(try_xcr(0, 3 | 1ull << 62), 13, "vectors: XCR0's reserved bits");
	check_equal(try_xcr(1, 3), 13, "vectors: XCR1");
	check_equal(xgetbv(), 3, "vectors: XCR0 as before");
}

static void test_avx(void)
{
	check_equal(try_xcr(0, 7), NO_FAULT, "vectors: XCR0 = x87, SSE, AVX");
	check_equal(cpuid(0xd, 0).ebx, 832, "vectors: XSAVE size with AVX");
	asm volatile(EACH(LOAD_YMM) : : "r"(before) : "memory");
	exits();
	asm volatile(EACH(SAVE_YMM) : : "r"(after) : "memory");
	check(same(16, 32), "vectors: YMM kept over exits");
}

static void test_avx512(void)
{
	u32 mask = 0;

	check_equal(try_xcr(0, 0x67), 13, "vectors: XCR0 with a part of AVX-512");
	check_equal(try_xcr(0, 0xe7), NO_FAULT, "vectors: XCR0 = x87, SSE, AVX, AVX-512");
	asm volatile(EACH(LOAD_ZMM) EACH_HIGH(LOAD_ZMM) "kmovw %1, %%k7" : : "r"(before), "r"(0x5a5a) : "memory");
	exits();
	asm volatile(EACH(SAVE_ZMM) EACH_HIGH(SAVE_ZMM) : : "r"(after) : "memory");
	asm volatile("kmovw %%k7, %0" : "=r"(mask));
	check(same(32, 64), "vectors: ZMM kept over exits");
	check_equal(mask, 0x5a5a, "vectors: mask registers kept over exits");
}

void test_vectors(void)
{
	for (u32 r = 0; r < 32; r++)
		for (u32 i = 0; i < 64; i++)
			before[r][i] = r * 37 + i * 11 + 1;
	test_sse();
	if (!(cpuid(1, 0).ecx & 1 << 26)) {
		print("SKIP vectors: no XSAVE\n");
		return;
	}
	WRITE_REG(cr4, READ_REG(cr4) | CR4_OSXSAVE);
	test_xcr0();
	if (cpuid(1, 0).ecx & 1 << 28)
		test_avx();
	if (cpuid(7, 0).ebx & 1 << 16)
		test_avx512();
}
