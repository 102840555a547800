/* Interrupts and traps in ring 0. */
#include "kernel/interrupt.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/registers.h"
#include "kernel/host_cpu.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/timer.h"

void (*interrupt_uart)(void);
static u64 nmi_count; /* a: NMIs that nobody of us sent */

void interrupt_handle(u32 vector)
{
	host_cpu()->interrupts++;
	switch (vector) {
	case VECTOR_TIMER:
		apic_eoi();
		timer_interrupt();
		return;
	case VECTOR_UART:
		if (interrupt_uart)
			interrupt_uart();
		break;
	case VECTOR_ERROR:
		log_warn("local APIC error %x", apic_error());
		break;
	case VECTOR_SPURIOUS:
		return;
	}
	apic_eoi();
}

void trap_kernel(struct user_regs *regs)
{
	if (regs->vector >= 32)
		interrupt_handle((u32)regs->vector);
	else
		panic_registers(regs, "trap %lu in ring 0, error %lx, address %lx", (unsigned long)regs->vector,
				(unsigned long)regs->error, (unsigned long)cr2_read());
}

void trap_nmi(struct user_regs *regs)
{
	panic_stop_here();
	if (regs->vector == 2)
		__atomic_add_fetch(&nmi_count, 1, __ATOMIC_RELAXED); /* the log cannot be used here */
	else
		panic_registers(regs, "%s, error %lx", regs->vector == 8 ? "double fault" : "machine check",
				(unsigned long)regs->error);
}
