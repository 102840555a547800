/* What the tests of the local APIC share. */
#include "tests/unit/fake_lapic.h"

static struct cpuid host(u32 leaf, u32 subleaf)
{
	if (leaf == 0x80000000)
		return (struct cpuid){ .eax = 0x80000008 };
	if (leaf == 0x80000008)
		return (struct cpuid){ .eax = 0x3028 };
	return (struct cpuid){ 0 };
}

int lapic_setup(void **state)
{
	fake_start(1);
	cpuid_init(host, 0);
	return 0;
}

void start(u32 count, bool x2)
{
	fake_start(count);
	for (u32 i = 0; i < count; i++) {
		if (x2)
			assert_int_equal(lapic_base_write(V(i), X2 | (i ? 0 : LAPIC_BASE_BSP)), 0);
		if (x2)
			assert_int_equal(lapic_msr_write(V(i), MSR(REG_SVR), 0x1ff), 0);
		else
			wr(V(i), REG_SVR, 0x1ff);
	}
}

void check(const struct vcpu *v)
{
	const struct lapic *l = &v->lapic;

	for (u32 n = 0; n < 8; n++) {
		assert_int_equal(!!reg_get(v, REG_IRR + n), l->hw.irr_words >> n & 1);
		assert_int_equal(!!reg_get(v, REG_ISR + n), l->hw.isr_words >> n & 1);
		assert_int_equal(!!l->eoi[n], l->eoi_words >> n & 1);
		assert_true(!l->posted[n] || l->hw.posted_any >> n & 1);
	}
	assert_false(reg_get(v, REG_IRR) & 0xffff);
	assert_true(reg_get(v, REG_PPR) <= 0xff);
	assert_true(l->hw.irr_words < 256 && l->hw.isr_words < 256);
}
