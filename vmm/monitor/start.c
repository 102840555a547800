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

static void say_no_memory(u64 memory, char *reason, size_t size)
{
	static struct host_info host;

	sys_host_info(&host);
	fmt_print(reason, size,
		  "it needs %s of memory and %s of %s are free: give it less or destroy another guest",
		  units_size(memory).text, units_size(host.memory_free).text,
		  units_size(host.memory_total).text);
}

int start_guest(u32 id, char *reason, size_t size)
{
	static struct definition d;
	static struct host_info host;
	int error = definition_read(&d, id, reason, size);

	if (!error)
		error = check_files(&d, reason, size);
	if (error)
		return error;
	if (sys_host_info(&host) == 0 && d.params.memory > host.memory_total)
		error = ERR_NOMEM;
	else
		error = sys_guest_start(id, &d.params);
	if (error == ERR_NOMEM)
		say_no_memory(d.params.memory, reason, size);
	else if (error)
		fmt_print(reason, size, "the kernel refused it (%s): see 'dmesg'", error_text(error));
	return error;
}
