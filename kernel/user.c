/* Ring 3 as a step: enter it, and see what brought us back. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/virt.h"
#include "kernel/clock.h"
#include "kernel/interrupt.h"
#include "kernel/process.h"
#include "kernel/syscall.h"

#define SILENCE_NS 5000000000ull /* CPU time that a thread may run without a system call */

static const char *exception_name(u32 vector)
{
	static const char *const names[] = { "divide error", "debug", "NMI", "breakpoint", "overflow", "bound",
		"invalid opcode", "no FPU", "double fault", "?", "invalid TSS", "segment not present", "stack fault",
		"general protection", "page fault", "?", "FPU error", "alignment check", "machine check", "SIMD error" };

	return vector < ARRAY_SIZE(names) ? names[vector] : "exception";
}

/* A program that only computes for seconds loops: no step of a machine process or of the monitor is long. */
static void check_silence(struct thread *t)
{
	sched_account(host_cpu());
	if (t->sched.run_cycles - t->silent_since > clock_cycles(SILENCE_NS))
		process_kill(t->process, "it loops: %u s of CPU time without a system call, RIP %lx",
			     (u32)(SILENCE_NS / 1000000000), (unsigned long)t->regs.rip);
}

static enum step user_trap(struct thread *t, u32 vector)
{
	if (vector >= 32) {
		interrupt_handle(vector);
		if (vector == VECTOR_TIMER)
			check_silence(t);
		return STEP_AGAIN;
	}
	process_kill(t->process, "%s at RIP %lx, error %lx, address %lx", exception_name(vector),
		     (unsigned long)t->regs.rip, (unsigned long)t->regs.error,
		     vector == 14 ? (unsigned long)cr2_read() : 0ul);
	return STEP_EXIT;
}

enum step user_step(struct thread *t)
{
	u32 trap;

	if (t->process->dying)
		return STEP_EXIT;
	if (t->resume) {
		void (*resume)(struct thread *t) = t->resume;

		t->resume = NULL;
		resume(t);
		if (t->resume)
			return STEP_BLOCK;
	}
	if (virt->ring3)
		virt->ring3();
	trap = user_run(&t->regs);
	return trap == TRAP_SYSCALL ? syscall_handle(t) : user_trap(t, trap);
}
