/* Why guests leave guest mode: vmexit. */
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

#define BAR_WIDTH 40

static const char *const reason_names[] = {
	[REASON_INTERRUPT] = "interrupt", [REASON_NMI] = "nmi", [REASON_IO] = "io", [REASON_CPUID] = "cpuid",
	[REASON_MSR_READ] = "msr-read", [REASON_MSR_WRITE] = "msr-write", [REASON_HLT] = "hlt",
	[REASON_LAPIC] = "lapic", [REASON_MMIO] = "mmio", [REASON_STAGE2] = "stage2", [REASON_CR] = "cr",
	[REASON_DR] = "dr", [REASON_WINDOW] = "window", [REASON_PAUSE] = "pause",
	[REASON_HYPERCALL] = "hypercall", [REASON_EXCEPTION] = "exception", [REASON_XSETBV] = "xsetbv",
	[REASON_INVALID_OPCODE] = "invalid-opcode", [REASON_WBINVD] = "wbinvd",
	[REASON_TASK_SWITCH] = "task-switch", [REASON_SHUTDOWN] = "shutdown", [REASON_EOI] = "eoi",
	[REASON_OTHER] = "other",
};
_Static_assert(ARRAY_SIZE(reason_names) == REASON_COUNT, "a name for each reason");

const char *commands_reason_name(u32 reason)
{
	return reason < REASON_COUNT ? reason_names[reason] : "unknown";
}

/* The exits of all vCPUs together. */
static void sum_exits(const struct guest_info *info, struct vcpu_info *sum)
{
	static struct vcpu_info vcpu;

	memset(sum, 0, sizeof(*sum));
	for (u32 i = 0; i < info->vcpu_count; i++) {
		if (sys_guest_vcpu_info(info->id, i, &vcpu) != 0)
			continue;
		sum->guest_cycles += vcpu.guest_cycles;
		sum->exit_cycles += vcpu.exit_cycles;
		for (u32 r = 0; r < REASON_COUNT; r++) {
			sum->exits[r].count += vcpu.exits[r].count;
			sum->exits[r].cycles += vcpu.exits[r].cycles;
			for (u32 b = 0; b < VCPU_BUCKETS; b++)
				sum->exits[r].histogram[b] += vcpu.exits[r].histogram[b];
		}
	}
}

static void print_exits(const struct vcpu_info *sum)
{
	static const struct column columns[] = {
		{ "REASON", 16, false }, { "COUNT", 14, true }, { "CYCLES", 18, true },
		{ "MEAN", 12, true }, { "SHARE", 8, true }, { NULL, 0, false },
	};
	u64 count = 0, cycles = 0;

	for (u32 r = 0; r < REASON_COUNT; r++) {
		count += sum->exits[r].count;
		cycles += sum->exits[r].cycles;
	}
	table_head(columns);
	for (u32 r = 0; r < REASON_COUNT; r++) {
		const struct exit_counter *e = &sum->exits[r];

		if (e->count)
			TABLE_ROW(columns, reason_names[r], units_count(e->count).text,
				  units_count(e->cycles).text, units_count(e->cycles / e->count).text,
				  units_share(e->cycles, cycles).text);
	}
	TABLE_ROW(columns, "total", units_count(count).text, units_count(cycles).text,
		  units_count(count ? cycles / count : 0).text, units_share(cycles, cycles).text);
}

static void print_totals(const struct vcpu_info *sum)
{
	u64 all = sum->guest_cycles + sum->exit_cycles;

	table_fact("inside the guest", "%lu cycles, %s", sum->guest_cycles,
		   units_share(sum->guest_cycles, all).text);
	table_fact("outside", "%lu cycles, %s", sum->exit_cycles, units_share(sum->exit_cycles, all).text);
}

static void print_histogram(const char *name, const struct exit_counter *e)
{
	static const char bar[BAR_WIDTH + 1] = "########################################";
	u32 most = 0;

	for (u32 b = 0; b < VCPU_BUCKETS; b++)
		most = MAX(most, e->histogram[b]);
	if (!most)
		return;
	output_print("%s: exits that cost at least so many cycles\n", name);
	for (u32 b = 0; b < VCPU_BUCKETS; b++) {
		u32 n = e->histogram[b];

		if (n)
			output_print("%10lu  %10u  %.*s\n", (u64)BIT(b), n, (int)((u64)n * BAR_WIDTH / most),
				     bar);
	}
}

void commands_vmexit(int argc, char **argv)
{
	static struct vcpu_info sum;
	struct guest_info info;

	if (argc > 2 && strcmp(argv[2], "-H") != 0) {
		output_error("'%.40s' is not -H: see 'help vmexit'", argv[2]);
		return;
	}
	if (!guests_find_on(argv[1], &info))
		return;
	sum_exits(&info, &sum);
	print_exits(&sum);
	print_totals(&sum);
	for (u32 r = 0; argc > 2 && r < REASON_COUNT; r++)
		print_histogram(reason_names[r], &sum.exits[r]);
}
