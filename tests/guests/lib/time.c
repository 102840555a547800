/* Time by the ACPI PM timer, which runs at 3.579545 MHz with 24 bits. */
#include "tests/guests/lib/guest.h"

u32 pm_timer(void)
{
	return inl(PM_TIMER_PORT) & 0xffffff;
}

/* At most 4.6 s: the timer wraps. */
static u64 ticks_of(u32 us)
{
	return (u64)us * PM_TIMER_HZ / 1000000;
}

void wait_us(u32 us)
{
	u32 begin = pm_timer();

	while (((pm_timer() - begin) & 0xffffff) < ticks_of(us))
		relax();
}

u64 tsc_hz(void)
{
	static u64 hz;
	u32 begin, end;
	u64 tsc;

	if (hz)
		return hz;
	begin = pm_timer();
	tsc = rdtsc();
	wait_us(50000);
	end = pm_timer();
	hz = (rdtsc() - tsc) * PM_TIMER_HZ / ((end - begin) & 0xffffff);
	return hz;
}

bool wait_change(volatile u32 *word, u32 old, u32 us)
{
	u64 end = rdtsc() + tsc_hz() / 1000 * us / 1000;

	interrupts_on();
	while (*word == old && rdtsc() < end)
		relax();
	interrupts_off();
	return *word != old;
}
