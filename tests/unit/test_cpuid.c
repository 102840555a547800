/* The guest's CPUID: what is hidden, what is added, topology, extended state, on hosts of both vendors. */
/* links: kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c kernel/cpuid.c
 * kernel/cpuid_policy.c kernel/hyperv_cpuid.c tests/unit/fake_vcpu.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/cpuid.h"
#include "tests/unit/fake_vcpu.h"

#define V(i) (&fake_guest.vcpus[i])
#define B(n) (1u << (n))

/* A host that has every bit of every leaf, with sane numbers where numbers stand. */
static bool host_is_amd;
static u32 host_xcr0;

static struct cpuid state_of(u32 i)
{
	switch (i) {
	case 0: return (struct cpuid){ host_xcr0, 576, 2696, 0 };
	case 1: return (struct cpuid){ ~0u, 576, ~0u, ~0u };
	case 2: return (struct cpuid){ 256, 576, 0, 0 };
	case 5: return (struct cpuid){ 64, 1088, 0, 0 };
	case 6: return (struct cpuid){ 512, 1152, 0, 0 };
	case 7: return (struct cpuid){ 1024, 1664, 0, 0 };
	case 9: return (struct cpuid){ 8, 2688, 0, 0 };
	default: return (struct cpuid){ 64, 4096, ~0u, ~0u };
	}
}

static struct cpuid host(u32 leaf, u32 subleaf)
{
	switch (leaf) {
	case 0:
		if (host_is_amd)
			return (struct cpuid){ 0x10, 0x68747541, 0x444d4163, 0x69746e65 };
		return (struct cpuid){ 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69 };
	case 4: case 0x8000001d:
		if (subleaf < 4)
			return (struct cpuid){ ~0x3ffu | (subleaf < 2 ? 1 : subleaf) << 5 | 1, 7, 63, 0 };
		return (struct cpuid){ 0 };
	case 7:
		return subleaf ? (struct cpuid){ ~0u, ~0u, ~0u, ~0u } : (struct cpuid){ 2, ~0u, ~0u, ~0u };
	case 0xd: return state_of(subleaf);
	case 0x80000000: return (struct cpuid){ 0x80000023, 0, 0, 0 };
	case 0x80000008: return (struct cpuid){ 0x00303930, ~0u, ~0u, ~0u };
	default: return (struct cpuid){ ~0u, ~0u, ~0u, ~0u };
	}
}

static void init(bool amd, u64 xcr0, u32 vcpus)
{
	fake_start(vcpus);
	host_is_amd = amd;
	host_xcr0 = 0x602e7;
	cpuid_init(host, xcr0);
}

static struct cpuid get(u32 vcpu, u32 leaf, u32 subleaf)
{
	return cpuid_guest(V(vcpu), leaf, subleaf);
}

static bool is_zero(struct cpuid r)
{
	return !(r.eax | r.ebx | r.ecx | r.edx);
}

static void test_hidden(void **state)
{
	static const struct { u32 leaf; u32 ecx, edx, ebx; } hidden[] = {
		/* monitor vmx smx est pdcm dca; acpi tm ds pbe */
		{ 1, B(3) | B(5) | B(6) | B(7) | B(15) | B(18) | B(2) | B(8), B(21) | B(22) | B(29) | B(31), 0 },
		/* waitpkg cet la57 bus_lock enqcmd pks; amx, spec_ctrl stibp ssbd ibt; hle rtm sgx mpx pt */
		{ 7, B(5) | B(7) | B(16) | B(24) | B(29) | B(31),
		  B(20) | B(22) | B(24) | B(25) | B(26) | B(27) | B(29) | B(31),
		  B(2) | B(4) | B(11) | B(12) | B(14) | B(15) | B(25) },
		/* svm ibs osvw wdt lwp perfctr mwaitx */
		{ 0x80000001, B(2) | B(3) | B(9) | B(10) | B(12) | B(13) | B(15) | B(23) | B(24) | B(29), 0, 0 },
		{ 0x80000007, ~0u, ~B(8), ~0u },
		{ 0x80000008, 0, ~0u, ~(B(0) | B(2) | B(9)) },
	};
	static const u32 empty[] = {
		3, 5, 8, 9, 0xa, 0xc, 0xe, 0xf, 0x10, 0x12, 0x14, 0x17, 0x1d, 0x1f, 0x40000002, 0x400000ff,
		0x7fffffff,
		0x8000000a, 0x8000001b, 0x8000001c, 0x8000001f, 0x80000020, 0x80000022, 0x8fffffff, 0xc0000000, ~0u,
	};

	for (int amd = 0; amd < 2; amd++) {
		init(amd, ~0ull, 2);
		for (u32 i = 0; i < ARRAY_SIZE(hidden); i++) {
			struct cpuid r = get(0, hidden[i].leaf, 0);

			assert_int_equal(r.ecx & hidden[i].ecx, 0);
			assert_int_equal(r.edx & hidden[i].edx, 0);
			assert_int_equal(r.ebx & hidden[i].ebx, 0);
		}
		for (u32 i = 0; i < ARRAY_SIZE(empty); i++)
			assert_true(is_zero(get(0, empty[i], 0)));
		assert_int_equal(get(0, 7, 1).eax, B(4) | B(5) | B(10) | B(11) | B(12));
		assert_true(is_zero(get(0, 7, 2)));
	}
}

static void test_added(void **state)
{
	struct cpuid r;

	init(true, 7, 1);
	r = get(0, 0, 0);
	assert_int_equal(r.eax, 0xd);
	assert_int_equal(r.ebx, 0x68747541);
	r = get(0, 1, 0);
	assert_int_equal(r.ecx & (B(21) | B(24) | B(31)), B(21) | B(24) | B(31));
	assert_int_equal(r.edx & (B(9) | B(12)), B(9) | B(12));
	assert_int_equal(r.edx & B(28), 0); /* HTT needs two */
	r = get(0, 0x40000000, 0);
	assert_memory_equal(&r.ebx, "KVMKVMKVM\0\0\0", 12 - 8); /* registers are in the order ebx, ecx, edx */
	assert_int_equal(r.ecx, 0x564b4d56);
	assert_int_equal(r.edx, 0x4d);
	assert_true(r.eax >= 0x40000001);
	assert_int_equal(get(0, 0x40000001, 0).eax, B(0) | B(1) | B(3) | B(5) | B(6) | B(7) | B(9) | B(11) | B(24));
	assert_int_equal(get(0, 0x40000010, 0).eax, 2000000);
	assert_int_equal(cpuid_phys_bits(), 48);
	assert_int_equal(get(0, 0x80000008, 0).eax, 0x3030); /* 48 linear although the host says 57 */
}

/* Bits that mirror the guest's own registers. */
static void test_mirrored(void **state)
{
	init(false, ~0ull, 1);
	assert_int_equal(get(0, 1, 0).ecx & B(27), 0);
	assert_int_equal(get(0, 7, 0).ecx & B(4), 0);
	fake_guest.cr4 = CR4_OSXSAVE | CR4_PKE;
	assert_int_equal(get(0, 1, 0).ecx & B(27), B(27));
	assert_int_equal(get(0, 7, 0).ecx & B(4), B(4));
	assert_int_equal(lapic_base_write(V(0), 0xfee00000), 0);
	assert_int_equal(get(0, 1, 0).edx & B(9), 0);
}

static void test_topology(void **state)
{
	static const struct { u32 count, bits; } sizes[] = {
		{ 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 2 }, { 6, 3 }, { 64, 6 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 count = sizes[i].count, bits = sizes[i].bits, last = count - 1;

		init(false, 7, count);
		assert_int_equal(get(last, 1, 0).ebx >> 24, last);
		assert_int_equal(get(last, 1, 0).ebx >> 16 & 0xff, count);
		assert_int_equal(get(last, 1, 0).edx >> 28 & 1, count > 1);
		assert_int_equal(get(last, 0xb, 0).eax, 0);
		assert_int_equal(get(last, 0xb, 0).ebx, 1);
		assert_int_equal(get(last, 0xb, 0).ecx, 0x100);
		assert_int_equal(get(last, 0xb, 1).eax, bits);
		assert_int_equal(get(last, 0xb, 1).ebx, count);
		assert_int_equal(get(last, 0xb, 1).ecx, 0x201);
		assert_int_equal(get(last, 0xb, 2).ebx, 0);
		for (u32 level = 0; level < 3; level++)
			assert_int_equal(get(last, 0xb, level).edx, last);
		assert_int_equal(get(last, 4, 0).eax >> 26, (1u << bits) - 1);
		assert_int_equal(get(last, 4, 0).eax >> 14 & 0xfff, 0);
		assert_int_equal(get(last, 4, 3).eax >> 14 & 0xfff, (1u << bits) - 1);
		assert_true(is_zero(get(last, 4, 4)));

		init(true, 7, count);
		assert_true(is_zero(get(last, 4, 0)));
		assert_int_equal(get(last, 0x80000001, 0).ecx >> 1 & 1, count > 1);
		assert_int_equal(get(last, 0x80000008, 0).ecx, bits << 12 | last);
		assert_int_equal(get(last, 0x8000001d, 3).eax >> 14, (1u << bits) - 1);
		assert_int_equal(get(last, 0x8000001d, 1).eax >> 14, 0);
		assert_int_equal(get(last, 0x8000001e, 0).eax, last);
		assert_int_equal(get(last, 0x8000001e, 0).ebx, last);
		assert_int_equal(get(last, 0x8000001e, 0).ecx, 0);
	}
}

static void test_xsave(void **state)
{
	struct cpuid r;

	init(false, ~0ull, 1);
	assert_int_equal(cpuid_guest_xcr0(V(0)), 0x2e7); /* no AMX */
	fake_guest.xcr0 = 1;
	r = get(0, 0xd, 0);
	assert_int_equal(r.eax, 0x2e7);
	assert_int_equal(r.ebx, 576);
	assert_int_equal(r.ecx, 2696);
	fake_guest.xcr0 = 7;
	assert_int_equal(get(0, 0xd, 0).ebx, 832);
	fake_guest.xcr0 = 0xe7;
	assert_int_equal(get(0, 0xd, 0).ebx, 2688);
	assert_int_equal(get(0, 0xd, 1).ebx, 576 + 256 + 64 + 512 + 1024);
	assert_int_equal(get(0, 0xd, 1).eax, 7); /* not XSAVES */
	assert_int_equal(get(0, 0xd, 1).ecx | get(0, 0xd, 1).edx, 0);
	assert_int_equal(get(0, 0xd, 2).eax, 256);
	assert_true(is_zero(get(0, 0xd, 3)) && is_zero(get(0, 0xd, 17)) && is_zero(get(0, 0xd, 63)));
	assert_true(is_zero(get(0, 0xd, 0xffffffff)));
	assert_int_equal(get(0, 7, 0).ebx & B(16), B(16));

	init(false, 7, 1); /* no AVX-512, no keys */
	assert_int_equal(cpuid_guest_xcr0(V(0)), 7);
	assert_int_equal(get(0, 7, 0).ebx & (B(16) | B(17) | B(30) | B(31)), 0);
	assert_int_equal(get(0, 7, 0).ecx & (B(1) | B(3) | B(6) | B(11)), 0);
	assert_int_equal(get(0, 7, 0).ebx & B(5), B(5));
	assert_int_equal(cpuid_guest_cr4(V(0)) & CR4_PKE, 0);

	init(true, 3, 1); /* no AVX */
	assert_int_equal(get(0, 1, 0).ecx & (B(12) | B(26) | B(28) | B(29)), B(26));
	assert_int_equal(get(0, 7, 0).ebx & B(5), 0);
	assert_int_equal(get(0, 0x80000001, 0).ecx & (B(11) | B(16)), 0);

	init(true, 0, 1); /* no XSAVE at all */
	assert_int_equal(get(0, 1, 0).ecx & (B(26) | B(28)), 0);
	assert_true(is_zero(get(0, 0xd, 0)) && is_zero(get(0, 0xd, 1)));
	assert_int_equal(cpuid_guest_cr4(V(0)) & CR4_OSXSAVE, 0);
}

static void test_registers(void **state)
{
	init(true, 7, 1);
	assert_int_equal(cpuid_guest_efer(V(0)), EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR);
	assert_int_equal(cpuid_guest_cr4(V(0)) & (CR4_VMXE | CR4_LA57 | CR4_CET | BIT(14)), 0);
	assert_int_equal(cpuid_guest_cr4(V(0)) & (CR4_SMEP | CR4_SMAP | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE),
			 CR4_SMEP | CR4_SMAP | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE);
}

/* Linux computes crystal_khz * ebx / eax in 32 bits. */
static void test_frequency(void **state)
{
	static const u64 rates[] = {
		1000000000, 1999999999, 2000000000, 2112000000, 2893202000, 3699854123, 4200000001, 50000000,
		799999999,
	};

	for (u32 i = 0; i < ARRAY_SIZE(rates); i++) {
		struct cpuid r;
		u64 khz, exact = rates[i] / 1000, ppm = rates[i] / 1000000000 + 1; /* in kHz */

		fake_start(1);
		host_is_amd = false;
		fake_hz = rates[i];
		cpuid_init(host, 7);
		r = get(0, 0x15, 0);
		assert_int_equal(r.ecx, LAPIC_BUS_HZ);
		assert_true((u64)(r.ecx / 1000) * r.ebx <= UINT32_MAX);
		khz = r.ecx / 1000 * r.ebx / r.eax;
		assert_in_range(khz, exact - ppm, exact + ppm);
		assert_int_equal(get(0, 0x16, 0).eax, rates[i] / 1000000);
		assert_int_equal(get(0, 0, 0).eax, 0x16);
	}
	init(true, 7, 1);
	assert_true(is_zero(get(0, 0x15, 0)));
}

/* A processor that has nothing, and this machine's own. */
static struct cpuid host_nothing(u32 leaf, u32 subleaf)
{
	return (struct cpuid){ 0 };
}

static void test_hosts(void **state)
{
	fake_start(64);
	cpuid_init(host_nothing, ~0ull);
	assert_int_equal(cpuid_phys_bits(), 36);
	assert_int_equal(cpuid_guest_xcr0(V(0)), 0);
	for (u32 i = 0; i < 0x30; i++)
		for (u32 subleaf = 0; subleaf < 70; subleaf++) {
			get(63, i, subleaf);
			get(63, 0x80000000 + i, subleaf);
		}
	cpuid_init(cpuid, ~0ull);
	for (u32 i = 0; i < 1000; i++)
		get(rand() % 64, (u32)rand() << rand() % 4, (u32)rand());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden), cmocka_unit_test(test_added), cmocka_unit_test(test_mirrored),
		cmocka_unit_test(test_topology), cmocka_unit_test(test_xsave), cmocka_unit_test(test_registers),
		cmocka_unit_test(test_frequency), cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
