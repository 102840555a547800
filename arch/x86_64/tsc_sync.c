/* Setting TSCs right.  A question to the other CPU takes some time; its TSC at the answer was read within that, so the
 * half of it bounds the error, whoever delayed what.  The fastest of some questions is as good as it gets. */
#include "arch/x86_64/tsc_sync.h"

#include "arch/x86_64/registers.h"
#include "arch/x86_64/tsc.h"
#include "kernel/lib/error.h"

#define QUESTIONS_MIN 3
#define QUESTIONS_MAX 100
#define MEASURE_US 2000 /* where both CPUs are threads that take turns on one, a question takes that long */
#define CORRECTIONS 3

int tsc_measure(struct tsc_peer *p, struct tsc_offset *o)
{
	u64 start = rdtsc(), longest = MEASURE_US * (tsc_hz() / 1000000);

	o->error = UINT64_MAX;
	for (u32 i = 0; i < QUESTIONS_MIN || (i < QUESTIONS_MAX && rdtsc() - start < longest); i++) {
		u64 before = rdtsc_ordered(), tsc, after;
		int error = p->read(p, &tsc);

		after = rdtsc_ordered();
		if (error)
			return error;
		if ((after - before + 1) / 2 >= o->error)
			continue;
		o->error = (after - before + 1) / 2;
		o->cycles = (s64)(tsc - (before + (after - before) / 2));
	}
	return 0;
}

static bool differs(const struct tsc_offset *o)
{
	return (o->cycles < 0 ? -(u64)o->cycles : (u64)o->cycles) > o->error;
}

/* What is left after a correction is how late it came, every time: the next one comes that much earlier. */
int tsc_synchronise(struct tsc_peer *p, struct tsc_sync *out)
{
	u64 late = 0;
	int error = tsc_measure(p, &out->found);

	out->left = out->found;
	for (u32 i = 0; i < CORRECTIONS && !error && differs(&out->left); i++) {
		error = p->move(p, late - (u64)out->left.cycles);
		if (!error)
			error = tsc_measure(p, &out->left);
		late -= (u64)out->left.cycles;
	}
	return error ? error : differs(&out->left) ? ERR_UNSUPPORTED : 0;
}

void tsc_move(u64 cycles)
{
	bool adjust = cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & BIT(1);

	if (adjust)
		wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + cycles); /* SDM 3B §17.17.3 */
	else
		wrmsr(MSR_TSC, rdtsc() + cycles);
}
