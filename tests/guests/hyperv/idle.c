/* An idle system's tick of 64 Hz for 4 s, as Windows has it: with what a PC has (the local APIC's timer, EOI by memory,
 * time by the PM timer), or with what Hyper-V has (a periodic direct timer, EOI by the assist page, time by the TSC
 * page).  The host counts the exits between BEGIN and END. */
#include "tests/guests/hyperv/hyperv.h"

#define HZ 64
#define TICKS (4 * HZ)

static volatile u32 ticks, time_now;
static u32 assist_page[PAGE / 4] __attribute__((aligned(PAGE)));

static void on_plain(struct frame *frame)
{
	ticks = ticks + 1;
	time_now = pm_timer();
	lapic_write(APIC_EOI, 0);
}

static void on_hyperv(struct frame *frame)
{
	ticks = ticks + 1;
	time_now = page_time();
	if (!(__atomic_exchange_n(assist_page, 0, __ATOMIC_SEQ_CST) & 1))
		wrmsr(MSR_EOI, 0);
}

static void start_plain(void)
{
	trap_set(0x62, on_plain);
	lapic_write(APIC_TIMER_DIVIDE, 0xb);
	lapic_write(APIC_LVT_TIMER, 0x20062);
	lapic_write(APIC_TIMER_INIT, 1000000000 / HZ);
}

static void start_hyperv(void)
{
	trap_set(0x62, on_hyperv);
	wrmsr(MSR_TSC_PAGE, page_msr(tsc_page));
	wrmsr(MSR_ASSIST, page_msr(assist_page));
	wrmsr(TIMER_CONFIG(0), BY_VECTOR(0x62) | PERIODIC | ENABLED);
	wrmsr(TIMER_COUNT(0), 10000000 / HZ);
}

void idle(const char *how)
{
	print("BEGIN %s\n", how);
	if (text_equal(how, "plain"))
		start_plain();
	else
		start_hyperv();
	while (ticks < TICKS)
		asm volatile("sti; hlt; cli" : : : "memory");
	print("END %u\n", (u64)ticks);
	stop();
}
