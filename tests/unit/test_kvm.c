/* KVM's paravirtual helps: steal time, hypercalls.  Any address, bitmap and register is survived. */
/* links: kernel/steal.c kernel/hypercall.c kernel/lapic.c kernel/lapic_regs.c kernel/lapic_timer.c
 * kernel/lapic_route.c kernel/cpuid.c kernel/cpuid_policy.c kernel/msr.c kernel/kvmclock.c
 * tests/unit/fake_vcpu.c tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

#include <string.h>

#include "kernel/hypercall.h"
#include "kernel/steal.h"

#define KVM_STEAL 0x4b564d03
#define AT 0x140

static struct vcpu_page pages[8];

static int setup(void **state)
{
	lapic_setup(state);
	start(8, true);
	for (u32 i = 0; i < 8; i++)
		V(i)->page = &pages[i];
	return 0;
}

static struct seen {
	u64 steal;
	u32 version, flags;
	u8 preempted;
} packed_struct *seen(void)
{
	return (struct seen *)(fake_guest.memory + AT);
}

static void test_steal(void **state)
{
	struct vcpu *v = V(0);
	u64 value;

	v->stolen_cycles = 5000000; /* before the guest asked: not told */
	memset(seen(), 0xff, 64);
	assert_int_equal(msr_guest_write(v, KVM_STEAL, AT | 1), 0);
	assert_int_equal(msr_guest_read(v, KVM_STEAL, &value), 0);
	assert_int_equal(value, AT | 1);
	assert_true(seen()->steal == 0 && seen()->version == 2 && !seen()->preempted);
	v->stolen_cycles += 3000; /* at 2 GHz */
	steal_preempted(v);
	assert_int_equal(seen()->preempted, 1);
	steal_update(v);
	assert_true(seen()->steal == 1500 && seen()->version == 4 && !seen()->preempted);
	assert_int_equal(fake_guest.first_write[fake_guest.writes - 4][0], 3); /* odd while it changes */
	fake_guest.writes = 0;
	assert_int_equal(msr_guest_write(v, KVM_STEAL, 0), 0);
	steal_preempted(v);
	steal_update(v);
	assert_int_equal(fake_guest.writes, 0);
}

static void test_steal_hostile(void **state)
{
	struct vcpu *v = V(0);

	for (u64 bit = 2; bit < 64; bit <<= 1)
		assert_int_equal(msr_guest_write(v, KVM_STEAL, AT | 1 | bit), bit < 0x40 ? ERR_INVAL : 0);
	for (u32 i = 6; i < 64; i++) { /* nowhere, and over the end */
		assert_int_equal(msr_guest_write(v, KVM_STEAL, BIT(i) | 1), 0);
		steal_preempted(v);
		steal_update(v);
	}
	assert_int_equal(msr_guest_write(v, KVM_STEAL, FAKE_MEMORY - 64 + 1), 0);
	assert_int_equal(msr_guest_write(v, KVM_STEAL, ~0ull & ~0x3eull), 0);
	steal_update(v);
}

static s64 call(u64 rax, u64 rbx, u64 rcx, u64 rdx, u64 rsi, u8 mode, u8 cpl)
{
	u64 *gpr = V(0)->page->gpr;

	gpr[GPR_RAX] = rax, gpr[GPR_RBX] = rbx, gpr[GPR_RCX] = rcx, gpr[GPR_RDX] = rdx, gpr[GPR_RSI] = rsi;
	fake_code = (struct virt_code){ .mode = mode, .cpl = cpl };
	return hypercall(V(0));
}

static u32 posted_at(u8 vector)
{
	u32 mask = 0;

	for (u32 i = 0; i < 8; i++)
		mask |= (lapic_pending(V(i)) == vector) << i;
	return mask;
}

static void test_ipi(void **state)
{
	assert_int_equal(call(10, 0x54, 0, 0, 0x55, MODE_LONG, 0), 3);
	assert_int_equal(posted_at(0x55), 0x54);
	assert_int_equal(call(10, BIT(63), 1, (u64)-63, 0x60, MODE_LONG, 0), 0); /* 2^32 - 63 + 63: no wrap to 0 */
	assert_int_equal(posted_at(0x60), 0);
	assert_int_equal(call(10, 3, 0, 6, 0x60, MODE_LONG, 0), 2);
	assert_int_equal(posted_at(0x60), 0xc0);
	assert_int_equal(call(10, ~0ull, ~0ull, 0, 0x70, MODE_LONG, 0), 8); /* nobody beyond the last */
	assert_int_equal(call(10, ~0ull, 1, 1, 0x71, MODE_PROT32, 0), 7);
	for (u32 i = 0; i < 8; i++)
		V(i)->requests = 0;
	assert_int_equal(call(10, 2, 0, 0, 0x400, MODE_LONG, 0), 1);
	assert_int_equal(V(1)->requests, REQUEST_NMI);
	for (u32 delivery = 0; delivery < 8; delivery++)
		if (delivery != LAPIC_FIXED && delivery != LAPIC_NMI)
			assert_int_equal(call(10, 2, 0, 0, delivery << 8 | 0x33, MODE_LONG, 0), -1000);
	assert_int_equal(call(10, 2, 0, 0, 0x80055 | 0xc0000, MODE_LONG, 0), 1); /* no shorthand */
	assert_int_equal(posted_at(0x55) & 8, 0);
}

static void test_kick(void **state)
{
	V(3)->requests = 0;
	assert_int_equal(call(5, 0, 3, 0, 0, MODE_LONG, 0), 0);
	assert_int_equal(V(3)->requests, REQUEST_UNHALT);
	assert_int_equal(call(5, 0, 8, 0, 0, MODE_LONG, 0), 0);
	assert_int_equal(call(5, 0, 0x100000003, 0, 0, MODE_LONG, 0), 0);
	V(3)->requests = 0;
	assert_int_equal(call(5, 0, 3, 0, 0, MODE_LONG, 3), -1); /* not for the guest's ring 3 */
	assert_int_equal(V(3)->requests, 0);
	for (u64 n = 0; n < 100; n++)
		if (n != 5 && n != 10)
			assert_int_equal(call(n, ~0ull, ~0ull, ~0ull, ~0ull, MODE_LONG, 0), -1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_steal, setup), cmocka_unit_test_setup(test_steal_hostile, setup),
		cmocka_unit_test_setup(test_ipi, setup), cmocka_unit_test_setup(test_kick, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
