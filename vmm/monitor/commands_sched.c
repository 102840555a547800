/* Guests' parts of the processors: schedinfo, vcpuinfo, vcpupin, domstats. */
#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

static struct vcpu_info vcpu; /* large */

/* "0,2-3", for the host's first count CPUs. */
static void print_set(char *to, size_t len, const struct cpu_set *set, u32 count)
{
	size_t at = 0;

	to[0] = 0;
	for (u32 i = 0; i < count && at + 12 < len; i++) {
		u32 end = i;

		if (!cpu_set_has(set, i))
			continue;
		while (end + 1 < count && cpu_set_has(set, end + 1))
			end++;
		at += (size_t)fmt_print(to + at, len - at, at ? ",%u" : "%u", i);
		if (end > i)
			at += (size_t)fmt_print(to + at, len - at, "-%u", end);
		i = end;
	}
}

/* The CPUs that a guest has for itself. */
static void print_own(const struct guest_info *info)
{
	struct cpu_set own = { { 0 } };
	char text[48];

	for (u32 i = 0; i < info->vcpu_count; i++)
		if (sys_guest_vcpu_info(info->id, i, &vcpu) == 0)
			for (u32 w = 0; w < ARRAY_SIZE(own.word); w++)
				own.word[w] |= vcpu.pins.word[w];
	print_set(text, sizeof(text), &own, CPU_SET_MAX);
	table_fact("dedicated", "CPUs %s", text);
}

/* One KEY=VALUE of schedinfo; false after an error. */
static bool take_setting(struct guest_info *info, char *word)
{
	char *value = strchr(word, '=');
	u64 number;

	if (value && !strncmp(word, "weight=", 7) && !config_number(value + 1, WEIGHT_MIN, WEIGHT_MAX, &number))
		info->weight = (u32)number;
	else if (value && !strncmp(word, "cap=", 4) && !config_number(value + 1, 0, CAP_MAX, &number))
		info->cap = (u32)number;
	else
		return output_error("'%.40s' is no share: use weight=%u to %u or cap=0 to %u", word, WEIGHT_MIN, WEIGHT_MAX,
				    CAP_MAX), false;
	return true;
}

void commands_schedinfo(int argc, char **argv)
{
	struct guest_info info;
	int error = 0;

	if (!guests_find_on(argv[1], &info))
		return;
	for (int i = 2; i < argc; i++)
		if (!take_setting(&info, argv[i]))
			return;
	if (argc > 2)
		error = sys_guest_schedule(info.id, info.weight, info.cap);
	if (error) {
		output_error("%s keeps its shares (%s): try again", info.name, error_text(error));
		return;
	}
	table_fact("weight", "%u", info.weight);
	if (info.cap)
		table_fact("cap", "%u %% of a CPU", info.cap);
	else
		table_fact("cap", "none");
	if (info.dedicated)
		print_own(&info);
	else
		table_fact("dedicated", "no");
	table_fact("node", "%u", info.node);
}

static const char *run_state(u32 state)
{
	static const char *const names[] = { "running", "ready", "halted", "waiting", "wait-sipi", "absent" };

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

/* Nanoseconds within which `permille` of the wake-ups got a CPU: the upper end of the histogram's bucket. */
static u64 latency(const struct vcpu_info *v, u32 permille, u64 tsc_hz)
{
	u64 all = 0, seen = 0;
	u32 b = 0;

	for (u32 i = 0; i < VCPU_BUCKETS; i++)
		all += v->latency[i];
	for (; b < VCPU_BUCKETS - 1; b++) {
		seen += v->latency[b];
		if (seen * 1000 >= all * permille)
			break;
	}
	return all && tsc_hz ? BIT(b + 1) * 1000000000 / tsc_hz : 0;
}

static void print_latencies(const struct guest_info *info)
{
	static struct host_info host;
	char pins[48];

	if (sys_host_info(&host) != 0)
		return;
	output_print("Waiting for a CPU after a wake-up, at most:\n");
	for (u32 i = 0; i < info->vcpu_count; i++) {
		if (sys_guest_vcpu_info(info->id, i, &vcpu) != 0 || vcpu.run_state == VCPU_ABSENT)
			continue;
		print_set(pins, sizeof(pins), &vcpu.pins, host.cpu_count);
		output_print("  vCPU %u: 50 %% %s, 99 %% %s, 99.9 %% %s\n", i,
			     units_time(latency(&vcpu, 500, host.tsc_hz)).text,
			     units_time(latency(&vcpu, 990, host.tsc_hz)).text,
			     units_time(latency(&vcpu, 999, host.tsc_hz)).text);
		output_print("  vCPU %u may use CPUs %s\n", i, pins);
	}
}

void commands_vcpuinfo(int argc, char **argv)
{
	static const struct column columns[] = {
		{ "VCPU", 4, true }, { "STATE", 9, false }, { "CPU", 4, true }, { "RUN", 11, true },
		{ "READY", 11, true }, { "HALTED", 11, true }, { "WAKEUPS", 9, true },
		{ "MOVES", 6, true }, { NULL, 0, false },
	};
	struct guest_info info;

	if (!guests_find_on(argv[1], &info))
		return;
	table_head(columns);
	for (u32 i = 0; i < info.vcpu_count; i++) {
		if (sys_guest_vcpu_info(info.id, i, &vcpu) != 0)
			continue;
		TABLE_ROW(columns, units_count(i).text, run_state(vcpu.run_state), units_count(vcpu.cpu).text,
			  units_time(vcpu.run_ns).text, units_time(vcpu.ready_ns + vcpu.capped_ns).text,
			  units_time(vcpu.halted_ns).text, units_count(vcpu.wakeups).text,
			  units_count(vcpu.migrations).text);
	}
	print_latencies(&info);
}

/* Reads "0,2-3" or "all". */
static bool read_set(char *text, struct cpu_set *set, u32 count)
{
	memset(set, 0, sizeof(*set));
	if (!strcmp(text, "all")) {
		memset(set, 0xff, sizeof(*set));
		return true;
	}
	while (text) {
		char *next = strchr(text, ','), *dash;
		u64 first, last;

		if (next)
			*next++ = 0;
		dash = strchr(text, '-');
		if (dash)
			*dash++ = 0;
		if (config_number(text, 0, count - 1, &first) ||
		    config_number(dash ? dash : text, first, count - 1, &last))
			return false;
		for (u64 i = first; i <= last; i++)
			set->word[i / 64] |= BIT(i % 64);
		text = next;
	}
	return true;
}

void commands_vcpupin(int argc, char **argv)
{
	static struct host_info host;
	struct guest_info info;
	struct cpu_set set;
	u64 index;
	int error;

	if (!guests_find_on(argv[1], &info))
		return;
	if (config_number(argv[2], 0, info.vcpu_count - 1, &index) != 0) {
		output_error("%s has no vCPU '%.20s': use 0 to %u", info.name, argv[2], info.vcpu_count - 1);
		return;
	}
	if (sys_host_info(&host) != 0 || !read_set(argv[3], &set, MIN(host.cpu_count, CPU_SET_MAX))) {
		output_error("these are no CPUs of the host: use a list as 0,2-3 of 0 to %u, or all", host.cpu_count - 1);
		return;
	}
	error = sys_guest_pin(info.id, (u32)index, &set);
	if (error == ERR_STATE)
		output_error("%s has CPUs of its own, for good: see 'schedinfo'", info.name);
	else if (error == ERR_INVAL)
		output_error("all of these CPUs are other guests' alone: see 'cpuinfo'");
	else if (error)
		output_error("vCPU %u of %s is gone: see 'list'", (u32)index, info.name);
}

static void print_vcpu_stats(u32 i)
{
	u64 exits = 0;

	for (u32 r = 0; r < REASON_COUNT; r++)
		exits += vcpu.exits[r].count;
	output_print("vcpu.%u.state=%s\nvcpu.%u.cpu=%u\nvcpu.%u.run=%lu\nvcpu.%u.guest=%lu\n", i,
		     run_state(vcpu.run_state), i, vcpu.cpu, i, vcpu.run_ns, i, vcpu.guest_ns);
	output_print("vcpu.%u.ready=%lu\nvcpu.%u.capped=%lu\nvcpu.%u.halted=%lu\n", i, vcpu.ready_ns, i,
		     vcpu.capped_ns, i, vcpu.halted_ns);
	output_print("vcpu.%u.wakeups=%lu\nvcpu.%u.moves=%lu\nvcpu.%u.exits=%lu\n", i, vcpu.wakeups, i,
		     vcpu.migrations, i, exits);
	output_print("vcpu.%u.pauses=%lu\nvcpu.%u.directed=%lu\n", i, vcpu.exits[REASON_PAUSE].count, i, vcpu.directed);
	output_print("vcpu.%u.pv-eois=%lu\nvcpu.%u.pv-flushes=%lu\n", i, vcpu.pv_eois, i, vcpu.pv_flushes);
	for (u32 b = 0; b < VCPU_BUCKETS; b++)
		if (vcpu.latency[b])
			output_print("vcpu.%u.waited.%lu=%u\n", i, (u64)BIT(b), vcpu.latency[b]);
}

void commands_domstats(int argc, char **argv)
{
	static struct host_info host;
	struct guest_info info;

	if (!guests_find(argv[1], &info))
		return;
	if (sys_host_info(&host) == 0)
		output_print("tsc-hz=%lu\n", host.tsc_hz);
	output_print("clock=%lu\nstate=%s\nstarts=%u\nweight=%u\ncap=%u\ncpu=%lu\n", sys_clock(),
		     guests_state(&info), info.starts, info.weight, info.cap, info.run_ns);
	output_print("memory=%lu\nmemory.own=%lu\nmemory.shared=%lu\noverhead=%lu\noutput=%lu\n", info.memory,
		     info.memory_used, info.memory_shared, info.overhead, info.output_end);
	output_print("vcpus=%u\nvcpus.max=%u\nvcpus.asked=%u\n", info.vcpus_present, info.vcpu_count, info.vcpus_wanted);
	for (u32 i = 0; i < info.vcpu_count; i++)
		if (sys_guest_vcpu_info(info.id, i, &vcpu) == 0)
			print_vcpu_stats(i);
}
