/* Calibrating the time stamp counter and the local APIC's timer against a clock of known rate.  Boot CPU
 * only, interrupts off; afterwards everything here is constant. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/tsc.h"
#include "kernel/lib/error.h"

#define HPET_PERIOD 0x04  /* femtoseconds a tick: IA-PC HPET 1.0a §2.3.4 */
#define HPET_CONFIG 0x10
#define HPET_COUNTER 0xf0
#define HPET_PERIOD_MAX 100000000u
#define FEMTO 1000000000000000ull
#define PM_TIMER_HZ 3579545u /* ACPI 6.5 §4.8.2.1; 24 bits are always there */
#define PIT_HZ 1193182u
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_GATE_PORT 0x61

#define GUESS_HZ 2000000000ull

struct reference {
	const char *name;
	u32 (*read)(void); /* counts up */
	u32 mask;
	u32 hz;
	u32 us;            /* how long to measure: longer for a coarser clock */
};

struct sample {
	u64 tsc;
	u32 reference, apic;
};

static u64 rate = GUESS_HZ;
static u64 hpet_base;
static u16 pm_port;

static u32 hpet_read(void)
{
	return mmio_read32(hpet_base + HPET_COUNTER);
}

static u32 pm_read(void)
{
	return in32(pm_port);
}

static u32 pit_read(void)
{
	u32 low;

	out8(PIT_COMMAND, 0x80); /* latch channel 2 */
	low = in8(PIT_CHANNEL2);
	return 0xffff - (low | (u32)in8(PIT_CHANNEL2) << 8);
}

static bool hpet_open(struct reference *r, u64 base)
{
	u32 period;

	if (!base)
		return false;
	hpet_base = base;
	period = mmio_read32(base + HPET_PERIOD);
	if (!period || period > HPET_PERIOD_MAX)
		return false;
	mmio_write32(base + HPET_CONFIG, mmio_read32(base + HPET_CONFIG) | 1);
	*r = (struct reference){ "HPET", hpet_read, 0xffffffff, (u32)(FEMTO / period), 2000 };
	return true;
}

static bool pm_open(struct reference *r, u32 port)
{
	if (!port || port > 0xffff)
		return false;
	pm_port = (u16)port;
	*r = (struct reference){ "ACPI PM timer", pm_read, 0xffffff, PM_TIMER_HZ, 5000 };
	return true;
}

static bool pit_open(struct reference *r)
{
	out8(PIT_GATE_PORT, (in8(PIT_GATE_PORT) & ~2u) | 1); /* gate on, speaker off */
	out8(PIT_COMMAND, 0xb0); /* channel 2, both bytes, mode 0, binary */
	out8(PIT_CHANNEL2, 0xff);
	out8(PIT_CHANNEL2, 0xff);
	*r = (struct reference){ "PIT", pit_read, 0xffff, PIT_HZ, 10000 };
	return true;
}

/* A clock that stands still is not there.  The slowest ticks each microsecond, as long as one port access. */
static bool runs(const struct reference *r)
{
	u32 first = r->read();

	for (int i = 0; i < 1000; i++)
		if (r->read() != first)
			return true;
	return false;
}

/* Right after a tick, at the attempt that was disturbed least. */
static struct sample take(const struct reference *r)
{
	struct sample best = { 0 };
	u64 shortest = UINT64_MAX;

	for (int i = 0; i < 4; i++) {
		u32 before = r->read(), now = before;
		u64 a = 0, b = 0;

		for (int spins = 0; now == before && spins < 10000; spins++) {
			a = rdtsc_ordered();
			now = r->read();
			b = rdtsc_ordered();
		}
		if (b - a < shortest) {
			shortest = b - a;
			best = (struct sample){ a + (b - a) / 2, now, apic_timer_count() };
		}
	}
	return best;
}

static void measure(const struct reference *r, struct tsc_rates *out)
{
	u32 ticks, wanted = (u32)((u64)r->hz * r->us / 1000000);
	struct sample start, end;

	apic_timer_measure();
	start = take(r);
	while (((r->read() - start.reference) & r->mask) < wanted)
		pause();
	end = take(r);
	ticks = (end.reference - start.reference) & r->mask;
	out->measured_hz = (end.tsc - start.tsc) * r->hz / ticks;
	out->apic_timer_hz = (u64)(start.apic - end.apic) * r->hz / ticks;
	out->against = r->name;
}

static bool near(u64 a, u64 b, u64 parts)
{
	u64 apart = a > b ? a - b : b - a;
	return apart <= b / parts;
}

u64 tsc_choose(u64 measured, u64 cpuid_hz, u32 base_mhz)
{
	u64 base = base_mhz * 1000000ull, round;

	if (!measured)
		return cpuid_hz ? cpuid_hz : base;
	if (cpuid_hz && near(measured, cpuid_hz, 2000))
		return cpuid_hz;
	if (base && near(measured, base, 5000))
		return base;
	/* A few milliseconds do not measure better than this, and whole megahertz are what is built. */
	round = (measured + 500000) / 1000000 * 1000000;
	return round && near(measured, round, 20000) ? round : measured;
}

static u64 cpuid_claim(u32 *base_mhz)
{
	u32 last = cpuid(0, 0).eax;
	struct cpuid c;

	*base_mhz = last >= 0x16 ? cpuid(0x16, 0).eax & 0xffff : 0;
	if (last < 0x15)
		return 0;
	c = cpuid(0x15, 0); /* SDM 2A CPUID: crystal in ECX, ratio EBX / EAX */
	return c.eax ? (u64)c.ecx * c.ebx / c.eax : 0;
}

/* The APIC's timer against the TSC, when nothing else runs here. */
static void measure_apic(struct tsc_rates *out)
{
	u64 start = rdtsc(), cycles;
	u32 count;

	apic_timer_measure();
	count = apic_timer_count();
	tsc_delay(2000);
	count -= apic_timer_count();
	cycles = rdtsc() - start;
	out->apic_timer_hz = count * (rate / 1000) / (cycles / 1000 + 1);
}

int tsc_calibrate(u64 hpet, u32 pm_timer_port, struct tsc_rates *out)
{
	struct reference r;
	u32 base_mhz;
	u64 claim = cpuid_claim(&base_mhz);

	*out = (struct tsc_rates){ .against = "CPUID only" };
	if ((hpet_open(&r, hpet) && runs(&r)) || (pm_open(&r, pm_timer_port) && runs(&r)) ||
	    (pit_open(&r) && runs(&r)))
		measure(&r, out);
	out->tsc_hz = tsc_choose(out->measured_hz, claim, base_mhz);
	if (!out->tsc_hz)
		return ERR_UNSUPPORTED;
	rate = out->tsc_hz;
	if (!out->apic_timer_hz)
		measure_apic(out);
	apic_timer_rate(out->apic_timer_hz, rate);
	return 0;
}

u64 tsc_hz(void)
{
	return rate;
}

void tsc_delay(u64 us)
{
	u64 start = rdtsc(), cycles = us * (rate / 1000000 + 1);

	while (rdtsc() - start < cycles)
		pause();
}
