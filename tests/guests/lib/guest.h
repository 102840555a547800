/* The runtime of the test guests: serial output, verdicts, traps, the local APIC, further processors, time.
 * A guest is one main() per folder; its verdicts are lines `PASS name` and `FAIL name`, then SUMMARY. */
#ifndef GUESTS_LIB_GUEST_H
#define GUESTS_LIB_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define HPET 0xfed00000u
#define IOAPIC 0xfec00000u
#define LAPIC 0xfee00000u
#define PM_TIMER_PORT 0x608
#define PM_TIMER_HZ 3579545u

/* ---- processor ---- */

static inline u8 inb(u16 port)
{
	u8 v;
	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline u32 inl(u16 port)
{
	u32 v;
	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outl(u16 port, u32 v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline u16 inw(u16 port)
{
	u16 v;
	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outw(u16 port, u16 v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline u64 rdtsc(void)
{
	u32 low, high;
	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;
	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 sub)
{
	struct cpuid r;
	asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub));
	return r;
}

#define READ_REG(reg) ({ u64 v_; asm volatile("mov %%" #reg ", %0" : "=r"(v_)); v_; })
#define WRITE_REG(reg, v) asm volatile("mov %0, %%" #reg : : "r"((u64)(v)) : "memory")

static inline u32 mmio_read(u64 address)
{
	u32 v;
	asm volatile("movl %1, %0" : "=r"(v) : "m"(*(volatile u32 *)address) : "memory");
	return v;
}

static inline void mmio_write(u64 address, u32 v)
{
	asm volatile("movl %0, %1" : : "r"(v), "m"(*(volatile u32 *)address) : "memory");
}

static inline void relax(void)
{
	asm volatile("pause" : : : "memory");
}

/* ---- output and verdicts (serial.c) ---- */

/* %s %u (u64) %x (u64) only. */
void print(const char *format, ...);
void put_char(char c);
/* PASS name or FAIL name, counted; the second also prints both values of a failure. */
void check(bool ok, const char *name);
void check_equal(u64 got, u64 want, const char *name);
/* SUMMARY n passed, m failed; then stops this processor for ever. */
_Noreturn void finish(void);
_Noreturn void stop(void);

bool text_equal(const char *a, const char *b);
/* The number after `key` ("vcpus=") on the command line, or otherwise. */
u64 option(const char *key, u64 otherwise);
/* Does the command line contain this word? */
bool option_set(const char *word);

/* ---- memory map (memory.c) ---- */

struct range {
	u64 base, end;
};

#define RANGES_MAX 32
extern struct range ram[RANGES_MAX]; /* usable RAM below 4 GiB as the loader told it */
extern u32 ram_count;
extern struct range modules_at;      /* what the loader put modules into; empty without one */
extern char image_start[], image_end[];

/* ---- traps (trap.c) ---- */

struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct caught {
	u64 vector, error, rip, cr2;
};

typedef void trap_function(struct frame *frame);
/* Handlers run with interrupts off; an unhandled fault inside trap_catch ends it, elsewhere the guest. */
void trap_set(u32 vector, trap_function *handler);
extern struct caught caught; /* of the last trap_catch that did not return NO_FAULT */
#define NO_FAULT (~0ull)
/* The vector of the fault that ended f, or NO_FAULT. */
u64 trap_catch(void (*f)(void *), void *argument);
void trap_load(void); /* IDT, TSS: for this processor */

/* ---- local APIC (lapic.c) ---- */

enum {
	APIC_ID = 0x20, APIC_VERSION = 0x30, APIC_TPR = 0x80, APIC_PPR = 0xa0, APIC_EOI = 0xb0, APIC_LDR = 0xd0,
	APIC_DFR = 0xe0, APIC_SVR = 0xf0, APIC_ISR = 0x100, APIC_IRR = 0x200, APIC_ESR = 0x280, APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310, APIC_LVT_TIMER = 0x320, APIC_LVT_LINT0 = 0x350, APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370, APIC_TIMER_INIT = 0x380, APIC_TIMER_NOW = 0x390, APIC_TIMER_DIVIDE = 0x3e0,
};

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_EFER 0xc0000080

extern bool x2apic;
void lapic_enable(bool x2);         /* this processor's, in that mode; spurious vector ffh */
u32 lapic_read(u32 offset);
void lapic_write(u32 offset, u32 v);
void lapic_eoi(void);
u32 lapic_id(void);
void lapic_ipi(u32 destination, u32 low); /* low: vector, mode, shorthand of the ICR */
void ioapic_write(u32 index, u32 v);
u32 ioapic_read(u32 index);
void ioapic_route(u32 pin, u8 vector, u32 flags, u8 destination);

/* ---- further processors (processor.c) ---- */

/* Starts processor apic_id, which then runs f(index) with its APIC as ours and interrupts off. */
bool processor_start(u32 apic_id, void (*f)(u32 index));
extern volatile u32 processor_count;

/* ---- time (time.c) ---- */

u32 pm_timer(void);                    /* 24 bits */
void wait_us(u32 us);                  /* by the PM timer */
u64 tsc_hz(void);                      /* measured once against the PM timer */
/* Waits until *word != old, at most us; interrupts are on meanwhile.  True if it changed. */
bool wait_change(volatile u32 *word, u32 old, u32 us);

static inline void interrupts_on(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void interrupts_off(void)
{
	asm volatile("cli" : : : "memory");
}

int main(const char *command_line);
extern const char *command_line;
void guest_main(u32 magic, u64 information);

#endif
