/* Which processors keep ring 0's indirect branches to themselves. */
/* links: arch/x86_64/ibrs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86_64/ibrs.h"
#include "arch/x86_64/registers.h"

static bool intel;
static u32 seven, amd, highest;
static u64 capabilities;
static u32 reads;

static struct cpuid leaf(u32 number, u32 subleaf)
{
	switch (number) {
	case 0: return (struct cpuid){ .eax = 0x16, .ebx = intel ? 0x756e6547 : 0x68747541 };
	case 7: return (struct cpuid){ .edx = seven };
	case 0x80000000: return (struct cpuid){ .eax = highest };
	case 0x80000021: return (struct cpuid){ .eax = amd };
	default: return (struct cpuid){ ~0u, ~0u, ~0u, ~0u };
	}
}

static u64 read(u32 msr)
{
	assert_int_equal(msr, MSR_ARCH_CAPABILITIES);
	reads++;
	return capabilities;
}

static void test_intel(void **state)
{
	intel = true, highest = 0x80000008, capabilities = BIT(1);
	seven = BIT(26) | BIT(29);
	assert_int_equal(ibrs_offered(leaf, read), IBRS_ENHANCED);
	capabilities = ~BIT(1);
	assert_int_equal(ibrs_offered(leaf, read), IBRS_NONE);
	capabilities = BIT(1), reads = 0;
	seven = BIT(29); /* no SPEC_CTRL to set it in */
	assert_int_equal(ibrs_offered(leaf, read), IBRS_NONE);
	seven = BIT(26); /* the register that would tell does not exist */
	assert_int_equal(ibrs_offered(leaf, read), IBRS_NONE);
	assert_int_equal(reads, 0);
}

static void test_amd(void **state)
{
	intel = false, seven = ~0u, capabilities = ~0ull, highest = 0x80000021, amd = BIT(8), reads = 0;
	assert_int_equal(ibrs_offered(leaf, read), IBRS_AUTOMATIC);
	amd = ~BIT(8) & ~0u;
	assert_int_equal(ibrs_offered(leaf, read), IBRS_NONE);
	amd = ~0u, highest = 0x80000020;
	assert_int_equal(ibrs_offered(leaf, read), IBRS_NONE);
	assert_int_equal(reads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_intel), cmocka_unit_test(test_amd) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
