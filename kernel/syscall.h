/* System calls: one table, one handler a call.  A handler's arguments are hostile. */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "kernel/process.h"

#define SYSCALL_ARGS 5

/* What a handler answers instead of a result, above all results: the thread's state says the rest. */
#define SYSCALL_BLOCK INT64_MAX      /* t->resume finishes it after a wake-up */
#define SYSCALL_STEP (INT64_MAX - 1) /* t->step was changed */
#define SYSCALL_YIELD (INT64_MAX - 2)
#define SYSCALL_EXIT (INT64_MAX - 3) /* the process dies */

typedef s64 (*syscall_fn)(struct thread *t, const u64 *args);

enum syscall_who { FOR_ALL, FOR_MACHINE, FOR_MONITOR };

struct syscall_entry {
	syscall_fn handler;
	enum syscall_who who;
	const char *name;
};

#define SYSCALL_COUNT 96

extern const struct syscall_entry syscall_table[SYSCALL_COUNT];

/* Carries out the call in t's registers. */
enum step syscall_handle(struct thread *t);

/* A handler's answer when a bounded part is done: the call is made again, as a step of its own, with the
 * arguments that stand in t's registers now. */
s64 syscall_again(struct thread *t);

/* The handlers, by file: syscall_common.c, syscall_machine.c, syscall_monitor.c. */
#define SYSCALL_HANDLER(name) s64 syscall_##name(struct thread *t, const u64 *a)
SYSCALL_HANDLER(exit);
SYSCALL_HANDLER(log);
SYSCALL_HANDLER(memory_grow);
SYSCALL_HANDLER(thread_create);
SYSCALL_HANDLER(futex_wait);
SYSCALL_HANDLER(futex_wake);
SYSCALL_HANDLER(event_wait);
SYSCALL_HANDLER(event_raise);
SYSCALL_HANDLER(console_read);
SYSCALL_HANDLER(console_write);
SYSCALL_HANDLER(file_info);
SYSCALL_HANDLER(file_read);
SYSCALL_HANDLER(yield);
SYSCALL_HANDLER(machine_info);
SYSCALL_HANDLER(vcpu_run);
SYSCALL_HANDLER(vcpu_get);
SYSCALL_HANDLER(vcpu_set);
SYSCALL_HANDLER(vcpu_translate);
SYSCALL_HANDLER(lapic_access);
SYSCALL_HANDLER(guest_map);
SYSCALL_HANDLER(guest_read);
SYSCALL_HANDLER(guest_write);
SYSCALL_HANDLER(guest_msi);
SYSCALL_HANDLER(guest_extint);
SYSCALL_HANDLER(guest_stop);
SYSCALL_HANDLER(state_save);
SYSCALL_HANDLER(state_load);
SYSCALL_HANDLER(memory_target);
SYSCALL_HANDLER(memory_stats);
SYSCALL_HANDLER(guest_discard);
SYSCALL_HANDLER(vcpu_target);
SYSCALL_HANDLER(vcpu_present);
SYSCALL_HANDLER(host_info);
SYSCALL_HANDLER(cpu_info);
SYSCALL_HANDLER(config_read);
SYSCALL_HANDLER(log_read);
SYSCALL_HANDLER(guest_define);
SYSCALL_HANDLER(guest_undefine);
SYSCALL_HANDLER(guest_redefine);
SYSCALL_HANDLER(guest_next);
SYSCALL_HANDLER(guest_info);
SYSCALL_HANDLER(guest_definition);
SYSCALL_HANDLER(guest_start);
SYSCALL_HANDLER(guest_control);
SYSCALL_HANDLER(guest_vcpu_info);
SYSCALL_HANDLER(guest_schedule);
SYSCALL_HANDLER(guest_pin);
SYSCALL_HANDLER(guest_vcpu_state);
SYSCALL_HANDLER(guest_peek);
SYSCALL_HANDLER(guest_output);
SYSCALL_HANDLER(guest_input);
SYSCALL_HANDLER(guest_watch);
SYSCALL_HANDLER(guest_memory);
SYSCALL_HANDLER(guest_tune);
SYSCALL_HANDLER(ledger_info);
SYSCALL_HANDLER(trace);
SYSCALL_HANDLER(trace_read);
SYSCALL_HANDLER(host_power);
SYSCALL_HANDLER(merge_info);
SYSCALL_HANDLER(merge_control);
SYSCALL_HANDLER(merge_verify);
SYSCALL_HANDLER(merge_matrix);

#endif
