/* Control registers, and instructions that a hypervisor intercepts or must refuse. */
#include "tests/guests/cpu/cpu.h"

static void set_cr0(void *v)
{
	WRITE_REG(cr0, v);
}

static void set_cr4(void *v)
{
	WRITE_REG(cr4, v);
}

static void set_cr8(void *v)
{
	WRITE_REG(cr8, v);
}

#define INSTRUCTION(name, text) \
	static void name(void *argument) { asm volatile(text : : "a"(argument), "c"(0), "d"(0) : "memory"); }
INSTRUCTION(do_vmrun, "vmrun")
INSTRUCTION(do_stgi, "stgi")
INSTRUCTION(do_clgi, "clgi")
INSTRUCTION(do_skinit, "skinit")
INSTRUCTION(do_vmload, "vmload")
INSTRUCTION(do_wbinvd, "wbinvd")
INSTRUCTION(do_invd, "invd")
INSTRUCTION(do_rdpmc, "movl $0x7fffffff, %%ecx; rdpmc")
INSTRUCTION(do_invlpg, "invlpg (%0)")
INSTRUCTION(do_monitor, "monitor")

/* QEMU's TCG lets all of these pass, some of them deadly, and Bochs's SVM ends: only where hardware checks. */
static void test_refused(u64 cr0, u64 cr4)
{
	check_equal(trap_catch(set_cr0, (void *)(cr0 & ~1ull)), 13, "control: PG without PE");
	check_equal(trap_catch(set_cr0, (void *)((cr0 | 1 << 29) & ~(1ull << 30))), 13, "control: NW without CD");
	check_equal(trap_catch(set_cr0, (void *)(cr0 | 1ull << 40)), 13, "control: CR0's high half");
	check_equal(trap_catch(set_cr4, (void *)(cr4 | 1ull << 15)), 13, "control: CR4's reserved bits");
	check_equal(trap_catch(set_cr4, (void *)(cr4 & ~0x20ull)), 13, "control: PAE off in long mode");
	check_equal(trap_catch(set_cr8, (void *)16), 13, "control: CR8's reserved bits");
}

static void test_registers(void)
{
	u64 cr0 = READ_REG(cr0), cr4 = READ_REG(cr4);

	if (option_set("strict"))
		test_refused(cr0, cr4);
	check_equal(READ_REG(cr0), cr0, "control: CR0 as before");
	check_equal(READ_REG(cr4), cr4, "control: CR4 as before");
	WRITE_REG(cr0, cr0 & ~(1ull << 16));
	check_equal(READ_REG(cr0), cr0 & ~(1ull << 16), "control: WP off");
	WRITE_REG(cr0, cr0);
	WRITE_REG(cr4, cr4 | 0x80);
	check_equal(READ_REG(cr4), cr4 | 0x80, "control: PGE on");
	WRITE_REG(cr4, cr4);
	WRITE_REG(cr2, 0x123456789abc);
	cpuid(0, 0);
	check_equal(READ_REG(cr2), 0x123456789abc, "control: CR2 kept over an exit");
	WRITE_REG(cr8, 7);
	cpuid(0, 0);
	check_equal(READ_REG(cr8), 7, "control: CR8");
	check_equal(lapic_read(APIC_TPR), 0x70, "control: CR8 is the APIC's TPR");
	lapic_write(APIC_TPR, 0x30);
	check_equal(READ_REG(cr8), 3, "control: TPR is CR8");
	WRITE_REG(cr8, 0);
}

static void test_registers_kept(void)
{
	u64 bad = 0;

	for (u32 i = 0; i < 100; i++)
		asm volatile("mov $0x1111111111111111, %%r8; mov $0x2222222222222222, %%r9\n\t"
			     "mov $0x3333333333333333, %%r10; mov $0x4444444444444444, %%r11\n\t"
			     "mov $0x5555555555555555, %%r12; mov $0x6666666666666666, %%r13\n\t"
			     "mov $0x7777777777777777, %%r14; mov $0x8888888888888888, %%r15\n\t"
			     "mov $0x9999999999999999, %%rsi; mov $0x7ffffffffffffff1, %%rdi\n\t"
			     "xor %%eax, %%eax; cpuid; inb $0x61, %%al\n\t"
			     "lea (%%r8, %%r9), %%rax; cmp %%r10, %%rax; jne 1f\n\t"
			     "lea (%%r8, %%r10), %%rax; cmp %%r11, %%rax; jne 1f\n\t"
			     "lea (%%r8, %%r11), %%rax; cmp %%r12, %%rax; jne 1f\n\t"
			     "lea (%%r8, %%r12), %%rax; cmp %%r13, %%rax; jne 1f\n\t"
			     "lea (%%r8, %%r13), %%rax; cmp %%r14, %%rax; jne 1f\n\t"
			     "lea (%%r8, %%r14), %%rax; cmp %%r15, %%rax; jne 1f\n\t"
			     "lea (%%r8, %%r15), %%rax; cmp %%rsi, %%rax; jne 1f\n\t"
			     "mov $0x7ffffffffffffff1, %%rax; cmp %%rdi, %%rax; je 2f\n\t"
			     "1: incq %0\n\t2:"
			     : "+m"(bad) : : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
			     "r12", "r13", "r14", "r15", "cc", "memory");
	check_equal(bad, 0, "control: general registers kept over exits");
}

void test_control(void)
{
	test_registers();
	test_registers_kept();
	check_equal(trap_catch(do_vmrun, NULL), 6, "control: VMRUN is refused");
	check_equal(trap_catch(do_vmload, NULL), 6, "control: VMLOAD is refused");
	check_equal(trap_catch(do_stgi, NULL), 6, "control: STGI is refused");
	check_equal(trap_catch(do_clgi, NULL), 6, "control: CLGI is refused");
	check_equal(trap_catch(do_skinit, NULL), 6, "control: SKINIT is refused");
	check_equal(trap_catch(do_wbinvd, NULL), NO_FAULT, "control: WBINVD");
	check_equal(trap_catch(do_invd, NULL), NO_FAULT, "control: INVD");
	check_equal(trap_catch(do_invlpg, image_start), NO_FAULT, "control: INVLPG");
	check(trap_catch(do_rdpmc, NULL) != NO_FAULT, "control: RDPMC of no counter");
	if (!(cpuid(1, 0).ecx & 8))
		check_equal(trap_catch(do_monitor, image_start), 6, "control: MONITOR is refused");
}
