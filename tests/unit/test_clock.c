/* The clock's arithmetic, and the choice of the TSC's rate. */
/* links: kernel/clock.c arch/x86_64/tsc.c arch/x86_64/apic.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86_64/tsc.h"
#include "kernel/clock.h"

#define DAY_NS 86400000000000ull

static const u64 rates[] = { 10000000, 999999999, 1000000000, 1000000001, 2394374123, 3579545000,
			     4294967296, 5700000000, 20000000000 };

static void scale_is_right(void **state)
{
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct clock_scale s = clock_scale_of(rates[i]);

		/* a second, and ten days to within a millisecond */
		assert_in_range(clock_scaled(rates[i], s.mul), 999999990, 1000000000);
		assert_in_range(clock_scaled(rates[i] * 864000, s.mul), 10 * DAY_NS - 10000000, 10 * DAY_NS);
	}
	assert_int_equal(clock_scale_of(1000000000).mul, 1ull << 32);
	assert_int_equal(clock_scale_of(2000000000).mul, 1ull << 31);
}

static void inverse_is_never_early_and_hardly_late(void **state)
{
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct clock_scale s = clock_scale_of(rates[i]);
		u64 coarse = 3 + 2000000000 / rates[i];

		for (u64 ns = 0; ns < 1000 * DAY_NS; ns = ns * 3 + 7) {
			u64 back = clock_scaled(clock_unscaled(&s, ns), s.mul);

			assert_in_range(back, ns, ns + coarse + 2 * 1000000000 / rates[i]);
		}
	}
}

static void clock_starts_at_its_base(void **state)
{
	struct abi_info abi = { 0 };
	u64 late;

	clock_init(5000, 3000000000, 1700000000);
	assert_int_equal(clock_ns_at(5000), 0);
	assert_int_equal(clock_ns_at(4999), 0); /* another CPU's TSC may be a little behind */
	assert_in_range(clock_ns_at(5000 + 3000000000), 999999998, 1000000000);
	assert_int_equal(clock_epoch(), 1700000000);

	clock_abi(&abi);
	assert_int_equal(abi.tsc_base, 5000);
	assert_int_equal(abi.tsc_hz, 3000000000);
	late = 5000 + 123456789012345;
	assert_int_equal(clock_ns_at(late), (u64)((unsigned __int128)(late - abi.tsc_base) * abi.tsc_mul >> 32));
}

static void never_is_never(void **state)
{
	clock_init(1ull << 63, 3000000000, 0);
	assert_true(clock_tsc(CLOCK_NEVER) == CLOCK_NEVER);
	assert_true(clock_tsc(1ull << 60) == CLOCK_NEVER);
	assert_true(clock_tsc(0) >= 1ull << 63);
	assert_true(clock_tsc(DAY_NS) > clock_tsc(0));
	clock_init(UINT64_MAX - 1000, 3000000000, 0);
	assert_true(clock_tsc(DAY_NS) == CLOCK_NEVER); /* not a wrapped, past one */
}

static void duration_is_not_too_short(void **state)
{
	clock_init(0, 2394374123, 0);
	assert_in_range(clock_cycles(1000000000), 2394374123, 2394374133);
	assert_in_range(clock_cycles(0), 0, 4);
}

static void rate_prefers_claims_that_fit(void **state)
{
	assert_int_equal(tsc_choose(2999100000, 3000000000, 0), 3000000000); /* 300 ppm off */
	assert_int_equal(tsc_choose(2995000000, 3000000000, 0), 2995000000); /* 1700 ppm: it lies */
	assert_int_equal(tsc_choose(50000123, 3500000000, 3500), 50000000);  /* as Bochs' does */
	assert_int_equal(tsc_choose(2999900000, 0, 3000), 3000000000);
	assert_int_equal(tsc_choose(2394374000, 0, 3000), 2394374000);
}

static void rate_is_rounded_within_the_error(void **state)
{
	assert_int_equal(tsc_choose(1000004321, 0, 0), 1000000000);
	assert_int_equal(tsc_choose(999960000, 0, 0), 1000000000);
	assert_int_equal(tsc_choose(1000300000, 0, 0), 1000300000);
}

static void rate_without_a_measurement(void **state)
{
	assert_int_equal(tsc_choose(0, 2500000000, 2400), 2500000000);
	assert_int_equal(tsc_choose(0, 0, 2400), 2400000000);
	assert_int_equal(tsc_choose(0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scale_is_right),
		cmocka_unit_test(inverse_is_never_early_and_hardly_late),
		cmocka_unit_test(clock_starts_at_its_base),
		cmocka_unit_test(never_is_never),
		cmocka_unit_test(duration_is_not_too_short),
		cmocka_unit_test(rate_prefers_claims_that_fit),
		cmocka_unit_test(rate_is_rounded_within_the_error),
		cmocka_unit_test(rate_without_a_measurement),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
