/* The table of system calls and the way through it. */
#include "kernel/syscall.h"

#include "kernel/vcpu_run.h"

#define ALL(number, name) [number] = { syscall_##name, FOR_ALL, #name }
#define MACHINE(number, name) [number] = { syscall_##name, FOR_MACHINE, #name }
#define MONITOR(number, name) [number] = { syscall_##name, FOR_MONITOR, #name }

const struct syscall_entry syscall_table[SYSCALL_COUNT] = {
	ALL(SYS_EXIT, exit),
	ALL(SYS_LOG, log),
	ALL(SYS_MEMORY_GROW, memory_grow),
	ALL(SYS_THREAD_CREATE, thread_create),
	ALL(SYS_FUTEX_WAIT, futex_wait),
	ALL(SYS_FUTEX_WAKE, futex_wake),
	ALL(SYS_EVENT_WAIT, event_wait),
	ALL(SYS_EVENT_RAISE, event_raise),
	ALL(SYS_CONSOLE_READ, console_read),
	ALL(SYS_CONSOLE_WRITE, console_write),
	ALL(SYS_FILE_INFO, file_info),
	ALL(SYS_FILE_READ, file_read),
	ALL(SYS_YIELD, yield),

	MACHINE(SYS_MACHINE_INFO, machine_info),
	MACHINE(SYS_VCPU_RUN, vcpu_run),
	MACHINE(SYS_VCPU_GET, vcpu_get),
	MACHINE(SYS_VCPU_SET, vcpu_set),
	MACHINE(SYS_VCPU_TRANSLATE, vcpu_translate),
	MACHINE(SYS_LAPIC_ACCESS, lapic_access),
	MACHINE(SYS_GUEST_MAP, guest_map),
	MACHINE(SYS_GUEST_READ, guest_read),
	MACHINE(SYS_GUEST_WRITE, guest_write),
	MACHINE(SYS_GUEST_MSI, guest_msi),
	MACHINE(SYS_GUEST_EXTINT, guest_extint),
	MACHINE(SYS_GUEST_STOP, guest_stop),
	MACHINE(SYS_STATE_SAVE, state_save),
	MACHINE(SYS_STATE_LOAD, state_load),
	MACHINE(SYS_MEMORY_TARGET, memory_target),
	MACHINE(SYS_MEMORY_STATS, memory_stats),
	MACHINE(SYS_GUEST_DISCARD, guest_discard),
	MACHINE(SYS_VCPU_TARGET, vcpu_target),
	MACHINE(SYS_VCPU_PRESENT, vcpu_present),

	MONITOR(SYS_HOST_INFO, host_info),
	MONITOR(SYS_CPU_INFO, cpu_info),
	MONITOR(SYS_CONFIG_READ, config_read),
	MONITOR(SYS_LOG_READ, log_read),
	MONITOR(SYS_GUEST_DEFINE, guest_define),
	MONITOR(SYS_GUEST_UNDEFINE, guest_undefine),
	MONITOR(SYS_GUEST_REDEFINE, guest_redefine),
	MONITOR(SYS_GUEST_NEXT, guest_next),
	MONITOR(SYS_GUEST_INFO, guest_info),
	MONITOR(SYS_GUEST_DEFINITION, guest_definition),
	MONITOR(SYS_GUEST_START, guest_start),
	MONITOR(SYS_GUEST_CONTROL, guest_control),
	MONITOR(SYS_GUEST_VCPU_INFO, guest_vcpu_info),
	MONITOR(SYS_GUEST_SCHEDULE, guest_schedule),
	MONITOR(SYS_GUEST_PIN, guest_pin),
	MONITOR(SYS_GUEST_VCPU_STATE, guest_vcpu_state),
	MONITOR(SYS_GUEST_PEEK, guest_peek),
	MONITOR(SYS_GUEST_OUTPUT, guest_output),
	MONITOR(SYS_GUEST_INPUT, guest_input),
	MONITOR(SYS_GUEST_WATCH, guest_watch),
	MONITOR(SYS_GUEST_MEMORY, guest_memory),
	MONITOR(SYS_GUEST_TUNE, guest_tune),
	MONITOR(SYS_LEDGER_INFO, ledger_info),
	MONITOR(SYS_TRACE, trace),
	MONITOR(SYS_TRACE_READ, trace_read),
	MONITOR(SYS_HOST_POWER, host_power),
	MONITOR(SYS_MERGE_INFO, merge_info),
	MONITOR(SYS_MERGE_CONTROL, merge_control),
	MONITOR(SYS_MERGE_VERIFY, merge_verify),
	MONITOR(SYS_MERGE_MATRIX, merge_matrix),
};

static bool allowed(const struct process *p, enum syscall_who who)
{
	return who == FOR_ALL || (who == FOR_MACHINE) == (p->kind == PROCESS_MACHINE);
}

static enum step handle(struct thread *t)
{
	const u64 args[SYSCALL_ARGS] = { t->regs.rdi, t->regs.rsi, t->regs.rdx, t->regs.r10, t->regs.r8 };
	u64 number = t->regs.rax;
	const struct syscall_entry *entry = number < SYSCALL_COUNT ? &syscall_table[number] : NULL;
	s64 result;

	if (!entry || !entry->handler) {
		t->regs.rax = (u64)ERR_NOSYS;
		return STEP_AGAIN;
	}
	if (!allowed(t->process, entry->who)) {
		process_kill(t->process, "it made the system call %s, which is not for it", entry->name);
		return STEP_EXIT;
	}
	result = entry->handler(t, args);
	switch (result) {
	case SYSCALL_BLOCK: return STEP_BLOCK;
	case SYSCALL_STEP: return STEP_AGAIN;
	case SYSCALL_YIELD: return STEP_YIELD;
	case SYSCALL_EXIT: return STEP_EXIT;
	}
	t->regs.rax = (u64)result;
	return STEP_AGAIN;
}

enum step syscall_handle(struct thread *t)
{
	t->silent_since = t->sched.run_cycles;
	if (t->regs.rax != SYS_VCPU_RUN || !t->vcpu || t->vcpu->index != t->regs.rdi)
		return handle(t);
	t->step = vcpu_step; /* a vCPU goes on: the way that must be short */
	return STEP_AGAIN;
}

static enum step again(struct thread *t)
{
	if (t->process->dying)
		return STEP_EXIT;
	cpu_interrupt_window();
	t->step = user_step;
	return syscall_handle(t);
}

s64 syscall_again(struct thread *t)
{
	t->step = again;
	return SYSCALL_STEP;
}
