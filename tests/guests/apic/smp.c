/* Several processors: INIT and SIPI, IPIs each way, also to one with interrupts off, broadcasts, INIT again, NMI to
 * another, atomics. */
#include "tests/guests/apic/apic.h"

#define ROUNDS 200

static volatile u32 answers, nmis, added, sent;
static volatile u32 seen_ids;

static void on_question(struct frame *frame)
{
	lapic_eoi();
	__atomic_fetch_add(&answers, 1, __ATOMIC_SEQ_CST);
}

/* An interrupt for the first processor, but not yet. */
static void on_order(struct frame *frame)
{
	lapic_eoi();
	wait_us(200);
	lapic_ipi(0, VECTOR(2));
	__atomic_fetch_add(&sent, 1, __ATOMIC_SEQ_CST);
}

static void on_nmi(struct frame *frame)
{
	__atomic_fetch_add(&nmis, 1, __ATOMIC_SEQ_CST);
}

/* What a further processor does: answers, and adds where another adds too. */
static void serve(u32 index)
{
	__atomic_fetch_or(&seen_ids, 1u << lapic_id(), __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < 10000; i++)
		__atomic_fetch_add(&added, 1, __ATOMIC_SEQ_CST);
	for (;;)
		asm volatile("sti; hlt; cli" : : : "memory");
}

static bool ask(u32 destination, u32 low, u32 want)
{
	u32 before = answers;
	u64 end = rdtsc() + 3 * tsc_hz();

	lapic_ipi(destination, low);
	while (answers - before < want && rdtsc() < end)
		relax();
	return answers - before == want;
}

static void test_ipis(const char *mode, u32 count)
{
	u32 good = 0, everyone = 0;

	for (u32 i = 0; i < ROUNDS; i++)
		good += ask(1 + i % (count - 1), 0x51, 1);
	check_equal(good, ROUNDS, named(mode, "IPI to one processor"));
	for (u32 i = 0; i < ROUNDS; i++)
		everyone += ask(0, 0xc0000 | 0x51, count - 1);
	check_equal(everyone, ROUNDS, named(mode, "IPI to all others"));
	check(ask(1, 0x400, 0), named(mode, "NMI to another is sent"));
	for (u32 i = 0; i < 1000 && !nmis; i++)
		wait_us(100);
	check_equal(nmis, 1, named(mode, "NMI to another arrives, while it sleeps"));
}

/* Until another has sent something, or for so long; with nothing that would call a hypervisor. */
static void spin(u32 before, u64 cycles)
{
	u64 end = rdtsc() + cycles;

	while (sent == before && rdtsc() < end)
		;
}

/* One interrupt waits already when the other comes: where a hypervisor sees to that, the first must not slip in. */
static void test_interrupts_off(const char *mode)
{
	u32 early = 0;

	vectors_clear();
	trap_set(0x52, on_order);
	for (u32 n = 0; n < 20; n++) {
		lapic_ipi(1, 0x52);
		interrupts_on();
		interrupts_off();
		send_self(VECTOR(1));
		spin(n, 3 * tsc_hz());
		spin(n + 1, tsc_hz() / 1000);
		early += counts[1] + counts[2] - 2 * n;
		interrupts_on();
		asm volatile("nop; nop");
		interrupts_off();
	}
	check_equal(early, 0, named(mode, "IPIs wait while interrupts are off"));
	check_equal(counts[1] + counts[2], 40, named(mode, "and come with STI"));
}

void test_processors(const char *mode, u32 count)
{
	u32 started = 0, want = 1;

	answers = nmis = added = sent = seen_ids = 0;
	if (count < 2)
		return;
	trap_set(0x51, on_question);
	trap_set(2, on_nmi);
	for (u32 id = 1; id < count; id++) {
		started += processor_start(id, serve);
		want |= 1u << id;
	}
	check_equal(started, count - 1, named(mode, "processors start"));
	for (u32 i = 0; i < 3000 && added < 10000 * (count - 1); i++)
		wait_us(1000);
	check_equal(added, 10000 * (count - 1), named(mode, "atomic additions"));
	check_equal(seen_ids | 1, want, named(mode, "APIC ids"));
	test_ipis(mode, count);
	test_interrupts_off(mode);
	/* INIT puts them back to waiting, so that they start again in the other mode */
	for (u32 id = 1; id < count; id++)
		lapic_ipi(id, 0x4500);
	check(ask(0, 0xc0000 | 0x51, 0), named(mode, "none answers after INIT"));
}
