/* Panic: one CPU reports, the others are stopped by NMI.  No locks; everything is polled and bounded.
 * A panic inside the report (a bad pointer on the stack, say) goes straight on to the prompt. */
#include "kernel/panic.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/tsc.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/symbols.h"

#define FRAMES_MAX 32

struct panic_hooks panic_hooks;
u32 panic_reboot_s;

static u32 active; /* a: 1 from the first panic on */
static u64 owner;  /* the panicking CPU's GS base, which tells CPUs apart even when GS is bad */

void panic_print(const char *format, ...)
{
	char text[LOG_LINE_MAX];
	va_list args;
	int len;

	va_start(args, format);
	len = fmt_vprint(text, sizeof(text), format, args);
	va_end(args);
	if (panic_hooks.write)
		panic_hooks.write(text, MIN((size_t)len, sizeof(text) - 1));
}

static _Noreturn void stop_for_ever(void)
{
	for (;;) {
		cli();
		hlt();
	}
}

void panic_stop_here(void)
{
	if (__atomic_load_n(&active, __ATOMIC_ACQUIRE) && rdmsr(MSR_GS_BASE) != owner)
		stop_for_ever();
}

/* ---- the report ---- */

static void print_registers(const struct user_regs *r)
{
	panic_print("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
	panic_print("rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx\n", r->rsi, r->rdi, r->rbp, r->rsp);
	panic_print("r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
	panic_print("r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx\n", r->r12, r->r13, r->r14, r->r15);
	panic_print("rip %016lx  cs %lx  ss %lx  rflags %lx  vector %lu  error %lx\n", r->rip, r->cs, r->ss,
		    r->rflags, r->vector, r->error);
	panic_print("cr0 %lx  cr2 %lx  cr3 %lx  cr4 %lx  efer %lx\n", cr0_read(), cr2_read(), cr3_read(), cr4_read(),
		    rdmsr(MSR_EFER));
}

struct span {
	u64 low, high;
};

/* The stack of this CPU that address lies in.  Before there is a struct cpu: what is just above. */
static struct span stack_of(u64 address)
{
	struct cpu *cpu = (struct cpu *)rdmsr(MSR_GS_BASE);
	struct span spans[3], none = { 0, 0 };

	if (!cpu || cpu->self != cpu)
		return (struct span){ address, ALIGN_UP(address + 1, PAGE_SIZE) };
	spans[0] = (struct span){ cpu->stack_top - CPU_STACK_SIZE, cpu->stack_top };
	spans[1] = (struct span){ (u64)cpu->ist_nmi, (u64)cpu->ist_nmi + sizeof(cpu->ist_nmi) };
	spans[2] = (struct span){ (u64)cpu->ist_fault, (u64)cpu->ist_fault + sizeof(cpu->ist_fault) };
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		if (address >= spans[i].low && address < spans[i].high)
			return spans[i];
	return none;
}

static void print_address(u64 address)
{
	u64 offset = 0;
	const char *name = symbols_find(address, &offset);

	if (name)
		panic_print("  %016lx  %s+0x%lx\n", address, name, offset);
	else
		panic_print("  %016lx\n", address);
}

static void backtrace(u64 rip, u64 rbp)
{
	struct span stack = stack_of(rbp);

	panic_print("backtrace:\n");
	if (rip)
		print_address(rip);
	for (int i = 0; i < FRAMES_MAX && rbp; i++) {
		u64 next;

		if (rbp % 8 || rbp < stack.low || rbp + 16 > stack.high) {
			panic_print("  (rbp %lx is not on this stack)\n", rbp);
			return;
		}
		next = ((u64 *)rbp)[0];
		print_address(((u64 *)rbp)[1]);
		if (next && next <= rbp) {
			panic_print("  (the frames do not rise: %lx)\n", next);
			return;
		}
		rbp = next;
	}
}

/* ---- the prompt ---- */

static void dump_log(void)
{
	u64 position = 0;
	char part[128];
	size_t n;

	while ((n = log_read(&position, part, sizeof(part))) > 0)
		if (panic_hooks.write)
			panic_hooks.write(part, n);
}

static void reboot(void)
{
	panic_print("rebooting\n");
	if (panic_hooks.reboot)
		panic_hooks.reboot();
	panic_print("the reboot failed\n");
}

static void execute(const char *line)
{
	if (!strcmp(line, "dmesg"))
		dump_log();
	else if (!strcmp(line, "reboot"))
		reboot();
	else if (*line)
		panic_print("only: dmesg, reboot\n");
	panic_print("panic> ");
}

static _Noreturn void prompt(void)
{
	char line[32];
	size_t len = 0;
	u64 start = rdtsc(), wait = panic_reboot_s * tsc_hz();

	if (wait)
		panic_print("reboot in %u s; any key stops that\n", panic_reboot_s);
	panic_print("panic> ");
	for (;;) {
		int c = panic_hooks.read ? panic_hooks.read() : -1;

		if (c < 0) {
			pause();
			if (wait && rdtsc() - start > wait) {
				wait = 0;
				reboot();
			}
			continue;
		}
		wait = 0;
		if (c == '\r' || c == '\n') {
			panic_print("\n");
			line[len] = 0;
			len = 0;
			execute(line);
		} else if ((c == 8 || c == 127) && len) {
			len--;
			panic_print("\b \b");
		} else if (c >= ' ' && c <= '~' && len < sizeof(line) - 1) {
			line[len++] = (char)c;
			panic_print("%c", c);
		}
	}
}

/* ---- the way in ---- */

static void stop_others(void)
{
	apic_send_nmi(APIC_ID_ALL_BUT_SELF);
	tsc_delay(1000); /* let what they were printing end */
	log_break();
}

static _Noreturn void report(const struct user_regs *regs, u64 rbp, const char *format, va_list args)
{
	char text[LOG_LINE_MAX];
	struct cpu *cpu = (struct cpu *)rdmsr(MSR_GS_BASE);

	cli();
	if (__atomic_exchange_n(&active, 1, __ATOMIC_ACQ_REL)) {
		if (rdmsr(MSR_GS_BASE) != owner)
			stop_for_ever();
		panic_print("\n(a panic within the panic)\n");
		prompt();
	}
	owner = (u64)cpu;
	stop_others();
	if (panic_hooks.begin)
		panic_hooks.begin();
	fmt_vprint(text, sizeof(text), format, args);
	panic_print("\n*** Quire panic on CPU %u: %s\n", cpu ? cpu->index : 0, text);
	if (regs)
		print_registers(regs);
	backtrace(regs ? regs->rip : 0, regs ? regs->rbp : rbp);
	if (panic_hooks.report)
		panic_hooks.report();
	prompt();
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(NULL, rbp_read(), format, args);
}

void panic_registers(const struct user_regs *regs, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(regs, rbp_read(), format, args);
}
