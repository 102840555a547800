/* The guest's MSRs and its paravirtual clock. */
/* links: kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c kernel/cpuid.c
 * kernel/cpuid_policy.c kernel/msr.c kernel/kvmclock.c kernel/steal.c
 * kernel/hyperv_cpuid.c kernel/hyperv_msr.c kernel/hyperv_clock.c
 * kernel/hyperv_synic.c kernel/hyperv_timer.c tests/unit/fake_vcpu.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/cpuid.h"
#include "kernel/kvmclock.h"
#include "tests/unit/fake_vcpu.h"

#define V(i) (&fake_guest.vcpus[i])
#define CANONICAL_HIGH 0xffff800000000000ull

static bool host_is_amd;

static struct cpuid host(u32 leaf, u32 subleaf)
{
	switch (leaf) {
	case 0:
		if (host_is_amd)
			return (struct cpuid){ 0xd, 0x68747541, 0x444d4163, 0x69746e65 };
		return (struct cpuid){ 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 };
	case 0x80000000: return (struct cpuid){ 0x80000008, 0, 0, 0 };
	case 0x80000008: return (struct cpuid){ 0x3028, 0, 0, 0 };
	default: return (struct cpuid){ ~0u, ~0u, ~0u, ~0u };
	}
}

static void start(bool amd)
{
	host_is_amd = amd;
	fake_start(2);
	cpuid_init(host, 7);
	msr_reset(V(0));
	msr_reset(V(1));
}

static int setup(void **state)
{
	start(true);
	return 0;
}

static u64 rd(u32 msr)
{
	u64 value = 0xdead;

	assert_int_equal(msr_guest_read(V(0), msr, &value), 0);
	return value;
}

static int wr(u32 msr, u64 value)
{
	return msr_guest_write(V(0), msr, value);
}

static bool has(u32 msr)
{
	u64 value;

	return msr_guest_read(V(0), msr, &value) == 0;
}

static void test_unknown(void **state)
{
	static const u32 unknown[] = {
		0, 2, 0x3a, 0x48, 0x49, 0x10a, 0x10b, 0xc1, 0x186, 0x38f, 0x210, 0x257, 0x25a, 0x267, 0x270, 0x300,
		0x480, 0x400, 0x7ff, 0x800, 0x8ff, 0x900, 0xda0, 0x4b564d02, 0x4b564d06, 0xc0000085, 0xc0010114,
		0xc0010117, 0xc0010000, 0xc0010140, 0xdeadbeef, ~0u,
	};

	for (u32 i = 0; i < ARRAY_SIZE(unknown); i++) {
		assert_false(has(unknown[i]));
		assert_int_equal(wr(unknown[i], 0), ERR_INVAL);
	}
}

static void test_vendors(void **state)
{
	static const u32 amd[] = {
		0xc0010010, 0xc0010015, 0xc001001f, 0xc0010112, 0xc0010113, 0xc0011029, 0xc0011020,
	};
	static const u32 intel[] = { 0x17, 0x198, 0x199 };

	for (u32 i = 0; i < ARRAY_SIZE(amd); i++)
		assert_true(has(amd[i]) && wr(amd[i], rd(amd[i])) == 0);
	for (u32 i = 0; i < ARRAY_SIZE(intel); i++)
		assert_false(has(intel[i]));
	assert_int_equal(rd(0xc0010015), BIT(24));
	assert_int_equal(rd(0xc0011029), 2);
	start(false);
	for (u32 i = 0; i < ARRAY_SIZE(amd); i++)
		assert_false(has(amd[i]));
	for (u32 i = 0; i < ARRAY_SIZE(intel); i++)
		assert_true(has(intel[i]));
	assert_int_equal(wr(0x8b, 0), 0); /* how Linux asks for the microcode's revision */
	assert_int_equal(rd(0x8b), 0x100000000);
}

static void test_mtrr(void **state)
{
	assert_int_equal(rd(0xfe) & 0xff, 8);
	assert_int_equal(rd(0x2ff), 0xc06);
	assert_int_equal(rd(0x259), 0);
	assert_int_equal(rd(0x250), 0x0606060606060606);
	assert_int_equal(wr(0xfe, 0), ERR_INVAL);
	for (u32 i = 0; i < 8; i++) {
		assert_int_equal(wr(0x200 + 2 * i, (u64)i << 20 | 6), 0);
		assert_int_equal(wr(0x201 + 2 * i, 0xfffff00800), 0);
	}
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(rd(0x200 + 2 * i), (u64)i << 20 | 6);
	assert_int_equal(wr(0x200, 2), ERR_INVAL);
	assert_int_equal(wr(0x200, 0x106), ERR_INVAL);
	assert_int_equal(wr(0x200, BIT(40) | 6), ERR_INVAL);
	assert_int_equal(wr(0x201, BIT(40)), ERR_INVAL);
	assert_int_equal(wr(0x201, 1), ERR_INVAL);
	assert_int_equal(wr(0x268, 0x0101010101010102), ERR_INVAL);
	assert_int_equal(wr(0x26f, 0x0005040100050401), 0);
	assert_int_equal(rd(0x26f), 0x0005040100050401);
	assert_int_equal(wr(0x2ff, 0xc07), ERR_INVAL);
	assert_int_equal(wr(0x2ff, 0x1c06), ERR_INVAL);
	assert_int_equal(wr(0x2ff, 0x800), 0);
}

static void test_hardware(void **state)
{
	u64 value;

	assert_int_equal(rd(MSR_PAT), 0x0007040600070406);
	assert_int_equal(wr(MSR_PAT, 0x0007010600070106), 0);
	assert_int_equal(fake_msr(MSR_PAT, &value), 0);
	assert_int_equal(value, 0x0007010600070106);
	assert_int_equal(wr(MSR_PAT, 0x0007040600070402), ERR_INVAL);
	assert_int_equal(wr(MSR_PAT, 0x0807040600070406), ERR_INVAL);
	for (u32 msr = MSR_FS_BASE; msr <= MSR_KERNEL_GS_BASE; msr++) {
		assert_int_equal(wr(msr, CANONICAL_HIGH), 0);
		assert_int_equal(wr(msr, 0x7fffffffffff), 0);
		assert_int_equal(wr(msr, 0x800000000000), ERR_INVAL);
		assert_int_equal(rd(msr), 0x7fffffffffff);
	}
	assert_int_equal(wr(MSR_LSTAR, 1ull << 63), ERR_INVAL);
	assert_int_equal(wr(MSR_SYSENTER_EIP, 1ull << 63), ERR_INVAL);
	assert_int_equal(wr(MSR_TSC_AUX, BIT(32)), ERR_INVAL);
	assert_int_equal(wr(MSR_TSC_AUX, 7), 0);
	assert_int_equal(rd(MSR_TSC_AUX), 7);
	assert_int_equal(fake_msr(MSR_TSC_AUX, &value), ERR_NOENT);
	fake_holds_tsc_aux = true;
	assert_int_equal(wr(MSR_TSC_AUX, 8), 0);
	assert_int_equal(fake_msr(MSR_TSC_AUX, &value), 0);
	assert_int_equal(value, 8);
}

static void test_efer(void **state)
{
	assert_int_equal(wr(MSR_EFER, EFER_LME | EFER_NXE | EFER_SCE), 0);
	assert_int_equal(fake_state.efer, EFER_LME | EFER_NXE | EFER_SCE);
	assert_int_equal(wr(MSR_EFER, EFER_LME | EFER_SVME), ERR_INVAL);
	assert_int_equal(wr(MSR_EFER, BIT(63)), ERR_INVAL);
	fake_state.cr0 = CR0_PG;
	fake_state.efer |= EFER_LMA;
	assert_int_equal(wr(MSR_EFER, EFER_NXE), ERR_INVAL); /* LME with paging on */
	assert_int_equal(wr(MSR_EFER, EFER_LME), 0);
	assert_int_equal(rd(MSR_EFER), EFER_LME | EFER_LMA); /* LMA is the processor's */
}

static void test_apic(void **state)
{
	assert_int_equal(rd(MSR_APIC_BASE), 0xfee00900);
	assert_false(has(0x802));
	assert_int_equal(wr(MSR_APIC_BASE, 0xfee00d00), 0);
	assert_int_equal(rd(0x802), 0);
	assert_int_equal(wr(MSR_APIC_BASE, 0xfee00900), ERR_INVAL);
	assert_int_equal(wr(0x80f, 0x1ff), 0);
	assert_int_equal(wr(0x832, 0x40040), 0);
	assert_int_equal(wr(MSR_TSC_DEADLINE, fake_tsc + 100), 0);
	assert_int_equal(fake_guest.armed[0], fake_tsc + 100);
	assert_int_equal(rd(MSR_TSC_DEADLINE), fake_tsc + 100);
}

static void test_tsc(void **state)
{
	assert_int_equal(rd(MSR_TSC), fake_tsc);
	assert_int_equal(wr(MSR_TSC, 500), 0);
	fake_tsc += 10;
	assert_int_equal(rd(MSR_TSC), 510);
	assert_int_equal(rd(MSR_TSC_ADJUST), 500 - 1000000);
	assert_int_equal(wr(MSR_TSC_ADJUST, 0), 0);
	assert_int_equal(rd(MSR_TSC), fake_tsc);
	assert_int_equal(wr(MSR_TSC_ADJUST, -5ull), 0);
	assert_int_equal(rd(MSR_TSC), fake_tsc - 5);
}

/* ---- the clock, as a guest reads it ---- */

struct pvclock {
	u32 version, pad0;
	u64 tsc, ns;
	u32 mul;
	s8 shift;
	u8 flags, pad[2];
};

static u64 guest_time(const struct pvclock *p, u64 tsc)
{
	u64 delta = tsc - p->tsc;

	delta = p->shift < 0 ? delta >> -p->shift : delta << p->shift;
	return p->ns + (u64)((unsigned __int128)delta * p->mul >> 32);
}

static void test_clock(void **state)
{
	static const u64 rates[] = {
		50000000, 1000000000, 1000000001, 1999999999, 2000000000, 2893202000, 4200000000,
	};

	for (u32 i = 0; i < ARRAY_SIZE(rates); i++) {
		struct pvclock p;

		start(true);
		fake_hz = rates[i];
		fake_clock_ns = 77;
		V(0)->tsc_offset = -999999ull;
		assert_int_equal(wr(0x4b564d01, 0x101), 0);
		memcpy(&p, fake_guest.memory + 0x100, sizeof(p));
		assert_int_equal(p.flags, 1);
		assert_int_equal(p.version & 1, 0);
		assert_int_equal(p.tsc, 1);
		for (u64 seconds = 1; seconds <= 1000000; seconds *= 10) {
			u64 expected = p.ns + seconds * 1000000000, got = guest_time(&p, 1 + seconds * fake_hz);

			assert_in_range(got, expected - seconds - 1, expected + 1); /* 1 ns a second */
		}
	}
}

static void test_clock_protocol(void **state)
{
	u32 before, during[2], after;

	assert_int_equal(wr(0x12, 0x40), 0); /* not enabled */
	assert_int_equal(fake_guest.writes, 0);
	assert_int_equal(wr(0x12, 0x41), 0);
	assert_int_equal(rd(0x4b564d01), 0x41);
	memcpy(&before, fake_guest.memory + 0x40, 4);
	fake_guest.writes = 0;
	kvmclock_update(V(0));
	memcpy(&after, fake_guest.memory + 0x40, 4);
	memcpy(&during[0], fake_guest.first_write[0], 4);
	memcpy(&during[1], fake_guest.first_write[1], 4);
	assert_int_equal(fake_guest.writes, 3);
	assert_true(during[0] == during[1] && (during[0] & 1)); /* odd first, then the body, then even */
	assert_true(before < during[0] && during[0] < after && !(after & 1));
	assert_int_equal(fake_guest.memory[0x40 + 29], 1);
	kvmclock_resumed(V(0));
	assert_int_equal(fake_guest.memory[0x40 + 29], 1 | 2); /* the guest's watchdogs are told of the pause */
	assert_int_equal(wr(0x12, 0x43), ERR_INVAL);
	assert_int_equal(wr(0x12, 0xffffffff00000001), 0); /* nowhere: nothing happens to us */
	assert_int_equal(wr(MSR_TSC, 0), 0);
	assert_int_equal(wr(0x12, 0), 0);
	fake_guest.writes = 0;
	kvmclock_update(V(0));
	assert_int_equal(fake_guest.writes, 0);
}

static void test_wall_clock(void **state)
{
	struct { u32 version, sec, nsec; } w;

	assert_int_equal(wr(0x4b564d00, 0x200), 0);
	memcpy(&w, fake_guest.memory + 0x200, sizeof(w));
	assert_int_equal(w.version, 2);
	assert_int_equal(w.sec, 1700000000);
	assert_int_equal(w.nsec, 5);
	assert_int_equal(wr(0x11, ~0ull), 0);
}

static void test_random(void **state)
{
	static const u32 base[] = {
		0, 0x170, 0x200, 0x260, 0x6e0, 0x800, 0x4b564d00, 0xc0000080, 0xc0010000, 0xc0011000,
	};

	srand(3);
	for (int round = 0; round < 200000; round++) {
		u32 msr = base[rand() % ARRAY_SIZE(base)] + (u32)rand() % 0x130;
		u64 value = (u64)rand() << (rand() % 40) ^ (u64)rand();

		if (rand() % 50 == 0)
			start(rand() & 1);
		if (wr(msr, value) == 0 && msr >= 0x200 && msr < 0x270)
			assert_int_equal(rd(msr), value);
		if (has(msr))
			rd(msr);
		fake_tsc += (u32)rand() % 10000;
		assert_int_equal(fake_state.efer & EFER_SVME, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_unknown, setup), cmocka_unit_test_setup(test_vendors, setup),
		cmocka_unit_test_setup(test_mtrr, setup), cmocka_unit_test_setup(test_hardware, setup),
		cmocka_unit_test_setup(test_efer, setup), cmocka_unit_test_setup(test_apic, setup),
		cmocka_unit_test_setup(test_tsc, setup), cmocka_unit_test_setup(test_clock, setup),
		cmocka_unit_test_setup(test_clock_protocol, setup), cmocka_unit_test_setup(test_wall_clock, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
