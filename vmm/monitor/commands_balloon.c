/* How much memory a guest has of what it was given: setmem, setmaxmem, dommemstat, and dominfo's lines.  What a
 * guest says itself is shown, never relied on. */
#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/definitions.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

#define SETMEM_MIN (16 * MIB) /* no Linux lives in less; a mistyped unit is more likely */
#define NS_PER_SECOND 1000000000ul

/* The guest's figures; memory is its definition's while it is off.  balloon: it may have one. */
static bool memory_of(const struct guest_info *info, struct guest_memory *memory, bool *balloon)
{
	static struct definition d;
	char reason[DEFINITION_REASON];
	int error = sys_guest_memory(info->id, memory);

	if (error) {
		output_error("the memory of %s cannot be looked at (%s): see 'list'", info->name, error_text(error));
		return false;
	}
	*balloon = true;
	if (definition_read(&d, info->id, reason, sizeof(reason)) != 0)
		return true;
	*balloon = d.balloon;
	if (info->state == GUEST_OFF)
		memory->memory = d.params.memory;
	return true;
}

static bool size_valid(const char *name, const char *word, u64 memory, u64 *size)
{
	if (config_size(word, size) != 0 || *size % PAGE_SIZE)
		output_error("'%.20s' is no size: use whole pages of 4 KiB, as 64M or 1G", word);
	else if (*size > memory)
		output_error("%s has %s of memory and cannot have more: use setmaxmem while it is off", name,
			     units_size(memory).text);
	else if (*size < MIN(SETMEM_MIN, memory))
		output_error("%s would have %s left: give it at least %s", name, units_size(*size).text,
			     units_size(MIN(SETMEM_MIN, memory)).text);
	else
		return true;
	return false;
}

static void say_setmem(const struct guest_info *info, const struct guest_memory *memory, u64 size)
{
	const char *name = info->name;

	if (size == memory->memory)
		output_print("%s: it may have all of its %s\n", name, units_size(size).text);
	else
		output_print("%s: it is asked to give %s of its %s back\n", name,
			     units_size(memory->memory - size).text, units_size(memory->memory).text);
	if (info->state == GUEST_OFF || info->state == GUEST_DYING)
		output_print("From its next start on: it is off.\n");
	else if (!memory->stats.driver)
		output_print("It has no balloon driver at work; one that starts will see it.\n");
	else if (info->state != GUEST_RUNNING)
		output_print("It will do so when it runs: it is %s.\n", guests_state(info));
	else
		output_print("'dommemstat %s' shows how far it is.\n", name);
}

void commands_setmem(int argc, char **argv)
{
	struct guest_memory memory;
	struct guest_info info;
	bool balloon;
	u64 size;
	int error;

	if (!guests_find(argv[1], &info) || !memory_of(&info, &memory, &balloon))
		return;
	if (!balloon) {
		output_error("%s has no balloon: its definition says balloon = no", info.name);
		return;
	}
	if (!size_valid(info.name, argv[2], memory.memory, &size))
		return;
	error = sys_guest_control(info.id, CONTROL_MEMORY, size == memory.memory ? 0 : size);
	if (error)
		output_error("%s cannot be asked (%s): see 'dmesg'", info.name, error_text(error));
	else
		say_setmem(&info, &memory, size);
}

void commands_setmaxmem(int argc, char **argv)
{
	static struct definition old, new;
	char reason[DEFINITION_REASON];
	struct guest_info info;
	int error;

	if (!guests_find(argv[1], &info))
		return;
	if (definition_read(&old, info.id, reason, sizeof(reason)) != 0 ||
	    definition_change(&new, &old, "memory", argv[2], reason, sizeof(reason)) != 0) {
		output_error("%s", reason);
		return;
	}
	error = sys_guest_redefine(info.id, new.text, new.len);
	if (error == ERR_STATE)
		output_error("%s is %s, and its memory is built in: shut it down first, or use setmem", info.name,
			     guests_state(&info));
	else if (error)
		output_error("%s cannot be changed (%s): see 'dmesg'", info.name, error_text(error));
	else
		output_print("%s: it has %s from its next start on\n", info.name, units_size(new.params.memory).text);
}

static void fact_size(const char *name, u64 bytes)
{
	if (bytes != MEMORY_UNKNOWN)
		table_fact(name, "%lu KiB", bytes >> 10);
}

/* virsh's names; what a guest does not say has no line. */
static void show_values(const struct memory_stats *stats)
{
	static const struct {
		const char *name;
		u32 stat;
		bool count;
	} rows[] = {
		{ "swap_in", MEMORY_SWAP_IN, false }, { "swap_out", MEMORY_SWAP_OUT, false },
		{ "major_fault", MEMORY_MAJOR_FAULTS, true }, { "minor_fault", MEMORY_MINOR_FAULTS, true },
		{ "unused", MEMORY_UNUSED, false }, { "available", MEMORY_TOTAL, false },
		{ "usable", MEMORY_USABLE, false }, { "disk_caches", MEMORY_CACHES, false },
		{ "hugetlb_pgalloc", MEMORY_HUGE_ALLOC, true }, { "hugetlb_pgfail", MEMORY_HUGE_FAIL, true },
	};
	u64 now = sys_clock();

	if (!stats->clock)
		return;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 value = stats->values[rows[i].stat];

		if (!rows[i].count)
			fact_size(rows[i].name, value);
		else if (value != MEMORY_UNKNOWN)
			table_fact(rows[i].name, "%lu", value);
	}
	table_fact("last_update", "%lu s ago", (u64)(now > stats->clock ? (now - stats->clock) / NS_PER_SECOND : 0));
}

void commands_dommemstat(int argc, char **argv)
{
	struct guest_memory memory;
	struct guest_info info;
	bool balloon;

	if (!guests_find_on(argv[1], &info) || !memory_of(&info, &memory, &balloon))
		return;
	fact_size("actual", memory.memory - MIN(memory.stats.balloon, memory.memory));
	fact_size("target", memory.target);
	show_values(&memory.stats);
	fact_size("rss", info.memory_used);
	fact_size("large", info.memory_large);
	fact_size("working_set", memory.working_set);
	fact_size("compressed", memory.compressed);
	fact_size("compressed_in", memory.compressed_in);
	table_fact("compressions", "%lu pages", memory.compressions);
	table_fact("decompressions", "%lu pages", memory.decompressions);
	fact_size("inflated", memory.stats.inflated);
	fact_size("reported", memory.stats.reported);
}

void commands_balloon_facts(const struct guest_info *info)
{
	const char *driver = "its driver is not at work";
	struct guest_memory memory;
	bool balloon;

	if (!memory_of(info, &memory, &balloon))
		return;
	if (!balloon)
		driver = "none";
	else if (memory.stats.driver)
		driver = memory.stats.reporting ? "at work, and free pages are reported" : "at work";
	if (info->state != GUEST_OFF) {
		table_fact("  current", "%s",
			   units_size(memory.memory - MIN(memory.stats.balloon, memory.memory)).text);
		table_fact("  target", "%s", units_size(memory.target).text);
	}
	table_fact("Balloon", "%s", driver);
}
