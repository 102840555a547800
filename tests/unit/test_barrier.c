/* Which barriers between guests a processor needs. */
/* links: arch/x86_64/barrier.c kernel/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86_64/barrier.h"

static bool intel, old;
static u32 seven, amd;
static u64 capabilities;
static u32 reads;

static struct cpuid leaf(u32 number, u32 subleaf)
{
	switch (number) {
	case 0: return (struct cpuid){ .eax = old ? 1 : 0x16, .ebx = intel ? 0x756e6547 : 0x68747541 };
	case 7: return (struct cpuid){ .edx = seven };
	case 0x80000000: return (struct cpuid){ .eax = old ? 0x80000007 : 0x80000008 };
	case 0x80000008: return (struct cpuid){ .ebx = amd };
	default: return (struct cpuid){ 0 };
	}
}

static u64 read(u32 msr)
{
	assert_int_equal(msr, MSR_ARCH_CAPABILITIES);
	reads++;
	return capabilities;
}

static u32 needed(bool is_intel, u32 seven_edx, u64 says, u32 amd_ebx)
{
	intel = is_intel, seven = seven_edx, capabilities = says, amd = amd_ebx, reads = 0;
	return barrier_needed(leaf, read);
}

static void test_intel(void **state)
{
	u32 all = BIT(10) | BIT(26) | BIT(28);

	assert_int_equal(needed(true, 0, 0, 0), 0);
	assert_int_equal(needed(true, all, 0, 0), BARRIER_IBPB | BARRIER_L1D | BARRIER_BUFFERS);
	assert_int_equal(reads, 0); /* the register exists only where CPUID says so */
	assert_int_equal(needed(true, all | BIT(29), BIT(0), 0), BARRIER_IBPB | BARRIER_BUFFERS);
	assert_int_equal(needed(true, all | BIT(29), BIT(3), 0), BARRIER_IBPB | BARRIER_BUFFERS);
	assert_int_equal(needed(true, BIT(28) | BIT(29), 0, 0), BARRIER_L1D);
	assert_int_equal(needed(true, BIT(26), 0, 0), BARRIER_IBPB);
}

static void test_amd(void **state)
{
	assert_int_equal(needed(false, 0, 0, BIT(12)), BARRIER_IBPB);
	assert_int_equal(needed(false, BIT(10) | BIT(28), 0, 0), 0); /* Intel's faults */
	assert_int_equal(needed(false, 0, 0, ~0u & ~BIT(12)), 0);
	old = true;
	assert_int_equal(needed(false, ~0u, 0, ~0u), 0);
	old = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_intel), cmocka_unit_test(test_amd) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
