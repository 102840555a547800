/* Processors that a guest could stop. */
/* links: arch/x86_64/erratum.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86_64/erratum.h"

static bool intel;
static u32 last, seven;
static u64 capabilities;

static struct cpuid leaf(u32 number, u32 subleaf)
{
	if (number == 0)
		return (struct cpuid){ .eax = last, .ebx = intel ? 0x756e6547 : 0x68747541 };
	assert_int_equal(number, 7);
	assert_true(last >= 7);
	return (struct cpuid){ .edx = seven };
}

/* It exists only where CPUID says so. */
static u64 read(u32 msr)
{
	assert_int_equal(msr, MSR_ARCH_CAPABILITIES);
	assert_true(seven & BIT(29));
	return capabilities;
}

static bool has(bool is_intel, u32 last_leaf, u32 seven_edx, u64 says)
{
	intel = is_intel, last = last_leaf, seven = seven_edx, capabilities = says;
	return erratum_page_size_change(leaf, read);
}

static void test_page_size_change(void **state)
{
	assert_true(has(true, 4, 0, 0));
	assert_true(has(true, 0x16, 0, 0));
	assert_true(has(true, 0x16, BIT(29), ~BIT(6)));
	assert_false(has(true, 0x16, BIT(29), BIT(6)));
	assert_false(has(false, 0x10, 0, 0));
	assert_false(has(false, 1, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_page_size_change) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
