/* This processor: its descriptor tables, stacks and traps.  The struct is found through GS in ring 0.
 *
 * Leaving ring 0 has one form: user_run loads a thread's registers and comes back, like a function, at the
 * next system call, interrupt or exception.  Interrupts are off in ring 0 but for cpu_idle and
 * cpu_interrupt_window. */
#ifndef ARCH_X86_64_CPU_H
#define ARCH_X86_64_CPU_H

#include "kernel/lib/types.h"

#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA 0x1b
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_TSS 0x28

#define CPU_STACK_SIZE (16 * KIB)
#define TRAP_SYSCALL 256 /* what user_run returns for a system call; else the vector */

/* A thread's ring-3 registers, or what a trap in ring 0 interrupted; the tail is pushed by the processor. */
struct user_regs {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
} __attribute__((aligned(16)));

struct tss { /* APM 2 §12.2.5 */
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap;
} packed_struct;

/* The first fields' offsets are known to trap.asm. */
struct cpu {
	struct cpu *self;
	u64 kernel_rsp;          /* where user_run's caller continues */
	struct user_regs *user;  /* of the thread in ring 3 */
	u64 scratch;
	u32 index, tss_pad;
	struct tss tss;
	u64 gdt[8];
	u32 apic_id;
	u64 stack_top;           /* of the CPU's one kernel stack */
	u32 locks_held;          /* bit for each lock class, debug builds */
	bool smap;
	void *virt;              /* the back end's own */
	u8 ist_nmi[4096] __attribute__((aligned(16)));
	u8 ist_fault[4096] __attribute__((aligned(16))); /* double fault and machine check */
};

static inline struct cpu *cpu_self(void)
{
	struct cpu *cpu;

	__asm__("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* Prepares the IDT, once; then makes cpu this processor's own: GDT, TSS, IDT, SYSCALL, CR0/CR4 protections.
 * cpu is zeroed memory that stays for ever, with index, apic_id and stack_top set. */
void cpu_init_traps(void);
void cpu_init(struct cpu *cpu);

/* Runs ring 3 with regs until it traps; returns TRAP_SYSCALL or the vector (error code in regs->error).
 * If regs->vector is TRAP_SYSCALL it returns by SYSRET, which clobbers RCX and R11. */
u32 user_run(struct user_regs *regs);

/* Continues at entry on a fresh stack; does not return. */
_Noreturn void cpu_switch_stack(u64 stack_top, void (*entry)(void *), void *argument);

/* Lets pending interrupts in, without waiting; and waiting for one. */
static inline void cpu_interrupt_window(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

static inline void cpu_idle(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* Between these two, ring 0 may touch user pages (SMAP). */
void cpu_user_access_begin(void);
void cpu_user_access_end(void);

/* Upward calls (kernel/trap.c): a trap that was taken in ring 0, at a window or by a fault; and an NMI. */
void trap_kernel(struct user_regs *regs);
void trap_nmi(struct user_regs *regs);

#endif
