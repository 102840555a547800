/* Guests and their definitions: list, dominfo, domstate, define, undefine, dumpcfg. */
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/definitions.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/policy.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

/* While a guest is off the kernel knows its sizes only from its last run; the definition knows the next. */
static void fill_params(struct guest_info *info)
{
	static struct definition d;
	char reason[DEFINITION_REASON];

	if (info->state != GUEST_OFF || definition_read(&d, info->id, reason, sizeof(reason)) != 0)
		return;
	info->memory = d.params.memory;
	info->vcpu_count = MAX(d.params.vcpu_count, d.params.vcpu_max);
	info->vcpus_wanted = info->vcpus_wanted ? MIN(info->vcpus_wanted, info->vcpu_count) : d.params.vcpu_count;
	info->vcpus_present = info->vcpus_wanted;
	info->weight = d.params.weight;
	info->cap = d.params.cap;
	info->dedicated = d.params.dedicated;
}

void commands_list(int argc, char **argv)
{
	static const struct column columns[] = {
		{ "ID", 4, true }, { "NAME", 31, false }, { "STATE", 8, false },
		{ "VCPUS", 5, true }, { "MEMORY", 9, true }, { "CPU TIME", 12, true }, { NULL, 0, false },
	};
	struct guest_info info;

	if (!sys_guest_next(0)) {
		output_print("There are no guests. 'help define' tells how to define one.\n");
		return;
	}
	table_head(columns);
	for (GUESTS_EACH(&info)) {
		fill_params(&info);
		TABLE_ROW(columns, units_count(info.id).text, info.name, guests_state(&info),
			  units_count(info.vcpus_present).text, units_size(info.memory).text,
			  units_time(info.run_ns).text);
	}
}

void commands_dominfo(int argc, char **argv)
{
	struct guest_info info;

	if (!guests_find(argv[1], &info))
		return;
	fill_params(&info);
	table_fact("ID", "%u", info.id);
	table_fact("Name", "%s", info.name);
	table_fact("State", "%s", guests_state(&info));
	if (info.stop_reason != STOP_NONE)
		table_fact("Last run", "%s%s%.*s", guests_stop_reason(info.stop_reason),
			   info.stop_text[0] ? ": " : "", (int)sizeof(info.stop_text), info.stop_text);
	table_fact("Starts", "%u", info.starts);
	table_fact("vCPUs", "%u", info.vcpus_present);
	if (info.vcpu_count > 1)
		table_fact("  at most", "%u", info.vcpu_count);
	if (info.vcpus_wanted != info.vcpus_present)
		table_fact("  asked for", "%u", info.vcpus_wanted);
	table_fact("Weight", "%u", info.weight);
	table_fact("Memory", "%s", units_size(info.memory).text);
	table_fact("  its own", "%s", units_size(info.memory_used).text);
	table_fact("  shared", "%s", units_size(info.memory_shared).text);
	commands_balloon_facts(&info);
	table_fact("Overhead", "%s", units_size(info.overhead).text);
	if (info.stage2)
		table_fact("Stage 2", "%lx", info.stage2);
	table_fact("CPU time", "%s", units_time(info.run_ns).text);
	table_fact("Output", "%lu bytes", info.output_end);
}

void commands_domstate(int argc, char **argv)
{
	struct guest_info info;

	if (guests_find(argv[1], &info))
		output_print("%s\n", guests_state(&info));
}

/* Adds the KEY=VALUE words; false after an error. */
static bool add_words(struct definition *d, int argc, char **argv)
{
	char reason[DEFINITION_REASON], file[FILE_NAME_MAX];

	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value) {
			output_error("'%.40s' is not KEY=VALUE: see 'help define'", argv[i]);
			return false;
		}
		*value++ = 0;
		if (definition_add(d, argv[i], value, reason, sizeof(reason)) != 0) {
			output_error("%s", reason);
			return false;
		}
		if (definition_file(argv[i], value, file) && !definition_file_loaded(file)) {
			output_error("file '%.60s' was not loaded at boot: 'files' shows those that were",
				     file);
			return false;
		}
	}
	if (definition_finish(d, reason, sizeof(reason)) == 0)
		return true;
	output_error("%s", reason);
	return false;
}

void commands_define(int argc, char **argv)
{
	static struct definition d;
	int result;

	if (!guests_name_valid(argv[1])) {
		output_error("'%.40s' is no name for a guest: use 1 to 31 of A-Z a-z 0-9 . _ -", argv[1]);
		return;
	}
	definition_init(&d);
	if (!add_words(&d, argc, argv))
		return;
	result = sys_guest_define(argv[1], d.text, d.len);
	if (result == ERR_EXIST)
		output_error("there is a guest %s already: 'undefine' it or choose another name", argv[1]);
	else if (result < 0)
		output_error("%s cannot be defined (%s): see 'dmesg'", argv[1], error_text(result));
	else
		output_print("guest %s: defined as number %d\n", argv[1], result);
}

void commands_undefine(int argc, char **argv)
{
	struct guest_info info;
	int error;

	if (!guests_find(argv[1], &info))
		return;
	if (info.state == GUEST_DYING) {
		policy_set_next(info.id, NEXT_UNDEFINE);
		return;
	}
	error = info.state == GUEST_OFF ? sys_guest_undefine(info.id) : ERR_STATE;
	if (error == ERR_STATE)
		output_error("%s is in use: 'destroy %s' first", info.name, info.name);
	else if (error)
		output_error("%s cannot be undefined (%s): see 'dmesg'", info.name, error_text(error));
}

void commands_dumpcfg(int argc, char **argv)
{
	static char text[DEFINITION_MAX];
	struct guest_info info;
	s64 len;

	if (!guests_find(argv[1], &info))
		return;
	len = sys_guest_definition(info.id, text, sizeof(text));
	if (len < 0) {
		output_error("the definition of %s cannot be read (%s): see 'dmesg'", info.name,
			     error_text((int)len));
		return;
	}
	output_print("[guest %s]\n", info.name);
	output_text(text, MIN((size_t)len, sizeof(text)));
}
