/* Reads a guest's definition.  The monitor has checked it before, and its text may still be hostile: this
 * process trusts nobody's check but its own. */
#include "vmm/machine/settings.h"

#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

static const char *const monitor_keys[] = {
	"memory", "memory-min", "memory-max", "memory-shares",
	"vcpus", "vcpus-max", "weight", "cap", "dedicated", "hyperv", "share-group", "share-mode", "autostart", "on-crash",
	"on-reboot", "on-poweroff",
};

static bool settings_is_monitors(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(monitor_keys); i++)
		if (strcmp(key, monitor_keys[i]) == 0)
			return true;
	return false;
}

/* What is wrong with the pair, or NULL when it is stored. */
static const char *settings_pair(struct settings *s, const struct config_item *item)
{
	if (strcmp(item->key, "kernel") == 0)
		return str_copy(s->kernel, sizeof(s->kernel), item->value) ? NULL : "name too long";
	if (strcmp(item->key, "initrd") == 0)
		return str_copy(s->initrd, sizeof(s->initrd), item->value) ? NULL : "name too long";
	if (strcmp(item->key, "cmdline") == 0)
		return str_copy(s->cmdline, sizeof(s->cmdline), item->value) ? NULL : "too long";
	if (strcmp(item->key, "module") == 0) {
		if (s->module_count == MODULES_MAX)
			return "more than 16 modules";
		return str_copy(s->modules[s->module_count++], sizeof(s->modules[0]), item->value) ? NULL
												   : "too long";
	}
	if (strcmp(item->key, "balloon") == 0)
		return config_bool(item->value, &s->balloon) ? "use yes or no" : NULL;
	return settings_is_monitors(item->key) ? NULL : "unknown key";
}

int settings_parse(struct settings *s, const char *text, size_t len, char *reason, size_t reason_len)
{
	static struct config_item item; /* 2 KiB: not on a small stack; parsed once, by one thread */
	struct config c;

	memset(s, 0, sizeof(*s));
	s->balloon = true;
	config_init(&c, text, len);
	for (config_next(&c, &item); item.kind != CONFIG_END; config_next(&c, &item)) {
		const char *wrong = "a section inside a guest's definition";

		if (item.kind == CONFIG_ERROR)
			wrong = item.reason;
		else if (item.kind == CONFIG_PAIR)
			wrong = settings_pair(s, &item);
		if (wrong) {
			fmt_print(reason, reason_len, "definition, line %u: %s%s%s", item.line,
				  item.kind == CONFIG_PAIR ? item.key : "", item.kind == CONFIG_PAIR ? ": " : "",
				  wrong);
			return ERR_INVAL;
		}
	}
	if (!s->kernel[0]) {
		fmt_print(reason, reason_len, "definition: no kernel is named");
		return ERR_INVAL;
	}
	return 0;
}
