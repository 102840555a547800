/* bench.elf: what an exit costs, in TSC cycles for each operation: `BENCH name cycles`.  Under -icount a
 * cycle is one emulated instruction, so the figures repeat.  The empty loop's cost is taken off; the cheapest
 * of some batches counts, so that another's work that falls into one (a host's tick, its daemons) does not.
 * With the word `writes` on its command line: what writes to merged pages cost instead (writes.c); with `ipi`: what
 * interrupts between processors do (ipi.c). */
#include "tests/guests/bench/bench.h"

#define ROUNDS 1000
#define BATCHES 10

/* The command line's last word names the operation to be done for ever, for tests/profile.py. */
static const char *last_word = "";

static bool loops(const char *name)
{
	static bool told;

	if (!text_equal(last_word, name))
		return false;
	if (!told)
		print("LOOP %s\n", name);
	return told = true;
}

static volatile u32 timer_count;
static volatile u64 handler_tsc;

/* Cycles for each round of `operation`, an asm statement that keeps the loop's counter in a register. */
#define MEASURE(name, operation) do { \
	u64 begin_, empty_, full_, best_ = ~0ull; \
	for (u32 warm_ = 0; warm_ < 20 || loops(name); warm_++) { operation; } \
	begin_ = now(); \
	for (u32 i_ = 0; i_ < ROUNDS / BATCHES; i_++) asm volatile(""); \
	empty_ = now() - begin_; \
	for (u32 batch_ = 0; batch_ < BATCHES; batch_++) { \
		begin_ = now(); \
		for (u32 i_ = 0; i_ < ROUNDS / BATCHES; i_++) { asm volatile(""); operation; } \
		full_ = now() - begin_; \
		best_ = full_ < best_ ? full_ : best_; \
	} \
	print("BENCH %s %u\n", name, (best_ - empty_) / (ROUNDS / BATCHES)); \
} while (0)

static void on_self(struct frame *frame)
{
	handler_tsc = now();
	timer_count = timer_count + 1;
	lapic_eoi();
}

static void print_mean(const char *name, u64 total, u32 rounds)
{
	print("BENCH %s %u\n", name, total / rounds);
}

static void hypercall(void *argument)
{
	asm volatile("vmmcall" : : "a"(99ull), "b"(0ull) : "memory");
}

static void bench_exits(void)
{
	MEASURE("cpuid", cpuid(0, 0));
	MEASURE("rdmsr-intercepted", rdmsr(MSR_APIC_BASE));
	MEASURE("port-21h", inb(0x21));
	MEASURE("port-61h", inb(0x61));
	MEASURE("port-80h-write", outb(0x80, 0));
	MEASURE("pm-timer", inl(PM_TIMER_PORT));
	MEASURE("uart-lsr", inb(0x3fd));
	MEASURE("mmio-hpet", mmio_read(HPET + 0xf0));
	MEASURE("mmio-ioapic", mmio_read(IOAPIC + 0x10));
	if (trap_catch(hypercall, NULL) == NO_FAULT)
		MEASURE("hypercall", hypercall(NULL));
}

static void bench_xapic(void)
{
	lapic_enable(false);
	MEASURE("xapic-eoi", mmio_write(LAPIC + APIC_EOI, 0));
	MEASURE("xapic-tpr-read", mmio_read(LAPIC + APIC_TPR));
	MEASURE("xapic-icr-read", mmio_read(LAPIC + APIC_ICR));
}

static void bench_self_ipi(void)
{
	u64 total = 0, begin;

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 before = timer_count;

		begin = now();
		wrmsr(0x83f, 0x50);
		while (timer_count == before)
			;
		total += handler_tsc - begin;
	}
	print_mean("x2apic-self-ipi-to-handler", total, ROUNDS);
}

/* From programming to handler, with a deadline that is past: the interrupt's whole way, no waiting. */
static void bench_deadline(void)
{
	u64 total = 0, begin;

	lapic_write(APIC_LVT_TIMER, 0x40000 | 0x50);
	for (u32 i = 0; i < ROUNDS || loops("tsc-deadline-past"); i++) {
		u32 before = timer_count;

		begin = now();
		wrmsr(MSR_TSC_DEADLINE, begin);
		while (timer_count == before)
			;
		total += handler_tsc - begin;
	}
	print_mean("tsc-deadline-past", total, ROUNDS);
}

/* Programming plus lateness of a deadline in the near future, while the guest spins or sleeps. */
static void bench_deadline_future(const char *name, bool halt)
{
	u64 total = 0, begin, programmed, due;

	for (u32 i = 0; i < ROUNDS || loops(name); i++) {
		u32 before = timer_count;

		begin = now();
		due = begin + 20000;
		wrmsr(MSR_TSC_DEADLINE, due);
		programmed = now();
		if (halt)
			interrupts_off();
		while (timer_count == before)
			if (halt)
				asm volatile("sti; hlt; cli" : : : "memory");
		interrupts_on();
		total += programmed - begin + (handler_tsc - due);
	}
	print_mean(name, total, ROUNDS);
}

static void bench_x2apic(void)
{
	lapic_enable(true);
	trap_set(0x50, on_self);
	trap_set(0xff, on_self);
	MEASURE("x2apic-tpr-read", rdmsr(0x808));
	MEASURE("x2apic-tpr-write", wrmsr(0x808, 0));
	MEASURE("x2apic-eoi", wrmsr(0x80b, 0));
	interrupts_on();
	bench_self_ipi();
	if (cpuid(1, 0).ecx & 1 << 24) {
		bench_deadline();
		bench_deadline_future("tsc-deadline", false);
		bench_deadline_future("tsc-deadline-halted", true);
	}
	interrupts_off();
}

static void bench_control(void)
{
	u64 cr0 = READ_REG(cr0), cr4 = READ_REG(cr4);

	MEASURE("cr0-wp", WRITE_REG(cr0, cr0 ^ (1ull << 16)); WRITE_REG(cr0, cr0));
	MEASURE("cr4-pge", WRITE_REG(cr4, cr4 ^ 0x80); WRITE_REG(cr4, cr4));
}

/* The first touch of RAM, for each page of 4 KiB, however large the pieces are that the hypervisor gives. */
static void bench_memory(void)
{
	u64 begin = now(), page = 16 << 20, end = 24 << 20, cr3;

	for (; page < end; page += 4096)
		*(volatile u8 *)page = 1;
	print_mean("first-touch", now() - begin, (8 << 20) / 4096);
	cr3 = READ_REG(cr3);
	MEASURE("cr3-load", WRITE_REG(cr3, cr3));
	MEASURE("invlpg", asm volatile("invlpg %0" : : "m"(*(u8 *)page)));
}

int main(const char *line)
{
	for (last_word = line; *line; line++)
		if (*line == ' ')
			last_word = line + 1;
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	if (option_set("writes")) {
		bench_writes();
		print("END\n");
		return 0;
	}
	if (option_set("ipi")) {
		bench_ipi();
		print("END\n");
		return 0;
	}
	bench_exits();
	bench_xapic();
	bench_control();
	bench_memory();
	if (cpuid(1, 0).ecx & 1 << 21)
		bench_x2apic();
	print("END\n");
	return 0;
}
