/* SynIC and the synthetic timers: messages, direct interrupts, one-shot, periodic, sources that do not interrupt. */
#include "tests/guests/hyperv/hyperv.h"

#define SINT 2
#define TIMER_EXPIRED 0x80000010

struct message {
	volatile u32 type;
	volatile u8 len, flags, reserved[2];
	volatile u64 sender;
	volatile u32 timer, reserved1;
	volatile u64 due, now;
	u8 rest[256 - 40];
};

static struct message messages[16] __attribute__((aligned(PAGE)));
static u8 events[PAGE] __attribute__((aligned(PAGE)));

static void timers_stop(void)
{
	for (u32 n = 0; n < 4; n++) {
		wrmsr(TIMER_CONFIG(n), 0);
		wrmsr(TIMER_COUNT(n), 0);
	}
	messages[SINT].type = 0;
}

static void test_registers_of_synic(void)
{
	check_equal(rdmsr(MSR_SYNIC_VERSION), 1, "SynIC: version");
	check_equal(rdmsr(MSR_EOM), 0, "SynIC: EOM reads 0");
	check(faults_write(MSR_SINT + SINT, 15), "SINT: a vector below 16 faults");
	wrmsr(MSR_SINT + SINT, SINT_MASKED | 15);
	check_equal(rdmsr(MSR_SINT + SINT), SINT_MASKED | 15, "SINT: but not while it is masked");
	check(faults_write(MSR_MESSAGES, 0xffffff000 | ENABLED), "SynIC: a page where no memory is faults");
	messages[15].rest[0] = 1;
	wrmsr(MSR_MESSAGES, 0);
	wrmsr(MSR_MESSAGES, page_msr(messages));
	check_equal(messages[15].rest[0], 0, "SynIC: the page of messages begins as zeroes");
	wrmsr(MSR_EVENTS, page_msr(events));
	wrmsr(MSR_SYNIC, ENABLED);
	check_equal(rdmsr(MSR_MESSAGES), page_msr(messages), "SynIC: enabled");
	wrmsr(MSR_SINT + SINT, VECTOR);
	check(faults_write(TIMER_CONFIG(0), 1 << 13), "timer: reserved bits fault");
	check(faults_write(TIMER_CONFIG(3), 1ull << 63), "timer: all of them");
	wrmsr(TIMER_CONFIG(0), ENABLED);
	check_equal(rdmsr(TIMER_CONFIG(0)), 0, "timer: not enabled without a source");
}

static void test_one_shot(void)
{
	struct message *m = &messages[SINT];
	u64 due = rdmsr(MSR_TIME) + 2 * MS;
	u32 before = count;

	wrmsr(TIMER_CONFIG(1), BY_SINT(SINT) | AUTO);
	wrmsr(TIMER_COUNT(1), due);
	check_equal(rdmsr(TIMER_CONFIG(1)), BY_SINT(SINT) | AUTO | ENABLED, "one-shot: its count enables it");
	check(came(before), "one-shot: interrupts");
	check_equal(m->type, TIMER_EXPIRED, "one-shot: its message");
	check(m->len == 24 && m->timer == 1 && m->due == due, "one-shot: says which timer and when it was due");
	check(m->now >= due && m->now - due < 50 * MS, "one-shot: not early, not much later");
	check_equal(rdmsr(TIMER_CONFIG(1)), BY_SINT(SINT) | AUTO, "one-shot: disabled afterwards");
	check_equal(rdmsr(TIMER_COUNT(1)), due, "one-shot: its count stays");

	/* The slot is still taken: the next message waits, and comes once it is asked for. */
	before = count;
	wrmsr(TIMER_COUNT(1), 1);
	check(!came(before) && m->flags & 1, "a message waits for its slot, and is announced");
	m->type = 0;
	wrmsr(MSR_EOM, 0);
	check(came(before) && m->type == TIMER_EXPIRED && m->due == 1, "and comes after EOM");
	check(!(m->flags & 1), "nothing waits behind it");
	timers_stop();
}

/* How many came in the time that 50 of them take: never too many. */
static u32 ticks(u32 n, u64 config)
{
	u64 begin = page_time(), end;
	u32 before = count;

	wrmsr(TIMER_CONFIG(n), config | PERIODIC | ENABLED);
	wrmsr(TIMER_COUNT(n), 2 * MS);
	interrupts_on();
	while ((end = page_time()) < begin + 101 * MS)
		if (messages[SINT].type) {
			messages[SINT].type = 0;
			wrmsr(MSR_EOM, 0);
		}
	timers_stop();
	interrupts_off();
	return count - before <= (end - begin) / (2 * MS) + 1 ? count - before : ~0u;
}

/* A timer that is late skips, on a busy machine; the best of some attempts counts. */
static void test_periodic(u32 n, u64 config, const char *name)
{
	u32 best = 0, got = 0;

	for (u32 i = 0; i < 20 && best < 45 && got != ~0u; i++) {
		got = ticks(n, config);
		best = got > best ? got : best;
	}
	check(best >= 45 && best != ~0u, name);
	check(!came(count), "periodic: stops");
}

static void test_quiet(void)
{
	u32 before = count;

	wrmsr(MSR_SINT + SINT, SINT_MASKED | VECTOR);
	wrmsr(TIMER_CONFIG(0), BY_SINT(SINT) | ENABLED);
	wrmsr(TIMER_COUNT(0), 1);
	check(messages[SINT].type == TIMER_EXPIRED && !came(before), "a masked source has the message only");
	timers_stop();
	wrmsr(MSR_SINT + SINT, SINT_POLLING | VECTOR);
	wrmsr(TIMER_CONFIG(0), BY_SINT(SINT) | ENABLED);
	wrmsr(TIMER_COUNT(0), 1);
	check(messages[SINT].type == TIMER_EXPIRED && !came(before), "a polled source, too");
	timers_stop();
	wrmsr(MSR_SINT + SINT, SINT_AUTO_EOI | VECTOR_QUIET);
	for (u32 i = 0; i < 3; i++) {
		wrmsr(TIMER_CONFIG(0), BY_SINT(SINT) | ENABLED);
		wrmsr(TIMER_COUNT(0), 1);
		came(before + i);
		timers_stop();
	}
	check_equal(count - before, 3, "AutoEOI: each comes although none is ended");
	check_equal(lapic_read(APIC_ISR + 0x30), 0, "AutoEOI: none is in service");
	wrmsr(MSR_SINT + SINT, VECTOR);
}

void test_timers(void)
{
	u32 before;

	test_registers_of_synic();
	test_one_shot();
	test_periodic(2, BY_SINT(SINT), "periodic by message: ticks at its rate");
	test_periodic(3, BY_VECTOR(VECTOR), "periodic and direct: ticks at its rate");
	test_periodic(0, BY_VECTOR(VECTOR) | LAZY, "periodic and lazy: ticks at its rate");
	before = count;
	wrmsr(TIMER_COUNT(0), rdmsr(MSR_TIME) + MS);
	wrmsr(TIMER_CONFIG(0), BY_VECTOR(VECTOR) | ENABLED);
	check(came(before) && !messages[SINT].type, "direct: an interrupt without a message");
	before = count;
	wrmsr(TIMER_COUNT(0), rdmsr(MSR_TIME) + 1000 * MS);
	wrmsr(TIMER_CONFIG(0), BY_VECTOR(VECTOR) | ENABLED);
	wrmsr(TIMER_COUNT(0), 0);
	check(!came(before) && rdmsr(TIMER_CONFIG(0)) == BY_VECTOR(VECTOR), "a count of 0 stops it");
	test_quiet();
	wrmsr(MSR_SYNIC, 0);
	wrmsr(TIMER_CONFIG(0), BY_SINT(SINT) | ENABLED);
	wrmsr(TIMER_COUNT(0), 1);
	check(!messages[SINT].type, "no message while SynIC is off");
	wrmsr(MSR_SYNIC, ENABLED);
	wrmsr(MSR_EOM, 0);
	check_equal(messages[SINT].type, TIMER_EXPIRED, "it comes when SynIC is on");
	came(count - 1);
	timers_stop();
}
