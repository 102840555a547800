/* What an interrupt from one processor to another costs, while both sleep in between and while both spin. */
#include "tests/guests/bench/bench.h"

#define ROUNDS 500
#define PING 0x60
#define PONG 0x61
#define MARK 0x62

static volatile u32 pongs;
static volatile u64 marked; /* TSC in MARK's handler */
static volatile bool spin;

static void on_ping(struct frame *frame)
{
	lapic_eoi();
	lapic_ipi(0, PONG);
}

static void on_pong(struct frame *frame)
{
	lapic_eoi();
	pongs = pongs + 1;
}

static void on_mark(struct frame *frame)
{
	marked = now();
	lapic_eoi();
}

static void second(u32 index)
{
	while (!spin)
		asm volatile("sti; hlt" : : : "memory");
	interrupts_on();
	for (;;)
		asm volatile("" : : : "memory");
}

/* There and back, asleep: twice an IPI to a halted processor that sends one. */
static void bench_halted(void)
{
	u64 begin = 0;

	for (u32 i = 0; i < ROUNDS + 1; i++) {
		u32 before = pongs;

		if (i == 1) /* the first found nothing prepared */
			begin = now();
		lapic_ipi(1, PING);
		while (pongs == before)
			asm volatile("sti; hlt; cli" : : : "memory");
	}
	print("BENCH ipi-halted %u\n", (now() - begin) / ROUNDS / 2);
}

/* From before the write to the first instruction of the handler on a processor that computes. */
static void bench_spinning(void)
{
	u64 total = 0;

	spin = true;
	lapic_ipi(1, PING); /* out of HLT */
	wait_us(1000);
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 begin;

		marked = 0;
		begin = now();
		lapic_ipi(1, MARK);
		while (!marked)
			;
		total += marked - begin;
		wait_us(20); /* until the other is back in its loop */
	}
	print("BENCH ipi-spinning %u\n", total / ROUNDS);
}

void bench_ipi(void)
{
	lapic_enable(true);
	trap_set(PING, on_ping);
	trap_set(PONG, on_pong);
	trap_set(MARK, on_mark);
	if (!processor_start(1, second)) {
		print("no second processor\n");
		return;
	}
	print("GO?\n");
	while (!(inb(0x3fd) & 1))
		;
	inb(0x3f8);
	interrupts_off();
	bench_halted();
	interrupts_on();
	if (option_set("spinning")) /* each has a processor of the host's */
		bench_spinning();
}
