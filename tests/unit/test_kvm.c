/* KVM's paravirtual helps: steal time, TLB flushes, EOI, hypercalls.  Any address, bitmap and register is survived. */
/* links: kernel/steal.c kernel/hypercall.c kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c
 * kernel/lapic_route.c kernel/cpuid.c kernel/cpuid_policy.c kernel/msr.c kernel/kvmclock.c
 * kernel/hyperv_cpuid.c kernel/hyperv_msr.c kernel/hyperv_clock.c
 * kernel/hyperv_synic.c kernel/hyperv_timer.c tests/unit/fake_vcpu.c tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

#include <string.h>

#include "kernel/hypercall.h"
#include "kernel/pv_eoi.h"
#include "kernel/steal.h"

#define KVM_STEAL 0x4b564d03
#define KVM_EOI 0x4b564d04
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
	assert_int_equal(steal_update(v), 0);
	assert_true(seen()->steal == 1500 && seen()->version == 4 && !seen()->preempted);
	assert_int_equal(fake_guest.first_write[fake_guest.writes - 3][0], 3); /* odd while it changes */
	fake_guest.writes = 0;
	assert_int_equal(msr_guest_write(v, KVM_STEAL, 0), 0);
	steal_preempted(v);
	assert_int_equal(steal_update(v), 0);
	assert_int_equal(fake_guest.writes, 0);
}

/* What Linux's kvm_flush_tlb_multi does to a vCPU that it takes for preempted. */
static void test_flush(void **state)
{
	struct vcpu *v = V(0);

	assert_int_equal(msr_guest_write(v, KVM_STEAL, AT | 1), 0);
	v->generation = 7;
	steal_preempted(v);
	assert_int_equal(steal_update(v), 0);
	assert_true(v->generation == 7 && !v->pv_flushes); /* nobody asked */
	steal_preempted(v);
	seen()->preempted |= 2;
	steal_preempted(v); /* preempted on its way into the guest: what was asked for stays */
	assert_int_equal(seen()->preempted, 3);
	v->steal_due = true;
	fake_guest.short_of_memory = true;
	assert_int_equal(steal_update(v), ERR_NOMEM); /* the flag is set, so it must not enter */
	assert_true(v->steal_due && v->steal_marked && seen()->preempted == 3);
	fake_guest.short_of_memory = false;
	assert_int_equal(steal_update(v), 0);
	assert_true(!v->steal_due && !v->steal_marked && !seen()->preempted);
	assert_true(v->generation == UINT64_MAX && v->pv_flushes == 1);
	v->generation = 7;
	assert_int_equal(steal_update(v), 0);
	assert_int_equal(v->generation, 7);
	seen()->preempted = 3; /* left there by somebody: a new place begins clear */
	assert_int_equal(msr_guest_write(v, KVM_STEAL, AT | 1), 0);
	assert_int_equal(seen()->preempted, 0);
}

/* An edge-triggered vector arrives, as vcpu_run.c delivers it. */
static void deliver(struct vcpu *v, u8 vector)
{
	lapic_post(v, vector, false);
	assert_int_equal(lapic_pending(v), vector);
	lapic_accept(v, vector);
	pv_eoi_offer(v);
}

static bool in_service(struct vcpu *v, u8 vector)
{
	return reg_get(v, REG_ISR + vector / 32) >> vector % 32 & 1;
}

static void test_eoi(void **state)
{
	struct vcpu *v = V(0);
	u8 *bit = fake_guest.memory + AT;
	u64 value;

	deliver(v, 0x40); /* not enabled: nothing is offered */
	assert_false(v->lapic.eoi_offered);
	assert_int_equal(lapic_msr_write(v, MSR(REG_EOI), 0), 0);
	assert_int_equal(fake_guest.writes, 0);

	assert_int_equal(msr_guest_write(v, KVM_EOI, AT | 3), ERR_INVAL);
	assert_int_equal(msr_guest_write(v, KVM_EOI, AT | 1), 0);
	assert_int_equal(msr_guest_read(v, KVM_EOI, &value), 0);
	assert_int_equal(value, AT | 1);
	deliver(v, 0x40);
	assert_true(v->lapic.eoi_offered && *bit == 1);
	pv_eoi_settle(v); /* an exit in the handler */
	assert_true(v->lapic.eoi_offered && in_service(v, 0x40) && *bit == 1);
	*bit = 0;
	pv_eoi_settle(v);
	assert_true(!v->lapic.eoi_offered && !in_service(v, 0x40) && v->pv_eois == 1);
	assert_int_equal(reg_get(v, REG_PPR), 0);

	deliver(v, 0x40); /* one that waits needs to be told the end */
	lapic_post(v, 0x41, false);
	assert_int_equal(lapic_pending(v), -1);
	pv_eoi_withdraw(v);
	assert_true(!v->lapic.eoi_offered && *bit == 0 && in_service(v, 0x40));
	assert_int_equal(lapic_msr_write(v, MSR(REG_EOI), 0), 0);
	assert_int_equal(lapic_pending(v), 0x41);
	lapic_accept(v, 0x41);
	pv_eoi_offer(v);
	assert_true(v->lapic.eoi_offered && *bit == 1);
	assert_int_equal(lapic_msr_write(v, MSR(REG_EOI), 0), 0); /* told all the same */
	assert_true(!v->lapic.eoi_offered && *bit == 0 && !in_service(v, 0x41));
	assert_int_equal(v->pv_eois, 1);
	check(v);
}

static void test_eoi_not_offered(void **state)
{
	struct vcpu *v = V(0);

	assert_int_equal(msr_guest_write(v, KVM_EOI, AT | 1), 0);
	lapic_post(v, 0x40, true); /* a device waits for the end of a level-triggered one */
	assert_int_equal(lapic_pending(v), 0x40);
	lapic_accept(v, 0x40);
	pv_eoi_offer(v);
	assert_false(v->lapic.eoi_offered);
	deliver(v, 0x55); /* two in service, in words of their own and in one */
	assert_false(v->lapic.eoi_offered);
	assert_int_equal(lapic_msr_write(v, MSR(REG_EOI), 0), 0);
	assert_int_equal(lapic_msr_write(v, MSR(REG_EOI), 0), 0);
	deliver(v, 0x40);
	pv_eoi_withdraw(v);
	deliver(v, 0x50);
	assert_false(v->lapic.eoi_offered);
	lapic_reset(v, false);
	assert_int_equal(lapic_msr_write(v, MSR(REG_SVR), 0x1ff), 0);
	fake_guest.writes = 0;
	deliver(v, 0x40); /* after INIT it is not enabled */
	assert_int_equal(fake_guest.writes, 0);
	assert_int_equal(lapic_msr_write(v, MSR(REG_EOI), 0), 0);
	for (u32 i = 13; i < 64; i++) { /* no memory there */
		assert_int_equal(msr_guest_write(v, KVM_EOI, BIT(i) | 1), 0);
		deliver(v, 0x40);
		assert_false(v->lapic.eoi_offered);
		assert_int_equal(lapic_msr_write(v, MSR(REG_EOI), 0), 0);
	}
}

static void test_steal_hostile(void **state)
{
	struct vcpu *v = V(0);

	for (u64 bit = 2; bit < 64; bit <<= 1)
		assert_int_equal(msr_guest_write(v, KVM_STEAL, AT | 1 | bit), bit < 0x40 ? ERR_INVAL : 0);
	for (u32 i = 6; i < 64; i++) { /* nowhere, and over the end */
		assert_int_equal(msr_guest_write(v, KVM_STEAL, BIT(i) | 1), 0);
		steal_preempted(v);
		assert_int_equal(steal_update(v), 0);
	}
	assert_int_equal(msr_guest_write(v, KVM_STEAL, FAKE_MEMORY - 64 + 1), 0);
	assert_int_equal(msr_guest_write(v, KVM_STEAL, ~0ull & ~0x3eull), 0);
	assert_int_equal(steal_update(v), 0);
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
		cmocka_unit_test_setup(test_flush, setup), cmocka_unit_test_setup(test_eoi, setup),
		cmocka_unit_test_setup(test_eoi_not_offered, setup),
		cmocka_unit_test_setup(test_ipi, setup), cmocka_unit_test_setup(test_kick, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
