/* A guest's files and memory, checked against what there is, and then SYS_GUEST_START. */
#include "vmm/monitor/start.h"

#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/units.h"

static int check_files(const struct definition *d, char *reason, size_t size)
{
	static struct config_item item;
	char file[FILE_NAME_MAX];
	struct config c;

	config_init(&c, d->text, d->len);
	for (config_next(&c, &item); item.kind == CONFIG_PAIR; config_next(&c, &item)) {
		if (!definition_file(item.key, item.value, file) || definition_file_loaded(file))
			continue;
		fmt_print(reason, size,
			  "%s file '%.60s' was not loaded at boot: see 'files', add preload = to quire.conf",
			  item.key, file);
		return ERR_NOENT;
	}
	return 0;
}

void start_say_no_memory(u32 id, const struct admission *a, char *reason, size_t size)
{
	static const char *const settings[] = { "none", "sharing", "full" };
	struct guest_info claimant;

	if (a->verdict == ADMIT_BUILD)
		fmt_print(reason, size,
			  "its processors and its machine process take %s, and of %s free %s are reserve and %s promised: give "
			  "it fewer or destroy a guest", units_size(a->needs).text, units_size(a->free).text,
			  units_size(a->reserve).text, units_size(a->promised).text);
	else if (a->verdict == ADMIT_SIZES)
		fmt_print(reason, size,
			  "overcommit = %s: guests can need %s more memory, its %s among it, and of %s free %s are reserve: "
			  "give it less or destroy a guest", settings[a->overcommit % ARRAY_SIZE(settings)],
			  units_size(a->lacks).text, units_size(a->needs).text, units_size(a->free).text,
			  units_size(a->reserve).text);
	else if (a->verdict == ADMIT_CPUS)
		fmt_print(reason, size, "dedicated = yes: it needs a CPU for each of its processors, and there are %u; CPU 0 "
			  "and what pinned processors need stay everybody's: give it fewer, or destroy a guest that has some",
			  a->cpus);
	else if (a->claimant == id || sys_guest_info(a->claimant, &claimant))
		fmt_print(reason, size,
			  "it can need %s of memory; %s are free, %s with guests of a higher claim, less %s reserve and %s "
			  "promised: give it less or destroy a guest", units_size(a->needs).text,
			  units_size(a->free).text, units_size(a->ahead).text, units_size(a->reserve).text,
			  units_size(a->promised).text);
	else
		fmt_print(reason, size,
			  "%s can need %s more memory, and of %s free %s are reserve and %s promised: give it less or "
			  "destroy a guest", claimant.name, units_size(a->claim).text, units_size(a->free).text,
			  units_size(a->reserve).text, units_size(a->promised).text);
}

int start_guest(u32 id, char *reason, size_t size)
{
	static struct definition d;
	struct admission admission = { .verdict = ADMIT_BUILD };
	int error = definition_read(&d, id, reason, size);

	if (!error)
		error = check_files(&d, reason, size);
	if (error)
		return error;
	error = sys_guest_start(id, &d.params, &admission);
	if (error == ERR_NOMEM)
		start_say_no_memory(id, &admission, reason, size);
	else if (error == ERR_EXIST)
		fmt_print(reason, size, "its share-mode is %s, and share-group %s has guests with the other: give it theirs, "
			  "or another share-group", d.params.uniform ? "uniform" : "plain", d.params.share_group);
	else if (error)
		fmt_print(reason, size, "the kernel refused it (%s): see 'dmesg'", error_text(error));
	return error;
}
