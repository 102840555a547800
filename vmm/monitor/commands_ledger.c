/* The ledger: memtune, and freecell's rows of it. */
#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/commands_ledger.h"
#include "vmm/monitor/definitions.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/start.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

/* Takes min=, max= or shares=; false after an error. */
static bool tune_word(struct guest_tune *tune, const char *word)
{
	u64 shares;
	int error;

	if (str_starts(word, "min="))
		error = config_size(word + 4, &tune->min);
	else if (str_starts(word, "max="))
		error = config_size(word + 4, &tune->max);
	else if (str_starts(word, "shares=")) {
		error = config_number(word + 7, 1, MEMORY_SHARES_MAX, &shares);
		if (!error)
			tune->shares = (u32)shares;
	} else {
		output_error("'%.40s' is none of min=SIZE, max=SIZE and shares=N: see 'help memtune'", word);
		return false;
	}
	if (error)
		output_error("'%.40s' is refused: sizes are as 64M, shares from 1 to 65536", word);
	return !error;
}

static void show(const struct guest_info *info)
{
	table_fact("Memory", "%s", units_size(info->memory).text);
	table_fact("  min", "%s", units_size(info->memory_min).text);
	table_fact("  max", "%s", units_size(info->memory_max ? MIN(info->memory_max, info->memory) : info->memory).text);
	table_fact("  shares", "%u", info->memory_shares);
	table_fact("  its own", "%s", units_size(info->memory_used).text);
	table_fact("  shared", "%s", units_size(info->memory_shared).text);
}

void commands_memtune(int argc, char **argv)
{
	char reason[DEFINITION_REASON];
	struct admission admission;
	struct guest_tune tune;
	struct guest_info info;
	int error;

	if (!guests_find_on(argv[1], &info))
		return;
	if (argc == 2) {
		show(&info);
		return;
	}
	tune = (struct guest_tune){ info.memory_min, info.memory_max, info.memory_shares };
	for (int i = 2; i < argc; i++)
		if (!tune_word(&tune, argv[i]))
			return;
	error = sys_guest_tune(info.id, &tune, &admission);
	if (error == ERR_INVAL)
		output_error("%s: min is at most max and its memory, and max at least 2M", info.name);
	else if (error == ERR_STATE)
		output_error("%s is %s: only a running or paused guest can be tuned", info.name, guests_state(&info));
	else if (error == ERR_NOMEM) {
		start_say_no_memory(info.id, &admission, reason, sizeof(reason));
		output_error("%s: %s", info.name, reason);
	} else if (error) {
		output_error("%s cannot be tuned (%s): see 'dmesg'", info.name, error_text(error));
	}
}

void commands_ledger_rows(void (*row)(const char *what, u64 bytes),
			  void (*count)(const char *what, u64 n, const char *unit))
{
	const struct compress_info *c;
	struct ledger_info ledger;
	struct guest_info claimant;
	char what[64];

	if (sys_ledger_info(&ledger))
		return;
	row("ledger: reserve", ledger.reserve);
	row("  machine processes may take", ledger.machines);
	row("  promised, not taken", ledger.promised);
	if (ledger.claimant && !sys_guest_info(ledger.claimant, &claimant)) {
		fmt_print(what, sizeof(what), "  kept for %s", claimant.name);
		row(what, ledger.claim);
	}
	row("  kept for guests that went on", ledger.kept);
	row("  lacks if all sizes are called in", ledger.lacks);
	row("  can be given", ledger.available);
	row("memory that guests share", ledger.shared);
	row("  debt if all sharing broke", ledger.debt);
	c = &ledger.compression;
	row("compressed pages of guests", c->pages * PAGE_SIZE);
	row("  take", c->bytes);
	count("  compressed so far", c->compressed, "pages");
	count("  decompressed so far", c->decompressed, "pages");
	count("  refused so far", c->refused, "pages");
	count("  cycles so far", c->cycles, "cycles");
}

void commands_ledger_facts(void)
{
	static const char *const levels[] = { "high", "soft", "hard", "low" };
	static const char *const settings[] = { "none", "sharing", "full" };
	struct ledger_info ledger;

	if (sys_ledger_info(&ledger))
		return;
	table_fact("Memory pressure", "%s", levels[ledger.level % ARRAY_SIZE(levels)]);
	table_fact("Overcommit", "%s", settings[ledger.overcommit % ARRAY_SIZE(settings)]);
}
