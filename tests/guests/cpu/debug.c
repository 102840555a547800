/* Debug registers and single-stepping, also over instructions that leave the guest. */
#include "tests/guests/cpu/cpu.h"

#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull

static u64 trap_rip[16], trap_dr6[16];
static volatile u32 trap_count;
static volatile u32 watched;

static void on_debug(struct frame *frame)
{
	u32 n = trap_count < 16 ? trap_count : 15;

	trap_rip[n] = frame->rip;
	trap_dr6[n] = READ_REG(dr6);
	trap_count = trap_count + 1;
	WRITE_REG(dr6, DR6_RESET);
	frame->rflags |= 0x10000; /* RF: an instruction breakpoint is passed */
}

extern u8 step_cpuid[], step_out[], step_in[], step_rdmsr[], step_end[];

/* TF is set by POPFQ; the first trap comes after the instruction that follows it. */
static void __attribute__((noinline)) step(void)
{
	asm volatile("pushfq; orl $0x100, (%%rsp); popfq; nop\n"
		     "step_cpuid: cpuid\n"
		     "step_out: outb %%al, $0x80\n"
		     "step_in: inb $0x61, %%al; movl $0x1b, %%ecx\n"
		     "step_rdmsr: rdmsr\n"
		     "step_end: pushfq; andl $~0x100, (%%rsp); popfq"
		     : : "a"(0), "c"(0) : "rbx", "rdx", "cc", "memory");
}

static bool stopped_at(const u8 *rip)
{
	for (u32 i = 0; i < trap_count && i < 16; i++)
		if (trap_rip[i] == (u64)rip)
			return true;
	return false;
}

static void test_single_step(void)
{
	trap_count = 0;
	step();
	check(stopped_at(step_cpuid), "debug: step over NOP");
	check(stopped_at(step_out), "debug: step over CPUID");
	check(stopped_at(step_in), "debug: step over OUT");
	check(stopped_at(step_rdmsr), "debug: step over IN and MOV");
	check(stopped_at(step_end), "debug: step over RDMSR");
	check_equal(trap_count, 9, "debug: one trap for each instruction");
	check_equal(trap_dr6[1] & 0x400f, 0x4000, "debug: DR6.BS");
}

extern u8 shadow_nop[], shadow_cpuid[], shadow_end[];

/* STI's shadow does not keep the trap away, MOV SS's does for one instruction, which here leaves the guest. */
static void __attribute__((noinline)) step_in_shadows(void)
{
	asm volatile("mov %%ss, %%eax; pushfq; orl $0x100, (%%rsp); popfq; sti\n"
		     "shadow_nop: nop; cli; mov %%eax, %%ss\n"
		     "shadow_cpuid: cpuid\n"
		     "shadow_end: pushfq; andl $~0x100, (%%rsp); popfq"
		     : : "c"(0) : "rax", "rbx", "rdx", "cc", "memory");
}

static void test_shadows(void)
{
	trap_count = 0;
	step_in_shadows();
	check(stopped_at(shadow_nop), "debug: step over STI");
	check(!stopped_at(shadow_cpuid), "debug: no step after MOV SS");
	check(stopped_at(shadow_end), "debug: step over MOV SS and CPUID");
	check_equal(trap_count, 7, "debug: a trap for each but MOV SS");
}

static void __attribute__((noinline)) target(void)
{
	asm volatile("");
}

static void test_breakpoints(void)
{
	WRITE_REG(dr0, &watched);
	WRITE_REG(dr7, DR7_RESET | 0xd0001); /* 4 bytes, on write */
	trap_count = 0;
	asm volatile("outb %%al, $0x80" : : "a"(0));
	watched = 1;
	check_equal(trap_count, 1, "debug: data breakpoint");
	if (!option_set("stale-dr6")) /* Bochs's SVM does not save it where #DB is intercepted */
		check_equal(trap_dr6[0] & 0xf, 1, "debug: DR6.B0");
	WRITE_REG(dr1, target);
	WRITE_REG(dr7, DR7_RESET | 4);
	trap_count = 0;
	target();
	check_equal(trap_count, 1, "debug: instruction breakpoint");
	check_equal(trap_rip[0], (u64)target, "debug: it stops before the instruction");
	WRITE_REG(dr7, DR7_RESET);
}

static void read_dr4(void *argument)
{
	asm volatile("mov %%dr4, %%rax" : : : "rax");
}

static void read_dr7(void *argument)
{
	asm volatile("mov %%dr7, %%rax" : : : "rax");
}

static void test_access(void)
{
	u64 cr4 = READ_REG(cr4);

	WRITE_REG(dr2, 0x1122334455667788);
	WRITE_REG(dr3, 0x8877665544332211);
	for (u32 i = 0; i < 100; i++)
		cpuid(0, 0);
	check_equal(READ_REG(dr2), 0x1122334455667788, "debug: DR2 kept over exits");
	check_equal(READ_REG(dr3), 0x8877665544332211, "debug: DR3 kept over exits");
	check_equal(READ_REG(dr7), DR7_RESET, "debug: DR7");
	WRITE_REG(cr4, cr4 | 8);
	check_equal(trap_catch(read_dr4, NULL), 6, "debug: DR4 with CR4.DE");
	WRITE_REG(cr4, cr4);
	trap_set(1, NULL);
	if (option_set("strict")) { /* QEMU's TCG knows no GD */
		WRITE_REG(dr7, DR7_RESET | 0x2000);
		check_equal(trap_catch(read_dr7, NULL), 1, "debug: DR7.GD");
	}
	WRITE_REG(dr7, DR7_RESET);
	WRITE_REG(dr6, DR6_RESET);
}

void test_debug(void)
{
	trap_set(1, on_debug);
	test_single_step();
	if (option_set("strict")) /* QEMU's TCG traps after MOV SS, and not after STI */
		test_shadows();
	test_breakpoints();
	test_access();
}
