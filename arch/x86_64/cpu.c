/* Descriptor tables and the processor's set-up.  The IDT is one for all; GDT and TSS are each CPU's own. */
#include "arch/x86_64/cpu.h"

#include "arch/x86_64/registers.h"

#define VECTORS 256
#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_MACHINE_CHECK 18
#define IST_NMI 1
#define IST_FAULT 2

#define GATE_INTERRUPT 0x8e /* APM 2 §4.8.4 */

_Static_assert(offsetof(struct cpu, kernel_rsp) == 8 && offsetof(struct cpu, user) == 16 &&
	       offsetof(struct cpu, scratch) == 24 && offsetof(struct cpu, tss) == 40, "known to trap.asm");
_Static_assert(sizeof(struct user_regs) == 176 && offsetof(struct user_regs, rip) == 136, "known to trap.asm");

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
} packed_struct;

static struct gate idt[VECTORS] __attribute__((aligned(16)));

extern const u8 trap_stubs[]; /* VECTORS stubs of 16 bytes: trap.asm */
void trap_syscall(void);

void cpu_init_traps(void)
{
	for (u32 i = 0; i < VECTORS; i++) {
		u64 stub = (u64)trap_stubs + i * 16;
		u8 ist = i == VECTOR_NMI ? IST_NMI
			: i == VECTOR_DOUBLE_FAULT || i == VECTOR_MACHINE_CHECK ? IST_FAULT : 0;

		idt[i] = (struct gate){ .offset_low = (u16)stub, .offset_mid = (u16)(stub >> 16),
			.offset_high = (u32)(stub >> 32), .selector = SELECTOR_KERNEL_CODE,
			.ist = ist, .type = GATE_INTERRUPT };
	}
}

static void load_tables(struct cpu *cpu)
{
	u64 tss = (u64)&cpu->tss;
	struct descriptor_pointer gdtr = { sizeof(cpu->gdt) - 1, (u64)cpu->gdt };
	struct descriptor_pointer idtr = { sizeof(idt) - 1, (u64)idt };

	cpu->gdt[1] = 0x00af9b000000ffff; /* ring 0 code, 64 bit */
	cpu->gdt[2] = 0x00cf93000000ffff; /* ring 0 data */
	cpu->gdt[3] = 0x00cff3000000ffff; /* ring 3 data */
	cpu->gdt[4] = 0x00affb000000ffff; /* ring 3 code, 64 bit */
	cpu->gdt[5] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	cpu->gdt[6] = tss >> 32;
	cpu->tss.ist[IST_NMI - 1] = (u64)(cpu->ist_nmi + sizeof(cpu->ist_nmi));
	cpu->tss.ist[IST_FAULT - 1] = (u64)(cpu->ist_fault + sizeof(cpu->ist_fault));
	cpu->tss.iomap = sizeof(struct tss); /* no I/O ports for ring 3 */

	lgdt(&gdtr);
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:\n\t"
			 "movl %1, %%eax; movl %%eax, %%ds; movl %%eax, %%es; movl %%eax, %%ss\n\t"
			 "xorl %%eax, %%eax; movl %%eax, %%fs; movl %%eax, %%gs"
			 : : "i"(SELECTOR_KERNEL_CODE), "i"(SELECTOR_KERNEL_DATA) : "rax", "memory");
	lldt(0);
	ltr(SELECTOR_TSS);
	lidt(&idtr);
}

/* SYSCALL: APM 2 §6.1.1.  The flags that ring 3 must not carry into ring 0 are masked. */
static void enable_syscall(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	wrmsr(MSR_STAR, (u64)SELECTOR_KERNEL_CODE << 32 | (u64)SELECTOR_KERNEL_DATA << 48);
	wrmsr(MSR_LSTAR, (u64)trap_syscall);
	wrmsr(MSR_CSTAR, 0);
	wrmsr(MSR_SFMASK, RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT | RFLAGS_IOPL | RFLAGS_RF);
}

static void enable_protections(struct cpu *cpu)
{
	u64 cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PGE | CR4_MCE | CR4_DE;
	struct cpuid structured = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){ 0 };

	if (structured.ebx & BIT(7))
		cr4 |= CR4_SMEP;
	if (structured.ebx & BIT(20))
		cr4 |= CR4_SMAP;
	if (structured.ecx & BIT(2))
		cr4 |= CR4_UMIP;
	if (cpuid(1, 0).ecx & BIT(26))
		cr4 |= CR4_OSXSAVE;
	cpu->smap = cr4 & CR4_SMAP;
	cr4_write(cr4);
	cr0_write(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
}

void cpu_init(struct cpu *cpu)
{
	cpu->self = cpu;
	load_tables(cpu);
	wrmsr(MSR_GS_BASE, (u64)cpu);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	enable_syscall();
	enable_protections(cpu);
}

void cpu_user_access_begin(void)
{
	if (cpu_self()->smap)
		stac();
}

void cpu_user_access_end(void)
{
	if (cpu_self()->smap)
		clac();
}
