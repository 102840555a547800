/* A local APIC that the processor works on: the kernel's half of it. */
/* links: kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c kernel/cpuid.c
 * kernel/cpuid_policy.c kernel/hyperv_cpuid.c tests/unit/fake_vcpu.c tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

#define LVT_VECTOR 0x40
#define LVT_PERIODIC (1u << 17)
#define LVT_DEADLINE (2u << 17)

static void start_live(u32 count, bool x2)
{
	start(count, x2);
	for (u32 i = 0; i < count; i++)
		V(i)->lapic.hw.live = true;
	V(0)->lapic.hw.changed = false;
}

/* The guest's write, which the processor leaves in the page. */
static void store(u32 reg, u32 value)
{
	reg_set(V(0), reg, value);
	lapic_written(V(0), OFFSET(reg));
}

static void test_a_register_written_in_part_counts_whole(void **state)
{
	start_live(1, false);
	store(REG_SVR, SVR_ENABLE | 0xff);
	assert_true(V(0)->lapic.identity & LAPIC_SOFTWARE);
	reg_set(V(0), REG_SVR, 0xff);
	lapic_written(V(0), OFFSET(REG_SVR) + 1);
	assert_false(V(0)->lapic.identity & LAPIC_SOFTWARE);
}

static void test_nothing_is_injected(void **state)
{
	start_live(1, true);
	lapic_set_tpr(V(0), 0x80);
	lapic_post(V(0), 0x61, false);
	assert_int_equal(lapic_to_inject(V(0)), -1);
	assert_int_equal(reg_get(V(0), REG_IRR + 3), 2); /* but it is there */
	assert_int_equal(lapic_masked_class(V(0)), 0);
	lapic_set_tpr(V(0), 0);
	assert_int_equal(lapic_pending(V(0)), 0x61); /* and ends HLT */
	assert_int_equal(lapic_to_inject(V(0)), -1);
	V(0)->lapic.hw.live = false;
	assert_int_equal(lapic_to_inject(V(0)), 0x61);
}

static void test_triggers_and_modes_are_told(void **state)
{
	start_live(1, false);
	assert_int_equal(V(0)->lapic.hw.mode, VIRT_APIC_MMIO);
	lapic_post(V(0), 0x61, false);
	lapic_pending(V(0));
	assert_false(V(0)->lapic.hw.changed);
	lapic_post(V(0), 0x62, true);
	lapic_pending(V(0));
	assert_true(V(0)->lapic.hw.changed);
	V(0)->lapic.hw.changed = false;
	assert_int_equal(lapic_base_write(V(0), X2 | LAPIC_BASE_BSP), 0);
	assert_true(V(0)->lapic.hw.changed);
	assert_int_equal(V(0)->lapic.hw.mode, VIRT_APIC_MSRS);
}

static void test_what_the_processor_ended_is_told_once(void **state)
{
	start_live(1, true);
	lapic_ended(V(0), 0x77);
	assert_int_equal(lapic_take_eoi(V(0)), 0x77);
	assert_int_equal(lapic_take_eoi(V(0)), -1);
}

/* The page at the usual address is given up before a vCPU uses it otherwise. */
static void test_an_apic_elsewhere_ends_the_page(void **state)
{
	start_live(2, false);
	assert_int_equal(lapic_base_write(V(0), BASE | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP), 0);
	assert_int_equal(fake_guest.lapic_left, 0);
	assert_int_equal(lapic_base_write(V(1), 0xfed00000 | LAPIC_BASE_ENABLE), 0);
	assert_int_equal(fake_guest.lapic_left, 1);
	assert_int_equal(V(1)->lapic.hw.mode, VIRT_APIC_OFF);
	assert_int_equal(lapic_base_write(V(0), BASE), 0);
	assert_int_equal(V(0)->lapic.hw.mode, VIRT_APIC_OFF);
	assert_int_equal(fake_guest.lapic_left, 2);
}

static void test_values_are_what_registers_take(void **state)
{
	start_live(2, false);
	store(REG_ID, 0xff000000);
	assert_int_equal(rd(V(0), REG_ID), 0);
	store(REG_LDR, 0x12345678);
	assert_int_equal(rd(V(0), REG_LDR), 0x12000000);
	store(REG_LVT_LINT1, ~0u);
	assert_int_equal(rd(V(0), REG_LVT_LINT1), 0x1a7ff);
	store(REG_SVR, 0xff);
	assert_true(rd(V(0), REG_LVT_LINT1) & LVT_MASKED);
	store(REG_SVR, 0x1ff);
	reg_set(V(0), REG_ICR_HIGH, 1 << 24);
	store(REG_ICR, 0x51);
	assert_int_equal(lapic_pending(V(1)), 0x51);
}

/* The old divider and mode are the timer's until it has seen the new ones. */
static void test_the_timer_changes_when_it_is_told(void **state)
{
	start_live(1, false);
	store(REG_DIVIDE, 0xb); /* by 1 */
	store(REG_LVT_TIMER, LVT_VECTOR | LVT_PERIODIC);
	store(REG_COUNT_INITIAL, 1000000);
	fake_tsc += fake_hz / 2000; /* half of it */
	store(REG_DIVIDE, 0); /* by 2 */
	assert_int_equal(lapic_timer_count(V(0)), 500000);
	fake_tsc += fake_hz / 2000 * 2;
	store(REG_LVT_TIMER, LVT_VECTOR + 1);
	assert_int_equal(lapic_pending(V(0)), LVT_VECTOR); /* it was due before the vector changed */
	store(REG_LVT_TIMER, LVT_VECTOR | LVT_DEADLINE);
	assert_int_equal(fake_guest.armed[0], UINT64_MAX);
	store(REG_COUNT_INITIAL, 1000);
	assert_int_equal(rd(V(0), REG_COUNT_INITIAL), 0);
	assert_int_equal(fake_guest.armed[0], UINT64_MAX);
}

static void test_a_self_ipi_without_a_vector(void **state)
{
	start_live(1, true);
	store(REG_SELF_IPI, 3);
	assert_int_equal(V(0)->lapic.error, ESR_SEND_VECTOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_register_written_in_part_counts_whole, lapic_setup),
		cmocka_unit_test_setup(test_nothing_is_injected, lapic_setup),
		cmocka_unit_test_setup(test_triggers_and_modes_are_told, lapic_setup),
		cmocka_unit_test_setup(test_what_the_processor_ended_is_told_once, lapic_setup),
		cmocka_unit_test_setup(test_an_apic_elsewhere_ends_the_page, lapic_setup),
		cmocka_unit_test_setup(test_values_are_what_registers_take, lapic_setup),
		cmocka_unit_test_setup(test_the_timer_changes_when_it_is_told, lapic_setup),
		cmocka_unit_test_setup(test_a_self_ipi_without_a_vector, lapic_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
