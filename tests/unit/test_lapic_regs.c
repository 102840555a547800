/* The guest's local APIC: registers in both modes, mode transitions, hostile accesses. */
/* links: kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c kernel/cpuid.c
 * kernel/cpuid_policy.c kernel/hyperv_cpuid.c tests/unit/fake_vcpu.c tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

static void test_errors(void **state)
{
	struct vcpu *v = V(0);

	start(1, false);
	wr(v, REG_LVT_ERROR, 0xfe);
	ipi(0, 0, 0x4005);
	assert_int_equal(lapic_pending(v), 0xfe);
	lapic_accept(v, 0xfe);
	assert_int_equal(rd(v, REG_ESR), 0); /* not latched yet */
	wr(v, REG_ESR, 0);
	assert_int_equal(rd(v, REG_ESR), ESR_SEND_VECTOR);
	wr(v, REG_ESR, 0);
	assert_int_equal(rd(v, REG_ESR), 0);
	lapic_post(v, 3, false);
	lapic_read(v, 0x40);
	lapic_write(v, 0xff0 + 0x1000, 1);
	wr(v, REG_ESR, 0);
	assert_int_equal(rd(v, REG_ESR), ESR_RECEIVE_VECTOR | ESR_REGISTER);
	wr(v, REG_LVT_ERROR, 2); /* an illegal error vector ends, too */
	lapic_post(v, 3, false);
	lapic_read(v, 0x40);
	wr(v, REG_ESR, 0);
	assert_int_equal(rd(v, REG_ESR), ESR_RECEIVE_VECTOR | ESR_REGISTER);
}

static void test_masks(void **state)
{
	struct vcpu *v = V(0);

	fake_start(1);
	wr(v, REG_LVT_TIMER, 0x30);
	assert_int_equal(rd(v, REG_LVT_TIMER), 0x10030); /* software-disabled: stays masked */
	wr(v, REG_SVR, ~0u);
	assert_int_equal(rd(v, REG_SVR), 0x3ff);
	wr(v, REG_LVT_TIMER, ~0u);
	assert_int_equal(rd(v, REG_LVT_TIMER), 0x700ff);
	wr(v, REG_LVT_LINT0, ~0u);
	assert_int_equal(rd(v, REG_LVT_LINT0), 0x1a7ff);
	wr(v, REG_ID, 5u << 24);
	assert_int_equal(rd(v, REG_ID), 0);
	wr(v, REG_DFR, 0);
	assert_int_equal(rd(v, REG_DFR), 0x0fffffff);
	wr(v, REG_LDR, ~0u);
	assert_int_equal(rd(v, REG_LDR), 0xff000000);
	wr(v, REG_TPR, ~0u);
	assert_int_equal(lapic_tpr(v), 0xff);
	assert_int_equal(rd(v, REG_PPR), 0xff);
}

static void test_mode_transitions(void **state)
{
	static const u64 mode[4] = { 0, LAPIC_BASE_X2, LAPIC_BASE_ENABLE, LAPIC_BASE_ENABLE | LAPIC_BASE_X2 };
	/* SDM 3A figure 11-27: from disabled, xAPIC, x2APIC (1 is not a state) */
	static const bool legal[4][4] = { { 1, 0, 1, 0 }, { 0 }, { 1, 0, 1, 1 }, { 1, 0, 0, 1 } };
	u64 gpa;

	for (u32 from = 0; from < 4; from++)
		for (u32 to = 0; from != 1 && to < 4; to++) {
			fake_start(1);
			if (from == 3)
				assert_int_equal(lapic_base_write(V(0), BASE | mode[2]), 0);
			assert_int_equal(lapic_base_write(V(0), BASE | mode[from]), 0);
			assert_int_equal(lapic_base_write(V(0), BASE | mode[to]), legal[from][to] ? 0 : ERR_INVAL);
			assert_int_equal(V(0)->lapic.base, BASE | mode[legal[from][to] ? to : from]);
		}
	fake_start(1);
	assert_int_equal(lapic_base_write(V(0), 0xfffffff000 | LAPIC_BASE_ENABLE), 0);
	assert_true(lapic_mmio(V(0), &gpa));
	assert_int_equal(gpa, 0xfffffff000);
	assert_int_equal(lapic_base_write(V(0), BIT(40) | LAPIC_BASE_ENABLE), ERR_INVAL); /* 40 bits */
	assert_int_equal(lapic_base_write(V(0), BASE | LAPIC_BASE_ENABLE | 1), ERR_INVAL);
	assert_int_equal(lapic_base_write(V(0), X2), 0);
	assert_false(lapic_mmio(V(0), &gpa));
}

/* What x2APIC mode keeps, and that off and on is a reset. */
static void test_mode_state(void **state)
{
	struct vcpu *v = V(0);
	u64 value;

	fake_start(2);
	v = V(1);
	wr(v, REG_SVR, 0x1ff);
	wr(v, REG_LVT_ERROR, 0x77);
	lapic_post(v, 0x44, false);
	assert_int_equal(lapic_msr_read(v, MSR(REG_ID), &value), ERR_INVAL);
	assert_int_equal(lapic_base_write(v, X2), 0);
	assert_int_equal(lapic_msr_read(v, MSR(REG_ID), &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(lapic_msr_read(v, MSR(REG_LVT_ERROR), &value), 0);
	assert_int_equal(value, 0x77);
	assert_int_equal(lapic_pending(v), 0x44);
	assert_int_equal(lapic_base_write(v, BASE), 0);
	assert_true(lapic_wants_extint(v));
	assert_int_equal(lapic_pending(v), -1);
	assert_int_equal(lapic_base_write(v, BASE | LAPIC_BASE_ENABLE), 0);
	assert_int_equal(rd(v, REG_ID), 1u << 24);
	assert_int_equal(rd(v, REG_LVT_ERROR), LVT_MASKED);
	assert_int_equal(lapic_base_write(v, X2), 0);
	lapic_reset(v, false); /* INIT stays in x2APIC mode */
	assert_int_equal(lapic_msr_read(v, MSR(REG_ID), &value), 0);
	assert_int_equal(value, 1);
}

static void test_x2apic_faults(void **state)
{
	static const struct { u32 reg; u64 value; int result; } writes[] = {
		{ REG_ID, 0, ERR_INVAL }, { REG_VERSION, 0, ERR_INVAL }, { REG_PPR, 0, ERR_INVAL },
		{ REG_LDR, 0, ERR_INVAL }, { REG_DFR, 0, ERR_INVAL }, { REG_APR, 0, ERR_INVAL },
		{ REG_TPR, 0x100, ERR_INVAL }, { REG_TPR, 0x20, 0 }, { REG_EOI, 1, ERR_INVAL }, { REG_EOI, 0, 0 },
		{ REG_SVR, 0x1000, ERR_INVAL }, { REG_ESR, 1, ERR_INVAL }, { REG_ESR, 0, 0 },
		{ REG_ICR, 0x10000, ERR_INVAL }, { REG_ICR, 0x100000, ERR_INVAL }, { REG_ICR_HIGH, 0, ERR_INVAL },
		{ REG_ICR, 0x1030, 0 }, { REG_SELF_IPI, 0x130, ERR_INVAL }, { REG_LVT_TIMER, 0x80000, ERR_INVAL },
		{ REG_LVT_TIMER, 0x40030, 0 }, { REG_COUNT, 0, ERR_INVAL },
		{ REG_COUNT_INITIAL, BIT(32), ERR_INVAL },
		{ REG_DIVIDE, 4, ERR_INVAL }, { REG_DIVIDE, 0xb, 0 }, { REG_ISR, 0, ERR_INVAL },
		{ 0x2f, 0, ERR_INVAL }, { 0x40, 0, ERR_INVAL }, { 0xff, 0, ERR_INVAL },
	};
	static const u8 unreadable[] = {
		0, 1, REG_APR, REG_EOI, REG_RRD, REG_DFR, REG_ICR_HIGH, REG_SELF_IPI, 0x2f, 0xff,
	};
	u64 value;

	start(1, true);
	for (u32 i = 0; i < ARRAY_SIZE(writes); i++)
		assert_int_equal(lapic_msr_write(V(0), MSR(writes[i].reg), writes[i].value), writes[i].result);
	for (u32 i = 0; i < ARRAY_SIZE(unreadable); i++)
		assert_int_equal(lapic_msr_read(V(0), MSR(unreadable[i]), &value), ERR_INVAL);
	assert_int_equal(lapic_msr_write(V(0), MSR(REG_ICR), 0xabcull << 32 | 0x4030), 0);
	assert_int_equal(lapic_msr_read(V(0), MSR(REG_ICR), &value), 0);
	assert_int_equal(value, 0xabcull << 32 | 0x4030);
}

/* A register that is computed when it is read, beside those that are stored. */
static void test_x2apic_count(void **state)
{
	u64 value;

	start(1, true);
	assert_int_equal(lapic_msr_write(V(0), MSR(REG_DIVIDE), 0xb), 0);
	assert_int_equal(lapic_msr_write(V(0), MSR(REG_LVT_TIMER), 0x30), 0);
	assert_int_equal(lapic_msr_write(V(0), MSR(REG_COUNT_INITIAL), 1000), 0);
	fake_tsc += 800; /* 2 GHz, the bus has 1 */
	assert_int_equal(lapic_msr_read(V(0), MSR(REG_COUNT), &value), 0);
	assert_int_equal(value, 600);
	assert_int_equal(lapic_msr_read(V(0), MSR(REG_COUNT_INITIAL), &value), 0);
	assert_int_equal(value, 1000);
}

static void test_random_writes(void **state)
{
	srand(7);
	start(4, false);
	for (int round = 0; round < 300000; round++) {
		struct vcpu *v = V(rand() % 4);
		u32 value = (u32)rand() << (rand() % 20) ^ (u32)rand();
		u32 reg = rand() % 68;
		u64 wide;

		switch (rand() % 12) {
		case 0: case 1: case 2: case 3:
			lapic_write(v, OFFSET(reg) + (rand() % 8 ? 0 : rand() % 16), value);
			break;
		case 4: lapic_read(v, rand() % 2 ? OFFSET(reg) : value); break;
		case 5:
			wide = rand() % 2 ? value & 0xff : value | (u64)(rand() % 5) << 32;
			(void)!lapic_msr_write(v, MSR(reg), wide);
			break;
		case 6: (void)!lapic_msr_read(v, MSR(value % 300), &wide); break;
		case 7: lapic_msi(&fake_guest, 0xfee00000 | (value & 0xfffff), (u32)rand()); break;
		case 8: (void)!lapic_base_write(v, BASE | (value & (rand() % 4 ? 0xd00 : 0xfff))); break;
		case 9:
			lapic_deadline_write(v, rand() % 2 ? vcpu_tsc(v) + value : value * 0x100000001ull);
			break;
		case 10: fake_tsc += value; lapic_timer(v); break;
		default:
			if (lapic_pending(v) >= 0) {
				lapic_accept(v, (u8)lapic_pending(v));
				assert_int_equal(v->lapic.hw.posted_any, 0);
			}
			lapic_take_eoi(v);
			if (rand() % 100 == 0)
				lapic_reset(v, rand() & 1);
		}
		check(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_errors, lapic_setup),
		cmocka_unit_test_setup(test_masks, lapic_setup),
		cmocka_unit_test_setup(test_mode_transitions, lapic_setup),
		cmocka_unit_test_setup(test_mode_state, lapic_setup),
		cmocka_unit_test_setup(test_x2apic_faults, lapic_setup),
		cmocka_unit_test_setup(test_x2apic_count, lapic_setup),
		cmocka_unit_test_setup(test_random_writes, lapic_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
