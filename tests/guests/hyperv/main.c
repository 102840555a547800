/* hyperv.elf: Hyper-V's interfaces as a guest uses them: leaves, MSRs, clocks, timers, messages, the assist page,
 * hypercalls.  Options: vcpus=N; only: KVM's leaves are not there; idle-plain, idle-hyperv: see idle.c; crash, reset:
 * ends so. */
#include "tests/guests/hyperv/hyperv.h"

volatile u32 count, assisted;
static u32 assist_page[PAGE / 4] __attribute__((aligned(PAGE)));

static void do_read(void *argument)
{
	rdmsr(*(u32 *)argument);
}

struct access {
	u32 msr;
	u64 value;
};

static void do_write(void *argument)
{
	struct access *a = argument;
	wrmsr(a->msr, a->value);
}

bool faults_read(u32 msr)
{
	return trap_catch(do_read, &msr) == 13;
}

bool faults_write(u32 msr, u64 value)
{
	struct access a = { msr, value };
	return trap_catch(do_write, &a) == 13;
}

u64 page_msr(void *page)
{
	return (u64)page | ENABLED;
}

static void on_interrupt(struct frame *frame)
{
	count = count + 1;
	if (__atomic_exchange_n(assist_page, 0, __ATOMIC_SEQ_CST) & 1)
		assisted = assisted + 1;
	else
		wrmsr(MSR_EOI, 0);
}

static void on_quiet(struct frame *frame)
{
	count = count + 1;
}

bool came(u32 before)
{
	return wait_change(&count, before, 50000);
}

/* An interrupt at a time, each of which nothing waits behind: the hypervisor may offer the end of each. */
static void test_assist(void)
{
	u32 before, good = 0;

	assist_page[1] = 0x12345678;
	assist_page[0] = 1;
	wrmsr(MSR_ASSIST, page_msr(assist_page));
	check_equal(assist_page[0], 0, "assist page: its first word is cleared");
	check_equal(assist_page[1], 0x12345678, "assist page: the rest is kept");
	assisted = 0;
	wrmsr(TIMER_COUNT(0), 1);
	for (u32 i = 0; i < 100; i++) {
		before = count;
		wrmsr(TIMER_CONFIG(0), BY_VECTOR(VECTOR) | ENABLED); /* its time has passed */
		good += came(before);
	}
	check_equal(good, 100, "assist page: each interrupt comes once");
	check(assisted >= 50, "assist page: EOIs are saved");
	check(faults_write(MSR_ASSIST, 0xffffff000 | ENABLED), "assist page: where no memory is faults");
	wrmsr(MSR_ASSIST, 0);
	assist_page[0] = 0;
	before = count;
	assisted = 0;
	wrmsr(TIMER_CONFIG(0), BY_VECTOR(VECTOR) | ENABLED);
	check(came(before) && !assisted, "assist page: not used once it is disabled");
}

static void end(void)
{
	for (u32 i = 0; i < 5; i++)
		wrmsr(MSR_CRASH + i, 0xc0 + i);
	if (option_set("crash"))
		wrmsr(MSR_CRASH_CONTROL, 1ull << 63);
	else
		wrmsr(MSR_RESET, 1);
	check(false, "nothing is done after the end");
}

static void test_mode(bool x2)
{
	lapic_enable(x2);
	test_registers();
	test_clock();
	test_timers();
	test_apic();
	test_assist();
}

int main(const char *line)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	trap_set(VECTOR, on_interrupt);
	trap_set(VECTOR_QUIET, on_quiet);
	trap_set(0xff, on_quiet);
	if (option_set("idle-plain") || option_set("idle-hyperv")) {
		lapic_enable(false);
		idle(option_set("idle-plain") ? "plain" : "hyperv");
	}
	if (option_set("crash") || option_set("reset"))
		end();
	test_mode(false);
	test_mode(true);
	test_calls(option("vcpus=", 1));
	return 0;
}
