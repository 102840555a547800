/* The guest's local APIC timer on fake time. */
/* links: kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c kernel/cpuid.c
 * kernel/cpuid_policy.c kernel/hyperv_cpuid.c tests/unit/fake_vcpu.c tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

#define MS 1000000ull /* in ns */

static void advance_ns(u64 ns)
{
	fake_tsc += ns * 2; /* 2 GHz */
}

static void test_one_shot(void **state)
{
	struct vcpu *v = V(0);

	start(1, false);
	wr(v, REG_DIVIDE, 0xb);
	wr(v, REG_LVT_TIMER, 0x30);
	wr(v, REG_COUNT_INITIAL, MS);
	assert_int_equal(fake_guest.armed[0], fake_tsc + 2 * MS);
	assert_int_equal(rd(v, REG_COUNT), MS);
	advance_ns(MS / 4);
	assert_in_range(rd(v, REG_COUNT), MS * 3 / 4, MS * 3 / 4 + 1);
	lapic_timer(v); /* too early */
	assert_int_equal(lapic_pending(v), -1);
	advance_ns(MS * 3 / 4);
	lapic_timer(v);
	assert_int_equal(lapic_pending(v), 0x30);
	assert_int_equal(rd(v, REG_COUNT), 0);
	assert_int_equal(fake_guest.armed[0], UINT64_MAX);
}

static void test_dividers(void **state)
{
	static const u8 code[8] = { 0xb, 0, 1, 2, 3, 8, 9, 0xa };

	for (u32 i = 0; i < 8; i++) {
		start(1, false);
		wr(V(0), REG_LVT_TIMER, 0x30);
		wr(V(0), REG_DIVIDE, code[i]);
		wr(V(0), REG_COUNT_INITIAL, ~0u);
		assert_int_equal(fake_guest.armed[0], fake_tsc + ((u64)~0u << i) * 2);
		wr(V(0), REG_COUNT_INITIAL, 1000);
		advance_ns(500ull << i);
		wr(V(0), REG_DIVIDE, code[(i + 1) % 8]); /* what is left runs on at the other rate */
		assert_in_range(rd(V(0), REG_COUNT), 500, 501);
	}
}

static void test_periodic(void **state)
{
	struct vcpu *v = V(0);
	u64 begin;

	start(1, false);
	begin = fake_tsc;
	wr(v, REG_DIVIDE, 0xb);
	wr(v, REG_LVT_TIMER, 0x20030);
	wr(v, REG_COUNT_INITIAL, MS);
	for (u64 n = 1; n <= 3; n++) {
		advance_ns(MS + (n == 1 ? 1000 : 0));
		lapic_timer(v);
		assert_int_equal(lapic_pending(v), 0x30);
		lapic_accept(v, 0x30);
		lapic_eoi(v);
		assert_int_equal(fake_guest.armed[0], begin + (n + 1) * 2 * MS); /* no drift */
	}
	advance_ns(10 * MS); /* a long absence: one interrupt, and the phase is kept */
	lapic_timer(v);
	lapic_accept(v, (u8)lapic_pending(v));
	lapic_eoi(v);
	assert_int_equal(lapic_pending(v), -1);
	assert_true(fake_guest.armed[0] > fake_tsc);
	assert_int_equal((fake_guest.armed[0] - begin) % (2 * MS), 0);
	assert_true(rd(v, REG_COUNT) <= MS);
	wr(v, REG_LVT_TIMER, 0x30030); /* masked: runs on without the host's timer */
	assert_int_equal(fake_guest.armed[0], UINT64_MAX);
	advance_ns(5 * MS);
	assert_in_range(rd(v, REG_COUNT), 1, MS);
	assert_int_equal(lapic_pending(v), -1);
	wr(v, REG_LVT_TIMER, 0x20030);
	assert_in_range(fake_guest.armed[0], fake_tsc + 1, fake_tsc + 2 * MS);
	wr(v, REG_COUNT_INITIAL, 1); /* a hostile period: the host is not flooded */
	fake_tsc += 10;
	lapic_timer(v);
	assert_true(fake_guest.armed[0] >= fake_tsc + 50000);
	wr(v, REG_COUNT_INITIAL, 0);
	assert_int_equal(fake_guest.armed[0], UINT64_MAX);
}

static void test_deadline(void **state)
{
	struct vcpu *v = V(0);

	start(1, false);
	v->tsc_offset = -fake_tsc; /* the guest's TSC begins at 0 */
	lapic_deadline_write(v, 5000); /* not in that mode: ignored */
	assert_int_equal(v->lapic.tsc_deadline, 0);
	wr(v, REG_LVT_TIMER, 0x40030);
	lapic_deadline_write(v, 5000);
	assert_int_equal(fake_guest.armed[0], fake_tsc + 5000);
	wr(v, REG_COUNT_INITIAL, 77);
	assert_int_equal(rd(v, REG_COUNT_INITIAL), 0);
	fake_tsc += 1000;
	vcpu_move_tsc(v, 3000); /* the guest moves its TSC on by 3000 */
	lapic_timer_rearm(v);
	assert_int_equal(fake_guest.armed[0], fake_tsc + 1000);
	fake_tsc += 1000;
	lapic_timer(v);
	assert_int_equal(lapic_pending(v), 0x30);
	assert_int_equal(v->lapic.tsc_deadline, 0);
	lapic_accept(v, 0x30);
	lapic_eoi(v);
	lapic_deadline_write(v, 1); /* passed already */
	assert_int_equal(lapic_pending(v), 0x30);
	lapic_deadline_write(v, UINT64_MAX);
	assert_int_equal(v->lapic.tsc_deadline, UINT64_MAX);
	assert_true(fake_guest.armed[0] > fake_tsc);
	wr(v, REG_LVT_TIMER, 0x30); /* leaving the mode disarms */
	assert_int_equal(fake_guest.armed[0], UINT64_MAX);
	assert_int_equal(v->lapic.tsc_deadline, 0);
}

/* One-shot timers do not follow a guest that writes its TSC. */
static void test_tsc_write(void **state)
{
	struct vcpu *v = V(0);
	u64 armed;

	start(1, false);
	wr(v, REG_LVT_TIMER, 0x30);
	wr(v, REG_COUNT_INITIAL, 1000);
	armed = fake_guest.armed[0];
	vcpu_move_tsc(v, -vcpu_tsc(v));
	lapic_timer_rearm(v);
	assert_int_equal(fake_guest.armed[0], armed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_shot, lapic_setup),
		cmocka_unit_test_setup(test_dividers, lapic_setup),
		cmocka_unit_test_setup(test_periodic, lapic_setup),
		cmocka_unit_test_setup(test_deadline, lapic_setup),
		cmocka_unit_test_setup(test_tsc_write, lapic_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
