/* Leaves and registers: what there is, what is read-only, what faults. */
#include "tests/guests/hyperv/hyperv.h"

static u8 code[PAGE] __attribute__((aligned(PAGE)));

static bool is_named(u32 leaf, u32 b, u32 c, u32 d)
{
	struct cpuid r = cpuid(leaf, 0);

	return r.ebx == b && r.ecx == c && r.edx == d;
}

static void test_leaves(void)
{
	bool kvm = is_named(0x40000100, 0x4b4d564b, 0x564b4d56, 0x4d);
	struct cpuid features = cpuid(0x40000003, 0), hints = cpuid(0x40000004, 0);

	check(is_named(0x40000000, 0x7263694d, 0x666f736f, 0x76482074), "leaf 40000000h says Microsoft Hv");
	check(cpuid(0x40000000, 0).eax >= 0x4000000a, "leaves up to 4000000Ah");
	check_equal(cpuid(0x40000001, 0).eax, 0x31237648, "leaf 40000001h says Hv#1");
	check((features.eax & 0xafe) == 0xafe, "privileges: counter, SynIC, timers, APIC, hypercalls, reset, TSC, rates");
	check(!features.ebx, "no privileges for messages and events");
	check((features.edx & 0x80500) == 0x80500, "frequencies, crash registers, direct timers");
	check((hints.eax & 0x28) == 0x28, "hints: APIC by MSR, relaxed timing");
	check(hints.ebx && hints.ebx != ~0u, "hints: spins before it is told");
	check(kvm == !option_set("only"), "KVM's leaves follow at 40000100h, if wanted");
	check(kvm || !cpuid(0x40000101, 0).eax, "KVM's features are not there without them");
}

static void test_hypercall_page(void)
{
	wrmsr(MSR_OS_ID, 0);
	wrmsr(MSR_HYPERCALL, page_msr(code));
	check_equal(rdmsr(MSR_HYPERCALL), (u64)code, "hypercall page: none for nobody");
	wrmsr(MSR_OS_ID, 0x8100 << 16);
	check(faults_write(MSR_HYPERCALL, 0xffffff000 | ENABLED), "hypercall page: where no memory is faults");
	wrmsr(MSR_HYPERCALL, page_msr(code));
	check_equal(rdmsr(MSR_HYPERCALL), page_msr(code), "hypercall page: enabled");
	check(code[0] == 0x0f && code[1] == 0x01 && code[3] == 0xc3, "hypercall page: has code");
	wrmsr(MSR_OS_ID, 0);
	check_equal(rdmsr(MSR_HYPERCALL), (u64)code, "hypercall page: gone with the identity");
}

void test_registers(void)
{
	static const u32 read_only[] = { MSR_VP_INDEX, MSR_TIME, MSR_TSC_FREQUENCY, MSR_APIC_FREQUENCY,
					 MSR_SYNIC_VERSION };
	static const u32 absent[] = { 0x40000004, 0x40000010, 0x40000024, 0x40000085, 0x400000a0, 0x400000b8,
				      0x400000f0, 0x40000106 };
	u32 good = 0;

	test_leaves();
	for (u32 i = 0; i < ARRAY_SIZE(read_only); i++)
		good += !faults_read(read_only[i]) && faults_write(read_only[i], 1);
	check_equal(good, ARRAY_SIZE(read_only), "read-only registers");
	good = 0;
	for (u32 i = 0; i < ARRAY_SIZE(absent); i++)
		good += faults_read(absent[i]) && faults_write(absent[i], 0);
	check_equal(good, ARRAY_SIZE(absent), "registers that are not there");
	check(faults_read(MSR_EOI), "EOI cannot be read");
	check_equal(rdmsr(MSR_VP_INDEX), 0, "VP index");
	check_equal(rdmsr(MSR_RESET), 0, "reset reads 0");
	wrmsr(MSR_RESET, 0);
	wrmsr(MSR_CRASH + 4, 0x1234567890);
	check_equal(rdmsr(MSR_CRASH + 4), 0x1234567890, "crash parameter");
	check_equal(rdmsr(MSR_CRASH_CONTROL), 1ull << 63, "crash control says what it can");
	test_hypercall_page();
}
