/* CPUID: what must be shown, what must be hidden, and that its leaves agree with each other. */
#include "tests/guests/cpu/cpu.h"

static bool signature(struct cpuid c, u32 b, u32 cc, u32 d)
{
	return c.ebx == b && c.ecx == cc && c.edx == d;
}

static void test_hypervisor_leaves(void)
{
	struct cpuid c = cpuid(0x40000000, 0);

	check(cpuid(1, 0).ecx >> 31, "cpuid: hypervisor bit");
	check(signature(c, 0x4b4d564b, 0x564b4d56, 0x4d), "cpuid: KVM signature");
	check(c.eax >= 0x40000001 && c.eax < 0x40010000, "cpuid: highest hypervisor leaf");
}

static void test_topology(u32 vcpus)
{
	struct cpuid smt = cpuid(0xb, 0), core = cpuid(0xb, 1);

	check_equal(cpuid(1, 0).ebx >> 24, lapic_id(), "cpuid: APIC id of leaf 1");
	check_equal(smt.edx, lapic_id(), "cpuid: APIC id of leaf 0bh");
	if (vcpus > 1)
		check_equal((cpuid(1, 0).ebx >> 16) & 0xff, vcpus, "cpuid: processors of leaf 1");
	check_equal(core.ebx & 0xffff, vcpus, "cpuid: processors of leaf 0bh");
	check((core.eax & 31) >= (smt.eax & 31) && 1u << (core.eax & 31) >= vcpus, "cpuid: shifts of leaf 0bh");
	check_equal(cpuid(0xb, 2).ebx & 0xffff, 0, "cpuid: end of leaf 0bh");
}

static void test_features(void)
{
	struct cpuid one = cpuid(1, 0), extended = cpuid(0x80000001, 0);

	check((one.edx & 0x0781abff & ~0x20000u) == (0x0781abff & ~0x20000u) || (one.edx & 0x78000) != 0,
	      "cpuid: a 64-bit processor's features");
	check(extended.edx >> 29 & 1 && extended.edx >> 20 & 1, "cpuid: long mode and NX");
	check(!(extended.ecx & 1 << 2), "cpuid: SVM is hidden");
	check(!(one.ecx & 1 << 5), "cpuid: VMX is hidden");
	check(one.ecx & 1 << 21, "cpuid: x2APIC");
	check(one.ecx & 1 << 24, "cpuid: TSC deadline");
	check(cpuid(0x80000000, 0).eax >= 0x80000008, "cpuid: highest extended leaf");
	check((cpuid(0x80000008, 0).eax & 0xff) >= 36, "cpuid: physical address width");
}

/* OSXSAVE and the APIC bit follow CR4 and the APIC's enable bit. */
static void test_live_bits(void)
{
	u64 cr4 = READ_REG(cr4);

	if (cpuid(1, 0).ecx & 1 << 26) {
		check(!(cpuid(1, 0).ecx & 1 << 27), "cpuid: OSXSAVE off");
		WRITE_REG(cr4, cr4 | 1 << 18);
		check(cpuid(1, 0).ecx & 1 << 27, "cpuid: OSXSAVE on");
		check_equal(cpuid(0xd, 0).ebx, 576, "cpuid: XSAVE size of x87 and SSE");
		WRITE_REG(cr4, cr4);
	}
	check(cpuid(1, 0).edx & 1 << 9, "cpuid: APIC");
}

void test_cpuid(void)
{
	check(cpuid(0, 0).eax >= 0xd, "cpuid: highest leaf");
	test_hypervisor_leaves();
	test_topology(option("vcpus=", 1));
	test_features();
	test_live_bits();
}
