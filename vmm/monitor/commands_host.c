/* The host: version, nodeinfo, freecell, cpuinfo, files, dmesg, uptime, boot-report, poweroff and
 * reboot-host. */
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/commands_ledger.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/loglines.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/places.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

/* The kernel's answer, kept until the next call; zeros if it gave none. */
static const struct host_info *host_info(void)
{
	static struct host_info host;

	memset(&host, 0, sizeof(host));
	if (sys_host_info(&host) != 0)
		memset(&host, 0, sizeof(host));
	return &host;
}

void commands_version(int argc, char **argv)
{
	output_print("Quire %s\n", host_info()->version);
}

void commands_nodeinfo(int argc, char **argv)
{
	static const char *const smt[] = { "none", "on", "core: one guest at a time", "off: one thread of each core" };
	const struct host_info *host = host_info();

	table_fact("Processor", "%s", host->processor);
	places_facts();
	table_fact("SMT", "%s", smt[host->smt % ARRAY_SIZE(smt)]);
	table_fact("TSC", "%lu.%03lu MHz", host->tsc_hz / 1000000, host->tsc_hz / 1000 % 1000);
	table_fact("Virtualisation", "%s", host->backend);
	/* Too long for one line of a table. */
	output_print("%-18s%s\n", "Features", host->features);
	table_fact("Between guests", "%s", host->barriers);
	table_fact("Ring 0's branches", "%s", host->branches);
	table_fact("Memory", "%s", units_size(host->memory_total).text);
	table_fact("Free", "%s", units_size(host->memory_free).text);
	for (u32 n = 0; n < HOST_NODES; n++)
		if (host->node_free[n] && host->node_free[n] != host->memory_free)
			output_print("Free in node %-6u%s\n", n, units_size(host->node_free[n]).text);
	commands_ledger_facts();
	table_fact("Large pages", "%s", host->large_pages);
	table_fact("  made", "%lu, of them %lu without a copy; %lu copies in vain", host->large_made,
		   host->large_in_place, host->large_abandoned);
	table_fact("  split", "%lu", host->large_split);
	table_fact("  time", "%lu us", host->large_ns / 1000);
}

static const struct column freecell_columns[] = {
	{ "MEMORY", 40, false }, { "EXACTLY", 16, true }, { "SIZE", 12, true }, { NULL, 0, false },
};

static void freecell_row(const char *what, u64 bytes)
{
	char exactly[32];

	fmt_print(exactly, sizeof(exactly), "%lu KiB", bytes >> 10);
	TABLE_ROW(freecell_columns, what, exactly, units_size(bytes).text);
}

static void freecell_count(const char *what, u64 n, const char *unit)
{
	char exactly[32];

	fmt_print(exactly, sizeof(exactly), "%lu %s", n, unit);
	TABLE_ROW(freecell_columns, what, exactly, "");
}

void commands_freecell(int argc, char **argv)
{
	const struct host_info *host = host_info();
	struct guest_info info;
	char what[64];

	table_head(freecell_columns);
	freecell_row("total", host->memory_total);
	freecell_row("free", host->memory_free);
	freecell_row("kernel", host->memory_kernel);
	freecell_row("files", host->memory_files);
	freecell_row("guests", host->memory_guests);
	freecell_row("  of it processes", host->memory_processes);
	freecell_row("  of it pages of 2 MiB", host->memory_large);
	for (GUESTS_EACH(&info)) {
		if (info.state == GUEST_OFF)
			continue;
		fmt_print(what, sizeof(what), "  %s RAM", info.name);
		freecell_row(what, info.memory_used);
		fmt_print(what, sizeof(what), "  %s overhead", info.name);
		freecell_row(what, info.overhead);
	}
	commands_ledger_rows(freecell_row, freecell_count);
}

void commands_cpuinfo(int argc, char **argv)
{
	static const struct column columns[] = {
		{ "CPU", 4, true }, { "APIC", 8, true }, { "BUSY", 14, true },
		{ "LOAD", 8, true }, { "READY", 6, true }, { "SWITCHES", 12, true },
		{ "INTERRUPTS", 12, true }, { NULL, 0, false },
	};
	struct cpu_info cpu;

	table_head(columns);
	for (u32 i = 0; sys_cpu_info(i, &cpu) == 0; i++)
		TABLE_ROW(columns, units_count(i).text, units_count(cpu.apic_id).text,
			  units_time(cpu.busy_ns).text, units_share(cpu.busy_ns, cpu.busy_ns + cpu.idle_ns).text,
			  units_count(cpu.ready).text, units_count(cpu.switches).text,
			  units_count(cpu.interrupts).text);
	output_print("\n");
	places_print();
	for (u32 i = 1; sys_cpu_info(i, &cpu) == 0; i++)
		output_print("TSC of CPU %u: %ld ns ahead of CPU 0's, +-%lu ns\n", i, cpu.tsc_ns, cpu.tsc_error_ns);
}

void commands_files(int argc, char **argv)
{
	static const struct column columns[] = {
		{ "NAME", 50, false }, { "BYTES", 14, true }, { "SIZE", 11, true }, { NULL, 0, false },
	};
	struct file_info file;

	table_head(columns);
	for (u32 i = 0; sys_file_info(i, &file) == 0; i++)
		TABLE_ROW(columns, file.name, units_count(file.size).text, units_size(file.size).text);
}

void commands_dmesg(int argc, char **argv)
{
	loglines_print_all();
}

void commands_uptime(int argc, char **argv)
{
	output_print("up %s\n", units_time(sys_clock()).text);
}

static void report_row(const char *what, u64 ns)
{
	table_fact(what, "%lu.%03lu ms", ns / 1000000, ns / 1000 % 1000);
}

void commands_boot_report(int argc, char **argv)
{
	const struct host_info *host = host_info();
	struct guest_info info;

	output_print("Since Quire's first instruction:\n");
	report_row("firmware left", host->boot_exit_ns);
	report_row("CPUs started", host->boot_cpus_ns);
	report_row("monitor started", host->boot_monitor_ns);
	report_row("in firmware I/O", host->boot_firmware_ns);
	for (GUESTS_EACH(&info)) {
		if (!info.starts)
			continue;
		output_print("guest %s, since Quire took over the machine:\n", info.name);
		report_row("  start", info.start_clock);
		report_row("  instruction", info.first_insn_clock);
		report_row("  output", info.first_output_clock);
	}
}

/* Names the guests that are in use; how many there are. */
static u32 guests_in_use(char *names, size_t size)
{
	struct guest_info info;
	size_t len = 0;
	u32 count = 0;

	*names = 0;
	for (GUESTS_EACH(&info)) {
		if (info.state == GUEST_OFF)
			continue;
		if (len + NAME_MAX + 4 < size)
			len += (size_t)fmt_print(names + len, size - len, "%s%s", count ? ", " : "",
						 info.name);
		count++;
	}
	return count;
}

static void host_power(int argc, char **argv, enum host_power what)
{
	bool force = argc > 1;
	char names[256];
	u32 count = guests_in_use(names, sizeof(names));
	int error;

	if (force && strcmp(argv[1], "--force") != 0) {
		output_error("'%.40s' is not --force: see 'help %s'", argv[1], argv[0]);
		return;
	}
	if (count && !force) {
		output_error("%u guest%s in use (%s): 'shutdown' first, or '%s --force'", count,
			     count == 1 ? " is" : "s are", names, argv[0]);
		return;
	}
	output_print(what == POWER_OFF ? "Turning the host off.\n" : "Restarting the host.\n");
	output_drain();
	error = sys_host_power(what);
	if (error)
		output_error("the host refused it (%s): use its power switch", error_text(error));
}

void commands_poweroff(int argc, char **argv)
{
	host_power(argc, argv, POWER_OFF);
}

void commands_reboot_host(int argc, char **argv)
{
	host_power(argc, argv, POWER_REBOOT);
}
