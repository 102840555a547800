/* trace: what the CPUs did lately, one line a record, for tests/trace_json.py and for people. */
#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"

#define SHOWN_DEFAULT 100
#define SHOWN_MAX 100000
#define PIECE 16

static const char *guest_name(u32 id)
{
	static struct guest_info info; /* of the last one */
	static char number[16];

	if (!id)
		return "-";
	if (info.id == id || sys_guest_info(id, &info) == 0)
		return info.name;
	fmt_print(number, sizeof(number), "#%u", id); /* undefined meanwhile */
	return number;
}

static void print_record(u32 cpu, const struct trace_record *r)
{
	static const char *const kinds[TRACE_KINDS] = { "run", "exit", "inject", "merge", "unshare" };
	char vcpu[8] = "-", detail[24];

	if (r->vcpu != TRACE_NO_VCPU)
		fmt_print(vcpu, sizeof(vcpu), "%u", r->vcpu);
	switch (r->kind) {
	case TRACE_INJECT: fmt_print(detail, sizeof(detail), "0x%x", r->detail); break;
	case TRACE_MERGE: fmt_print(detail, sizeof(detail), "pages:%u", r->detail); break;
	case TRACE_EXIT: str_copy(detail, sizeof(detail), commands_reason_name(r->detail)); break;
	case TRACE_UNSHARE: str_copy(detail, sizeof(detail), r->detail ? "copied" : "taken-over"); break;
	default: str_copy(detail, sizeof(detail), r->detail ? "preempted" : "done"); break;
	}
	output_print("%u %lu %lu %s %s %s %s\n", cpu, r->tsc, r->cycles, r->kind < TRACE_KINDS ? kinds[r->kind] : "?",
		     guest_name(r->guest), vcpu, detail);
}

/* The last `count` of a CPU; the kernel moves a position that is too early. */
static void show_cpu(u32 cpu, u64 count)
{
	struct trace_record records[PIECE];
	u64 end = UINT64_MAX, position;
	s64 n;

	if (sys_trace_read(cpu, &end, records, 0) < 0)
		return;
	position = end - MIN(end, count);
	while (position < end && (n = sys_trace_read(cpu, &position, records, PIECE)) > 0)
		for (s64 i = 0; i < n; i++)
			print_record(cpu, &records[i]);
}

static void show(u64 count)
{
	static struct host_info host;

	if (sys_host_info(&host) != 0)
		return;
	output_print("trace tsc-hz=%lu cpus=%u: CPU TSC CYCLES KIND GUEST VCPU DETAIL\n", host.tsc_hz, host.cpu_count);
	for (u32 i = 0; i < host.cpu_count; i++)
		show_cpu(i, count);
}

void commands_trace(int argc, char **argv)
{
	u64 count = SHOWN_DEFAULT;

	if (!strcmp(argv[1], "show")) {
		if (argc > 2 && config_number(argv[2], 1, SHOWN_MAX, &count) != 0)
			output_error("'%.20s' is no number of records: use 1 to %u", argv[2], SHOWN_MAX);
		else if (sys_trace(false) == 0) /* what is shown stands still */
			show(count);
	} else if (argc > 2 || (strcmp(argv[1], "start") && strcmp(argv[1], "stop"))) {
		output_error("there is no 'trace %.20s' like that: use start, stop, or show and a count", argv[1]);
	} else if (sys_trace(!strcmp(argv[1], "start")) != 0) {
		output_error("there is no memory for the trace: end a guest first");
	}
}
