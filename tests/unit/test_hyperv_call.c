/* Hyper-V's hypercalls: status codes, IPIs and flushes by mask and by set.  Any register is survived. */
/* links: kernel/hyperv_cpuid.c kernel/hyperv_msr.c kernel/hyperv_clock.c kernel/hyperv_synic.c kernel/hyperv_timer.c
 * kernel/hyperv_call.c kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c
 * kernel/cpuid.c kernel/cpuid_policy.c kernel/msr.c kernel/kvmclock.c kernel/steal.c tests/unit/fake_vcpu.c
 * tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

#define PAGE1 0x1000

static struct vcpu_page page;

static int setup(void **state)
{
	lapic_setup(state);
	start(4, true);
	fake_guest.hyperv = (struct hyperv_guest){ .mode = HYPERV_ON };
	V(0)->page = &page;
	fake_code = (struct virt_code){ .mode = MODE_LONG };
	return 0;
}

static u64 call(u64 value, u64 input, u64 output)
{
	u64 *gpr = V(0)->page->gpr;
	bool spins = false;

	gpr[GPR_RCX] = value, gpr[GPR_RDX] = input, gpr[8] = output;
	assert_int_equal(hyperv_call(V(0), &spins), 0);
	assert_int_equal(spins, (u16)value == 8 && !gpr[GPR_RAX]);
	return gpr[GPR_RAX];
}

static void test_calls(void **state)
{
	u64 *at = (u64 *)(fake_guest.memory + PAGE1);

	assert_int_equal(call(8, PAGE1, 0), 0);
	assert_int_equal(call(9, PAGE1, 0), 2);
	assert_int_equal(call(8 | BIT(31), 0, 0), 3);
	assert_int_equal(call(8 | 1ull << 17, 0, 0), 3);
	assert_int_equal(call(0xb | BIT(16), 0x50, 0xe), 0);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(lapic_pending(V(i)), i ? 0x50 : -1);
	at[0] = 0x51, at[1] = UINT64_MAX;
	assert_int_equal(call(0xb, PAGE1, 0), 0);
	assert_int_equal(lapic_pending(V(0)), 0x51);
	assert_int_equal(call(0xb, PAGE1 + 4, 0), 4);
	assert_int_equal(call(0xb, PAGE1 + 4096 - 8, 0), 4);
	assert_int_equal(call(0xb, FAKE_MEMORY, 0), 3);
	assert_int_equal(call(0xb | BIT(16), 15, 1), 5);
	assert_int_equal(call(0xb | BIT(16), 256, 1), 5);
	at[0] = 0x52, at[1] = 0, at[2] = 1 | BIT(63), at[3] = 4, at[4] = 99;
	assert_int_equal(call(0x15 | 2ull << 17, PAGE1, 0), 0);
	assert_int_equal(lapic_pending(V(2)), 0x52);
	assert_int_equal(call(0x15 | 1ull << 17, PAGE1, 0), 5);
}

static void test_flushes(void **state)
{
	u64 *at = (u64 *)(fake_guest.memory + PAGE1);

	at[0] = 0, at[1] = 0, at[2] = 4 | BIT(63);
	for (u32 i = 0; i < 4; i++)
		V(i)->requests = 0;
	assert_int_equal(call(2, PAGE1, 0), 0);
	assert_true(V(2)->requests == REQUEST_FLUSH && !V(1)->requests);
	at[1] = 1, at[2] = 0;
	assert_int_equal(call(3 | 7ull << 32, PAGE1, 0), 7ull << 32);
	assert_true(V(0)->requests == REQUEST_FLUSH && V(3)->requests == REQUEST_FLUSH);
	at[1] = 0, at[2] = 0, at[3] = 1, at[4] = 8;
	V(2)->requests = V(3)->requests = 0;
	assert_int_equal(call(0x14 | 1ull << 32 | 1ull << 17, PAGE1, 0), 1ull << 32);
	assert_true(V(3)->requests == REQUEST_FLUSH && !V(2)->requests);
	assert_int_equal(call(3, PAGE1, 0), 3);
	assert_int_equal(call(2 | 1ull << 32, PAGE1, 0), 3);
	assert_int_equal(call(2 | 1ull << 17, PAGE1, 0), 3);
	assert_int_equal(call(2 | BIT(16), PAGE1, 0), 3);
}

static void test_modes(void **state)
{
	bool spins = false;

	fake_code.cpl = 3;
	assert_int_equal(hyperv_call(V(0), &spins), ERR_INVAL);
	fake_code = (struct virt_code){ .mode = MODE_REAL };
	assert_int_equal(hyperv_call(V(0), &spins), ERR_INVAL);
	fake_code.mode = MODE_PROT32; /* EDX:EAX, EBX:ECX, EDI:ESI */
	V(0)->page->gpr[GPR_RAX] = 0xb | BIT(16), V(0)->page->gpr[GPR_RDX] = 0xdeadbeef00000000;
	V(0)->page->gpr[GPR_RBX] = 0, V(0)->page->gpr[GPR_RCX] = 0x53;
	V(0)->page->gpr[GPR_RDI] = 0, V(0)->page->gpr[GPR_RSI] = 8;
	assert_int_equal(hyperv_call(V(0), &spins), 0);
	assert_true(!V(0)->page->gpr[GPR_RAX] && !V(0)->page->gpr[GPR_RDX]);
	assert_int_equal(lapic_pending(V(3)), 0x53);
}

/* KVM's hypercalls are made until the guest says who it is. */
static void test_whose(void **state)
{
	assert_false(hyperv_calls(V(0)));
	assert_int_equal(msr_guest_write(V(0), 0x40000000, 1), 0);
	assert_true(hyperv_calls(V(3)));
	fake_guest.hyperv.mode = HYPERV_OFF;
	assert_false(hyperv_calls(V(0)));
}

static void test_random(void **state)
{
	for (u32 i = 0; i < 200000; i++) {
		u64 *gpr = page.gpr;
		bool spins;

		for (u32 n = 0; n < 16; n++)
			gpr[n] = (u64)random() * (u64)random();
		if (random() & 1)
			gpr[GPR_RCX] = (u64)random() % 0x18 | (random() & 1 ? 1ull << 32 : 0) | (u64)(random() & 3) << 16;
		if (random() & 1)
			gpr[GPR_RDX] = (u64)random() % (FAKE_MEMORY + 64) & ~7ull;
		fake_code = (struct virt_code){ .mode = (u8)(random() % 5), .cpl = (u8)(random() % 8 == 0) };
		(void)!hyperv_call(V(0), &spins);
		memcpy(fake_guest.memory + (u32)random() % (FAKE_MEMORY - 8), &gpr[5], 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_calls, setup), cmocka_unit_test_setup(test_flushes, setup),
		cmocka_unit_test_setup(test_modes, setup), cmocka_unit_test_setup(test_whose, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
