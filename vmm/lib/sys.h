/* The system calls as C functions, and the clock.  One function a call; semantics are kernel/abi.h's.
 * Host tests link their own versions of these. */
#ifndef VMM_LIB_SYS_H
#define VMM_LIB_SYS_H

#include "kernel/abi.h"

extern const struct abi_info *sys_abi; /* set before main */

_Noreturn void sys_exit(int code);
void sys_log(enum log_level level, const char *format, ...) printf_like(2, 3);
void *sys_memory_grow(u64 bytes); /* zeroed; NULL when there is no more */
int sys_thread_create(void (*entry)(void *), void *argument, void *stack_top);
int sys_futex_wait(u32 *word, u32 value);
int sys_futex_wake(u32 *word, u32 count);
u32 sys_event_wait(u64 deadline_ns);
void sys_event_raise(void);
s64 sys_console_read(void *buf, u64 len);
s64 sys_console_write(const void *buf, u64 len);
int sys_file_info(u32 index, struct file_info *info);
s64 sys_file_read(u32 index, u64 offset, void *buf, u64 len);
void sys_yield(void);

/* machine processes */
int sys_machine_info(struct machine_info *info);
int sys_vcpu_run(u32 index);
int sys_vcpu_get(u32 index, struct vcpu_state *state);
int sys_vcpu_set(u32 index, const struct vcpu_state *state);
s64 sys_vcpu_translate(u32 index, u64 gva, u32 access, u64 *gpa);
int sys_lapic_access(u32 index, u32 offset, bool write, u32 *value);
int sys_guest_map(u64 gpa, u64 len, enum map_kind kind, u32 file, u64 offset);
int sys_guest_read(u64 gpa, void *buf, u64 len);
int sys_guest_write(u64 gpa, const void *buf, u64 len);
int sys_guest_msi(u64 address, u32 data);
void sys_guest_extint(bool level);
_Noreturn void sys_guest_stop(enum stop_reason reason, const char *text);
_Noreturn void sys_state_save(const void *buf, u64 len);
s64 sys_state_load(void *buf, u64 len);
u64 sys_memory_target(void);
void sys_memory_stats(const struct memory_stats *stats);
int sys_guest_discard(u64 gpa, u64 len);
u32 sys_vcpu_target(void);
int sys_vcpu_present(u32 index, bool present) must_check;

/* the monitor */
int sys_host_info(struct host_info *info);
int sys_cpu_info(u32 index, struct cpu_info *info);
s64 sys_config_read(u64 offset, void *buf, u64 len);
s64 sys_log_read(u64 *position, void *buf, u64 len);
int sys_guest_define(const char *name, const char *text, u64 len);
int sys_guest_undefine(u32 id);
int sys_guest_redefine(u32 id, const char *text, u64 len) must_check;
u32 sys_guest_next(u32 id);
int sys_guest_info(u32 id, struct guest_info *info);
s64 sys_guest_definition(u32 id, char *buf, u64 len);
int sys_guest_start(u32 id, const struct guest_params *params, struct admission *admission);
int sys_guest_control(u32 id, enum guest_control what, u64 argument);
int sys_guest_vcpu_info(u32 id, u32 index, struct vcpu_info *info);
int sys_trace(bool on);
s64 sys_trace_read(u32 cpu, u64 *position, struct trace_record *records, u64 count);
int sys_guest_schedule(u32 id, u32 weight, u32 cap);
int sys_guest_pin(u32 id, u32 index, const struct cpu_set *set);
int sys_guest_vcpu_state(u32 id, u32 index, struct vcpu_state *state);
int sys_guest_peek(u32 id, u64 gpa, void *buf, u64 len);
s64 sys_guest_output(u32 id, u64 *position, void *buf, u64 len);
s64 sys_guest_input(u32 id, const void *buf, u64 len);
int sys_guest_watch(u32 id);
int sys_guest_memory(u32 id, struct guest_memory *memory);
int sys_guest_tune(u32 id, const struct guest_tune *tune, struct admission *admission);
int sys_ledger_info(struct ledger_info *info);
int sys_host_power(enum host_power what);
int sys_merge_info(struct merge_info *info);
int sys_merge_control(enum merge_control what, u64 value);
int sys_merge_verify(struct merge_verify *result) must_check;
int sys_merge_matrix(struct merge_matrix *matrix) must_check;

/* Any call with any arguments: for test hooks that misbehave on purpose. */
s64 sys_call(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e);

/* Nanoseconds since Quire took over the machine. */
u64 sys_clock(void);

#endif
