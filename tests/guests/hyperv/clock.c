/* Reference time: by the MSR and by the TSC page, against the TSC and the PM timer. */
#include "tests/guests/hyperv/hyperv.h"

static u8 page[PAGE] __attribute__((aligned(PAGE)));
struct tsc_page *tsc_page = (struct tsc_page *)page;

u64 page_time(void)
{
	u32 sequence;
	u64 time;

	do {
		sequence = tsc_page->sequence;
		time = (u64)((unsigned __int128)rdtsc() * tsc_page->scale >> 64) + tsc_page->offset;
	} while (tsc_page->sequence != sequence);
	return time;
}

static bool near(u64 a, u64 b, u64 parts)
{
	return (a > b ? a - b : b - a) <= b / parts;
}

static void test_agree(void)
{
	u32 good = 0;

	for (u32 i = 0; i < 1000; i++) {
		u64 before = page_time(), time = rdmsr(MSR_TIME), after = page_time();

		good += before <= time && time <= after;
	}
	check_equal(good, 1000, "TSC page: between two readings lies the counter's");
}

static void test_rates(void)
{
	u64 hz = rdmsr(MSR_TSC_FREQUENCY);
	bool tsc_agrees = false, pm_agrees = false;

	/* On a busy machine the best of some attempts counts: a pause between two readings spoils one. */
	for (u32 i = 0; i < 10 && !(tsc_agrees && pm_agrees); i++) {
		u64 time = page_time(), tsc = rdtsc(), pm = pm_timer();

		wait_us(50000);
		time = page_time() - time;
		tsc = rdtsc() - tsc;
		pm = (pm_timer() - pm) & 0xffffff;
		tsc_agrees |= near(time * 100, tsc * 1000 / (hz / 1000000), 1000);
		pm_agrees |= near(time, pm * 10000000 / PM_TIMER_HZ, 100);
	}
	check(tsc_agrees, "reference time and TSC agree by the TSC's frequency");
	check(pm_agrees, "reference time and PM timer agree");
	check_equal(rdmsr(MSR_APIC_FREQUENCY), 1000000000, "the APIC's frequency");
}

/* A TSC that was moved does not fit the page any more; reference time does not care. */
static void test_moved(void)
{
	u64 before = rdmsr(MSR_TIME), moved;

	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + (1ull << 40));
	check_equal(tsc_page->sequence, 0, "TSC page: not valid with a TSC that was written");
	moved = rdmsr(MSR_TIME);
	check(moved >= before && moved - before < 1000 * MS, "the counter goes on over a write to the TSC");
	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) - (1ull << 40));
	check(tsc_page->sequence != 0, "TSC page: valid again");
}

void test_clock(void)
{
	check(faults_write(MSR_TSC_PAGE, 0xffffff000 | ENABLED), "TSC page: where no memory is faults");
	wrmsr(MSR_TSC_PAGE, page_msr(page));
	check_equal(rdmsr(MSR_TSC_PAGE), page_msr(page), "TSC page: enabled");
	check(tsc_page->sequence && tsc_page->scale, "TSC page: valid");
	test_agree();
	test_rates();
	test_moved();
	test_agree();
}
