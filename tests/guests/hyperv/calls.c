/* The local APIC by MSR, and hypercalls: status codes, IPIs to several processors, TLB flushes. */
#include "tests/guests/hyperv/hyperv.h"

#define CALL_FLUSH 2
#define CALL_FLUSH_LIST 3
#define CALL_SPIN 8
#define CALL_IPI 0x0b
#define CALL_FLUSH_EX 0x13
#define CALL_IPI_EX 0x15
#define FAST (1ull << 16)

static u8 code[PAGE] __attribute__((aligned(PAGE)));
static u64 input[PAGE / 8] __attribute__((aligned(PAGE)));
static volatile u32 answers, index_seen, synic_seen;

/* A page at 512 GiB, through tables of its own, which the other processor reads without an exit. */
#define WINDOW (1ull << 39)
static u64 tables[3][512] __attribute__((aligned(PAGE)));
static u32 pages[2][PAGE / 4] __attribute__((aligned(PAGE)));
static volatile u32 watches, rounds, seen;

void test_apic(void)
{
	u32 before = count;

	wrmsr(MSR_TPR, 0x20);
	check(rdmsr(MSR_TPR) == 0x20 && lapic_read(APIC_TPR) == 0x20, "TPR by MSR is the APIC's");
	check(faults_write(MSR_TPR, 0x100), "TPR has 8 bits");
	wrmsr(MSR_TPR, 0);
	wrmsr(MSR_ICR, (x2apic ? (u64)lapic_id() << 32 : (u64)lapic_id() << 56) | VECTOR);
	check(came(before), "ICR by MSR sends, EOI by MSR ends");
	before = count;
	wrmsr(MSR_ICR, 0x40000 | VECTOR);
	check(came(before), "and again");
}

static u64 call(u64 value, u64 first, u64 second)
{
	register u64 r8 asm("r8") = second;
	u64 status, at = (u64)code;

	asm volatile("call *%%rax" : "=a"(status), "+c"(value), "+d"(first), "+r"(r8) : "a"(at)
		     : "memory", "r9", "r10", "r11");
	return status;
}

static void on_question(struct frame *frame)
{
	wrmsr(MSR_EOI, 0);
	__atomic_fetch_add(&answers, 1, __ATOMIC_SEQ_CST);
}

static void serve(u32 index)
{
	index_seen = rdmsr(MSR_VP_INDEX);
	synic_seen = rdmsr(MSR_SYNIC);
	wrmsr(MSR_SYNIC, ENABLED);
	for (;;) {
		interrupts_off();
		if (!watches)
			asm volatile("sti; hlt" : : : "memory");
		interrupts_on(); /* Bochs's SVM does not leave a guest for an interrupt while they are off */
		for (; watches; rounds = rounds + 1)
			seen = *(volatile u32 *)WINDOW;
	}
}

static bool answered(u32 want)
{
	for (u32 i = 0; i < 1000 && answers != want; i++)
		wait_us(100);
	return answers == want;
}

static void test_status(void)
{
	check_equal(call(CALL_SPIN, (u64)input, 0), 0, "call: a long wait for a lock");
	check_equal(call(CALL_SPIN | FAST, 0, 0), 0, "call: the same, fast");
	check_equal(call(0x7777, 0, 0), 2, "call: an unknown code");
	check_equal(call(0x5c, (u64)input, 0), 2, "call: no messages are posted");
	check_equal(call(CALL_SPIN | 1ull << 63, 0, 0), 3, "call: reserved bits");
	check_equal(call(CALL_SPIN | 1ull << 32, 0, 0), 3, "call: repeats where there are none");
	check_equal(call(CALL_IPI, (u64)input + 4, 0), 4, "call: misaligned parameters");
	check_equal(call(CALL_IPI, (u64)input + PAGE - 8, 0), 4, "call: parameters in two pages");
	check_equal(call(CALL_IPI, 0xffffff000, 0), 3, "call: parameters where no memory is");
	check_equal(call(CALL_IPI | FAST, 15, 1), 5, "call: IPI with a vector below 16");
	check_equal(call(CALL_IPI | FAST, 1ull << 32 | 0x61, 1), 5, "call: IPI to a trust level that is not there");
}

/* The other processor has read twice since. */
static u32 read_by_other(void)
{
	u32 before = rounds;

	for (u32 i = 0; i < 1000 && rounds - before < 2; i++)
		wait_us(100);
	return rounds - before < 2 ? ~0u : seen;
}

static u32 flips(u64 value, u32 times)
{
	u32 good = 0;

	for (u32 i = 0; i < times; i++) {
		u32 n = (u32)(tables[2][0] == ((u64)pages[0] | 3));

		tables[2][0] = (u64)pages[n] | 3;
		good += call(value, (u64)input, 0) == (value >> 32 & 0xfff) << 32 && read_by_other() == n;
	}
	return good;
}

static void test_flushes(void)
{
	u64 *top = (u64 *)(READ_REG(cr3) & ~0xfffull);

	top[WINDOW >> 39] = (u64)tables[0] | 3;
	tables[0][0] = (u64)tables[1] | 3;
	tables[1][0] = (u64)tables[2] | 3;
	tables[2][0] = (u64)pages[0] | 3;
	pages[1][0] = 1;
	watches = 1;
	call(CALL_IPI | FAST, 0x61, 2);
	input[0] = READ_REG(cr3), input[1] = 0, input[2] = 2;
	check_equal(flips(CALL_FLUSH, 100), 100, "call: flush of another processor");
	input[1] = 1, input[2] = 0;
	check_equal(flips(CALL_FLUSH, 20), 20, "call: flush of all");
	input[1] = 0, input[2] = 2, input[3] = WINDOW;
	check_equal(flips(CALL_FLUSH_LIST | 1ull << 32, 20), 20, "call: flush of an address");
	input[2] = 0, input[3] = 1, input[4] = 2;
	check_equal(flips(CALL_FLUSH_EX | 1ull << 17, 20), 20, "call: flush of a sparse set");
	check_equal(call(CALL_FLUSH_LIST, (u64)input, 0), 3, "call: a list without a length");
	check_equal(call(CALL_FLUSH | FAST, 0, 0), 3, "call: no fast flush");
	watches = 0;
}

static void test_ipis(u32 processors)
{
	check(processor_start(1, serve), "a further processor starts");
	for (u32 i = 0; i < 100 && !index_seen; i++)
		wait_us(1000);
	check_equal(index_seen, 1, "its VP index");
	check_equal(call(CALL_IPI | FAST, 0x61, 2), 0, "call: fast IPI");
	check(answered(1), "fast IPI arrives");
	input[0] = 0x61, input[1] = 2;
	check_equal(call(CALL_IPI, (u64)input, 0), 0, "call: IPI");
	check(answered(2), "IPI arrives");
	input[1] = 0, input[2] = 1, input[3] = 2 | 1ull << 63;
	check_equal(call(CALL_IPI_EX | 1ull << 17, (u64)input, 0), 0, "call: IPI to a sparse set");
	check(answered(3), "IPI to a sparse set arrives, once");
	check_equal(call(CALL_IPI_EX, (u64)input, 0), 5, "call: a sparse set of another size");
	check_equal(call(CALL_IPI_EX | FAST, 0x61, 0), 3, "call: no fast IPI to a sparse set");
	input[1] = 2;
	check_equal(call(CALL_IPI_EX, (u64)input, 0), 5, "call: an unknown kind of set");
	input[1] = 1;
	check_equal(call(CALL_IPI_EX, (u64)input, 0), 0, "call: IPI to all");
	interrupts_on();
	check(answered(3 + processors), "IPI to all arrives");
	interrupts_off();
	test_flushes();
	index_seen = 0;
	processor_count = 1;
	check(processor_start(1, serve) && !synic_seen, "INIT resets SynIC");
}

void test_calls(u32 processors)
{
	trap_set(0x61, on_question);
	wrmsr(MSR_OS_ID, 0x8100 << 16);
	wrmsr(MSR_HYPERCALL, page_msr(code));
	test_status();
	if (processors == 2)
		test_ipis(processors);
}
