/* Guests by name and number, as the kernel lists them: the monitor keeps no list of its own. */
#include "vmm/monitor/guests.h"

#include "kernel/lib/config.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/output.h"

bool guests_next(u32 id, struct guest_info *info)
{
	/* A guest may be gone between the two calls: then the walk goes on behind it. */
	while ((id = sys_guest_next(id)) != 0)
		if (sys_guest_info(id, info) == 0)
			return true;
	return false;
}

static bool find(const char *word, struct guest_info *info)
{
	u64 id;

	for (GUESTS_EACH(info))
		if (strcmp(info->name, word) == 0)
			return true;
	if (config_number(word, 1, UINT32_MAX, &id) != 0)
		return false;
	return sys_guest_info((u32)id, info) == 0;
}

bool guests_find(const char *word, struct guest_info *info)
{
	if (find(word, info))
		return true;
	output_error("there is no guest '%.40s': 'list' shows the guests", word);
	return false;
}

bool guests_find_on(const char *word, struct guest_info *info)
{
	if (!guests_find(word, info))
		return false;
	if (info->state != GUEST_OFF && info->state != GUEST_DYING)
		return true;
	output_error("%s is off: start it first with 'start %s'", info->name, info->name);
	return false;
}

const char *guests_state(const struct guest_info *info)
{
	static const char *const names[] = { "off", "running", "paused", "stopped", "dying" };

	if (info->starved)
		return "starved";
	return info->state < ARRAY_SIZE(names) ? names[info->state] : "unknown";
}

const char *guests_stop_reason(u32 reason)
{
	static const char *const names[] = { "none", "powered off", "reset", "crashed", "destroyed" };

	return reason < ARRAY_SIZE(names) ? names[reason] : "unknown";
}

bool guests_name_valid(const char *name)
{
	size_t len = 0;

	for (; name[len]; len++) {
		char c = name[len];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return false;
	}
	return len > 0 && len < NAME_MAX;
}
