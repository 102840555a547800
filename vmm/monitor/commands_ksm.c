/* Memory merging: ksm, with the counters under the names that Linux's KSM made known. */
#include "kernel/lib/config.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

static bool read_info(struct merge_info *info)
{
	int error = sys_merge_info(info);

	if (error)
		output_error("the kernel tells nothing of merging (%s)", error_text(error));
	return !error;
}

static void show(void)
{
	static const char *const states[] = { "stopped", "running", "unmerging" };
	struct merge_info info;

	if (!read_info(&info))
		return;
	table_fact("state", "%s", info.state < ARRAY_SIZE(states) ? states[info.state] : "unknown");
	table_fact("guests", "%u", info.guests);
	table_fact("pages_shared", "%lu", info.pages_shared);
	table_fact("pages_sharing", "%lu", info.pages_sharing);
	table_fact("pages_unshared", "%lu", info.pages_unshared);
	table_fact("pages_volatile", "%lu", info.pages_volatile);
	table_fact("pages_scanned", "%lu", info.pages_scanned);
	table_fact("pages_skipped", "%lu", info.pages_skipped);
	table_fact("ksm_zero_pages", "%lu", info.zero_pages);
	table_fact("full_scans", "%lu", info.full_scans);
	table_fact("general_profit", "%ld", info.general_profit);
	table_fact("born_merged", "%lu", info.born_merged);
	table_fact("pages_hashed", "%lu", info.pages_hashed);
	table_fact("pages_compared", "%lu", info.pages_compared);
	table_fact("pages_differed", "%lu", info.pages_differed);
	table_fact("pages_merged", "%lu", info.pages_merged);
	table_fact("slots_evicted", "%lu", info.slots_evicted);
	table_fact("cpu_time", "%s", units_time(info.cpu_ns).text);
	table_fact("cpu_cycles", "%lu", info.cycles);
	table_fact("bookkeeping", "%s", units_size(info.bookkeeping).text);
	table_fact("unmerge_cost", "%s", units_size(info.unmerge_cost).text);
	table_fact("cpu", "%u %%", info.cpu_percent);
	table_fact("interval", "%u ms", info.interval_ms);
}

static void control(enum merge_control what, u64 value)
{
	int error = sys_merge_control(what, value);

	if (error)
		output_error("the kernel refused it (%s)", error_text(error));
}

static void unmerge(void)
{
	struct merge_info info;
	struct ledger_info ledger;
	int error;

	if (!read_info(&info) || sys_ledger_info(&ledger) != 0)
		return;
	output_print("Unmerging takes %s; guests can be given %s.\n", units_size(info.unmerge_cost).text,
		     units_size(ledger.available).text);
	error = sys_merge_control(MERGE_CONTROL_UNMERGE, 0);
	if (error == ERR_NOMEM)
		output_error("that does not fit, with 1 %% of the host's memory to spare: destroy a guest, or 'ksm stop' to "
			     "keep what is merged");
	else if (error)
		output_error("the kernel refused it (%s)", error_text(error));
}

static void set(const char *key, const char *text)
{
	static const struct {
		const char *key;
		enum merge_control control;
		u64 max;
	} keys[] = { { "cpu", MERGE_CONTROL_CPU, 100 }, { "interval", MERGE_CONTROL_INTERVAL, 3600000 } };
	u64 value;

	for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].key, key) != 0)
			continue;
		if (config_number(text, 1, keys[i].max, &value) != 0)
			output_error("'%.40s' is refused: for %s use a number from 1 to %lu", text, key, keys[i].max);
		else
			control(keys[i].control, value);
		return;
	}
	output_error("'%.40s' is no setting of ksm: use cpu or interval", key);
}

void commands_ksm(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "show";

	if (strcmp(what, "set") == 0 && argc == 4)
		set(argv[2], argv[3]);
	else if (argc > 2)
		output_error("too many words, or too few: see 'help ksm'");
	else if (strcmp(what, "show") == 0)
		show();
	else if (strcmp(what, "run") == 0)
		control(MERGE_CONTROL_RUN, 0);
	else if (strcmp(what, "stop") == 0)
		control(MERGE_CONTROL_STOP, 0);
	else if (strcmp(what, "unmerge") == 0)
		unmerge();
	else if (strcmp(what, "verify") == 0)
		commands_ksm_verify();
	else if (strcmp(what, "matrix") == 0)
		commands_ksm_matrix();
	else
		output_error("'%.40s' is none of show, run, stop, unmerge, verify, matrix and set: see 'help ksm'", what);
}
