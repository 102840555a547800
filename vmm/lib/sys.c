/* The system calls as C functions: registers by kernel/abi.h, nothing else. */
#include "vmm/lib/sys.h"

#include <stdarg.h>

#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define LOG_LINE 256

static inline __attribute__((always_inline)) s64 call(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	s64 result;
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

#define CALL0(n) call(n, 0, 0, 0, 0, 0)
#define CALL1(n, a) call(n, (u64)(a), 0, 0, 0, 0)
#define CALL2(n, a, b) call(n, (u64)(a), (u64)(b), 0, 0, 0)
#define CALL3(n, a, b, c) call(n, (u64)(a), (u64)(b), (u64)(c), 0, 0)
#define CALL4(n, a, b, c, d) call(n, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0)
#define CALL5(n, a, b, c, d, e) call(n, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e))

_Noreturn void sys_exit(int code)
{
	for (;;)
		CALL1(SYS_EXIT, code);
}

void sys_log(enum log_level level, const char *format, ...)
{
	char line[LOG_LINE];
	va_list args;
	int len;

	va_start(args, format);
	len = fmt_vprint(line, sizeof(line), format, args);
	va_end(args);
	CALL3(SYS_LOG, level, line, MIN((u64)len, sizeof(line) - 1));
}

void *sys_memory_grow(u64 bytes)
{
	s64 result = CALL1(SYS_MEMORY_GROW, bytes);

	return result < 0 ? NULL : (void *)result;
}

/* The stack looks as if entry had been called: aligned to 16 before a return address, which is 0. */
int sys_thread_create(void (*entry)(void *), void *argument, void *stack_top)
{
	u64 *stack = (u64 *)ALIGN_DOWN((u64)stack_top, 16);

	*--stack = 0;
	return (int)CALL3(SYS_THREAD_CREATE, entry, argument, stack);
}

int sys_futex_wait(u32 *word, u32 value)
{
	return (int)CALL2(SYS_FUTEX_WAIT, word, value);
}

int sys_futex_wake(u32 *word, u32 count)
{
	return (int)CALL2(SYS_FUTEX_WAKE, word, count);
}

u32 sys_event_wait(u64 deadline_ns)
{
	s64 events = CALL1(SYS_EVENT_WAIT, deadline_ns);

	return events < 0 ? 0 : (u32)events;
}

void sys_event_raise(void)
{
	CALL0(SYS_EVENT_RAISE);
}

s64 sys_console_read(void *buf, u64 len)
{
	return CALL2(SYS_CONSOLE_READ, buf, len);
}

s64 sys_console_write(const void *buf, u64 len)
{
	return CALL2(SYS_CONSOLE_WRITE, buf, len);
}

int sys_file_info(u32 index, struct file_info *info)
{
	return (int)CALL2(SYS_FILE_INFO, index, info);
}

s64 sys_file_read(u32 index, u64 offset, void *buf, u64 len)
{
	return CALL4(SYS_FILE_READ, index, offset, buf, len);
}

void sys_yield(void)
{
	CALL0(SYS_YIELD);
}

/* ---- machine processes ---- */

int sys_machine_info(struct machine_info *info)
{
	return (int)CALL1(SYS_MACHINE_INFO, info);
}

int sys_vcpu_run(u32 index)
{
	return (int)CALL1(SYS_VCPU_RUN, index);
}

int sys_vcpu_get(u32 index, struct vcpu_state *state)
{
	return (int)CALL2(SYS_VCPU_GET, index, state);
}

int sys_vcpu_set(u32 index, const struct vcpu_state *state)
{
	return (int)CALL2(SYS_VCPU_SET, index, state);
}

s64 sys_vcpu_translate(u32 index, u64 gva, u32 access, u64 *gpa)
{
	return CALL4(SYS_VCPU_TRANSLATE, index, gva, access, gpa);
}

int sys_lapic_access(u32 index, u32 offset, bool write, u32 *value)
{
	return (int)CALL4(SYS_LAPIC_ACCESS, index, offset, write, value);
}

int sys_guest_map(u64 gpa, u64 len, enum map_kind kind, u32 file, u64 offset)
{
	return (int)CALL5(SYS_GUEST_MAP, gpa, len, kind, file, offset);
}

int sys_guest_read(u64 gpa, void *buf, u64 len)
{
	return (int)CALL3(SYS_GUEST_READ, gpa, buf, len);
}

int sys_guest_write(u64 gpa, const void *buf, u64 len)
{
	return (int)CALL3(SYS_GUEST_WRITE, gpa, buf, len);
}

int sys_guest_msi(u64 address, u32 data)
{
	return (int)CALL2(SYS_GUEST_MSI, address, data);
}

void sys_guest_extint(bool level)
{
	CALL1(SYS_GUEST_EXTINT, level);
}

_Noreturn void sys_guest_stop(enum stop_reason reason, const char *text)
{
	for (;;)
		CALL3(SYS_GUEST_STOP, reason, text, strlen(text));
}

_Noreturn void sys_state_save(const void *buf, u64 len)
{
	CALL2(SYS_STATE_SAVE, buf, len);
	sys_exit(1);
}

s64 sys_state_load(void *buf, u64 len)
{
	return CALL2(SYS_STATE_LOAD, buf, len);
}

u64 sys_memory_target(void)
{
	return (u64)CALL0(SYS_MEMORY_TARGET);
}

void sys_memory_stats(const struct memory_stats *stats)
{
	CALL1(SYS_MEMORY_STATS, stats);
}

int sys_guest_discard(u64 gpa, u64 len)
{
	return (int)CALL2(SYS_GUEST_DISCARD, gpa, len);
}

u32 sys_vcpu_target(void)
{
	return (u32)CALL0(SYS_VCPU_TARGET);
}

int sys_vcpu_present(u32 index, bool present)
{
	return (int)CALL2(SYS_VCPU_PRESENT, index, present);
}

/* ---- the monitor ---- */

int sys_host_info(struct host_info *info)
{
	return (int)CALL1(SYS_HOST_INFO, info);
}

int sys_cpu_info(u32 index, struct cpu_info *info)
{
	return (int)CALL2(SYS_CPU_INFO, index, info);
}

s64 sys_config_read(u64 offset, void *buf, u64 len)
{
	return CALL3(SYS_CONFIG_READ, offset, buf, len);
}

s64 sys_log_read(u64 *position, void *buf, u64 len)
{
	return CALL3(SYS_LOG_READ, position, buf, len);
}

int sys_guest_define(const char *name, const char *text, u64 len)
{
	return (int)CALL3(SYS_GUEST_DEFINE, name, text, len);
}

int sys_guest_undefine(u32 id)
{
	return (int)CALL1(SYS_GUEST_UNDEFINE, id);
}

int sys_guest_redefine(u32 id, const char *text, u64 len)
{
	return (int)CALL3(SYS_GUEST_REDEFINE, id, text, len);
}

u32 sys_guest_next(u32 id)
{
	s64 next = CALL1(SYS_GUEST_NEXT, id);

	return next < 0 ? 0 : (u32)next;
}

int sys_guest_info(u32 id, struct guest_info *info)
{
	return (int)CALL2(SYS_GUEST_INFO, id, info);
}

s64 sys_guest_definition(u32 id, char *buf, u64 len)
{
	return CALL3(SYS_GUEST_DEFINITION, id, buf, len);
}

int sys_guest_start(u32 id, const struct guest_params *params, struct admission *admission)
{
	return (int)CALL3(SYS_GUEST_START, id, params, admission);
}

int sys_guest_control(u32 id, enum guest_control what, u64 argument)
{
	return (int)CALL3(SYS_GUEST_CONTROL, id, what, argument);
}

int sys_guest_vcpu_info(u32 id, u32 index, struct vcpu_info *info)
{
	return (int)CALL3(SYS_GUEST_VCPU_INFO, id, index, info);
}

int sys_trace(bool on)
{
	return (int)CALL1(SYS_TRACE, on);
}

s64 sys_trace_read(u32 cpu, u64 *position, struct trace_record *records, u64 count)
{
	return CALL4(SYS_TRACE_READ, cpu, position, records, count);
}

int sys_guest_schedule(u32 id, u32 weight, u32 cap)
{
	return (int)CALL3(SYS_GUEST_SCHEDULE, id, weight, cap);
}

int sys_guest_pin(u32 id, u32 index, const struct cpu_set *set)
{
	return (int)CALL3(SYS_GUEST_PIN, id, index, set);
}

int sys_guest_vcpu_state(u32 id, u32 index, struct vcpu_state *state)
{
	return (int)CALL3(SYS_GUEST_VCPU_STATE, id, index, state);
}

int sys_guest_peek(u32 id, u64 gpa, void *buf, u64 len)
{
	return (int)CALL4(SYS_GUEST_PEEK, id, gpa, buf, len);
}

s64 sys_guest_output(u32 id, u64 *position, void *buf, u64 len)
{
	return CALL4(SYS_GUEST_OUTPUT, id, position, buf, len);
}

s64 sys_guest_input(u32 id, const void *buf, u64 len)
{
	return CALL3(SYS_GUEST_INPUT, id, buf, len);
}

int sys_guest_watch(u32 id)
{
	return (int)CALL1(SYS_GUEST_WATCH, id);
}

int sys_guest_memory(u32 id, struct guest_memory *memory)
{
	return (int)CALL2(SYS_GUEST_MEMORY, id, memory);
}

int sys_guest_tune(u32 id, const struct guest_tune *tune, struct admission *admission)
{
	return (int)CALL3(SYS_GUEST_TUNE, id, tune, admission);
}

int sys_ledger_info(struct ledger_info *info)
{
	return (int)CALL1(SYS_LEDGER_INFO, info);
}

int sys_host_power(enum host_power what)
{
	return (int)CALL1(SYS_HOST_POWER, what);
}

int sys_merge_info(struct merge_info *info)
{
	return (int)CALL1(SYS_MERGE_INFO, info);
}

int sys_merge_verify(struct merge_verify *result)
{
	return (int)CALL2(SYS_MERGE_VERIFY, result, 0);
}

int sys_merge_matrix(struct merge_matrix *matrix)
{
	return (int)CALL2(SYS_MERGE_MATRIX, matrix, 0);
}

int sys_merge_control(enum merge_control what, u64 value)
{
	return (int)CALL2(SYS_MERGE_CONTROL, what, value);
}

s64 sys_call(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	return call(number, a, b, c, d, e);
}

u64 sys_clock(void)
{
	u32 low, high;
	u64 tsc;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	tsc = ((u64)high << 32 | low) - sys_abi->tsc_base;
	return (u64)(((unsigned __int128)tsc * sys_abi->tsc_mul) >> 32);
}
