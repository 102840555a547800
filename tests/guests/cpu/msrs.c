/* MSR policy: the architectural ones work, unknown ones and reserved bits fault. */
#include "tests/guests/cpu/cpu.h"

struct access {
	u32 msr;
	u64 value;
};

static void do_read(void *argument)
{
	struct access *a = argument;
	a->value = rdmsr(a->msr);
}

static void do_write(void *argument)
{
	struct access *a = argument;
	wrmsr(a->msr, a->value);
}

static void keeps(u32 msr, u64 value, const char *name)
{
	struct access a = { msr, 0 };
	u64 old;

	if (trap_catch(do_read, &a) != NO_FAULT) {
		check(false, name);
		return;
	}
	old = a.value;
	a.value = value;
	trap_catch(do_write, &a);
	asm volatile("outb %%al, $0x80" : : "a"(0)); /* an exit in between */
	check_equal(rdmsr(msr), value, name);
	wrmsr(msr, old);
}

static void read_faults(u32 msr, const char *name)
{
	struct access a = { msr, 0 };
	check_equal(trap_catch(do_read, &a), 13, name);
}

static void write_faults(u32 msr, u64 value, const char *name)
{
	struct access a = { msr, value };
	check_equal(trap_catch(do_write, &a), 13, name);
}

static void test_unknown(void)
{
	read_faults(0xdeadbeef, "msr: unknown read");
	check_equal(caught.error, 0, "msr: error code");
	write_faults(0x12345678, 1, "msr: unknown write");
	read_faults(0xc0010117, "msr: VM_HSAVE_PA is hidden");
	write_faults(0xc0010117, 0x1000, "msr: VM_HSAVE_PA is not written");
	read_faults(0x480, "msr: VMX is hidden");
}

void test_msrs(void)
{
	test_unknown();
	keeps(0xc0000081, 0x0023001000000000, "msr: STAR");
	keeps(0xc0000082, 0x123456789000, "msr: LSTAR");
	keeps(0xc0000083, 0x7fff12345678, "msr: CSTAR");
	keeps(0xc0000084, 0x47700, "msr: FMASK");
	keeps(0xc0000100, 0x7fff00000000, "msr: FS base");
	keeps(0xc0000101, 0xffff800000000000, "msr: GS base");
	keeps(0xc0000102, 0xffff900000000000, "msr: kernel GS base");
	keeps(0x174, 0x10, "msr: SYSENTER_CS");
	keeps(0x175, 0x123000, "msr: SYSENTER_ESP");
	keeps(0x176, 0x456000, "msr: SYSENTER_EIP");
	check_equal(rdmsr(0x277), 0x0007040600070406, "msr: PAT after reset");
	keeps(0x277, 0x0107040600070406, "msr: PAT");
	keeps(0xc0000103, 5, "msr: TSC_AUX");
	check((rdmsr(0x1b) & 0xfffff900) == 0xfee00900, "msr: APIC base of the first processor");
	check((rdmsr(0xfe) & 0xff) <= 10, "msr: MTRR capabilities");
	check((rdmsr(MSR_EFER) & 0x500) == 0x500, "msr: EFER in long mode");
	write_faults(MSR_EFER, rdmsr(MSR_EFER) | 1ull << 40, "msr: EFER's reserved bits");
	write_faults(MSR_EFER, rdmsr(MSR_EFER) | 1 << 12, "msr: EFER.SVME cannot be set");
	write_faults(MSR_EFER, rdmsr(MSR_EFER) & ~0x100ull, "msr: EFER.LME while paging");
	u64 tsc = rdmsr(0x10);
	check(rdmsr(0x10) >= tsc && rdtsc() >= tsc, "msr: TSC goes on");
}
