/* Keys of a guest's definition: one table says how each is checked.  The canonical text is written so that
 * config_next reads back exactly the same pairs, which is checked when a pair is added. */
#include "vmm/monitor/definitions.h"

#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/guests.h"

#define MODULES_MAX 16 /* as the machine process's settings */

struct key {
	const char *name;
	int (*set)(struct definition *d, const char *value);
	const char *expects; /* for the operator, when set refuses the value */
};

static int set_memory(struct definition *d, const char *value)
{
	int error = config_size(value, &d->params.memory);

	if (error)
		return error;
	return d->params.memory < MEMORY_LEAST || d->params.memory % PAGE_SIZE ? ERR_INVAL : 0;
}

static int set_number(const char *value, u64 min, u64 max, u32 *to)
{
	u64 number;
	int error = config_number(value, min, max, &number);

	if (!error)
		*to = (u32)number;
	return error;
}

static int set_vcpus(struct definition *d, const char *value)
{
	return set_number(value, 1, VCPU_MAX, &d->params.vcpu_count);
}

static int set_vcpus_max(struct definition *d, const char *value)
{
	return set_number(value, 1, VCPU_MAX, &d->params.vcpu_max);
}

static int set_weight(struct definition *d, const char *value)
{
	return set_number(value, WEIGHT_MIN, WEIGHT_MAX, &d->params.weight);
}

static int set_memory_min(struct definition *d, const char *value)
{
	return config_size(value, &d->params.memory_min);
}

static int set_memory_max(struct definition *d, const char *value)
{
	int error = config_size(value, &d->params.memory_max);

	return error ? error : d->params.memory_max < MEMORY_LEAST ? ERR_INVAL : 0;
}

static int set_memory_shares(struct definition *d, const char *value)
{
	return set_number(value, 1, MEMORY_SHARES_MAX, &d->params.memory_shares);
}

static int set_cap(struct definition *d, const char *value)
{
	return set_number(value, 0, CAP_MAX, &d->params.cap);
}

static int set_dedicated(struct definition *d, const char *value)
{
	bool on = false;
	int error = config_bool(value, &on);

	d->params.dedicated = on;
	return error;
}

static int set_file(struct definition *d, const char *value)
{
	return *value && strlen(value) < FILE_NAME_MAX ? 0 : ERR_INVAL;
}

static int set_module(struct definition *d, const char *value)
{
	char file[FILE_NAME_MAX];

	definition_file("module", value, file);
	return *file && ++d->module_count <= MODULES_MAX ? 0 : ERR_INVAL;
}

static int set_cmdline(struct definition *d, const char *value)
{
	return 0;
}

static int set_autostart(struct definition *d, const char *value)
{
	return config_bool(value, &d->autostart);
}

static int set_balloon(struct definition *d, const char *value)
{
	return config_bool(value, &d->balloon);
}

static int set_hyperv(struct definition *d, const char *value)
{
	bool on;
	int error = 0;

	if (strcmp(value, "only") == 0) {
		d->params.hyperv = HYPERV_ONLY;
	} else {
		error = config_bool(value, &on);
		d->params.hyperv = !error && on ? HYPERV_ON : HYPERV_OFF;
	}
	return error;
}

static int set_action(const char *value, enum policy_action *to)
{
	for (u32 i = 0; i < ACTION_COUNT; i++) {
		if (strcmp(value, definition_action(i)) == 0) {
			*to = (enum policy_action)i;
			return 0;
		}
	}
	return ERR_INVAL;
}

static int set_on_crash(struct definition *d, const char *value)
{
	return set_action(value, &d->on_crash);
}

static int set_on_reboot(struct definition *d, const char *value)
{
	return set_action(value, &d->on_reboot);
}

static int set_on_poweroff(struct definition *d, const char *value)
{
	return set_action(value, &d->on_poweroff);
}

static int set_share_group(struct definition *d, const char *value)
{
	bool none = strcmp(value, "none") == 0;

	str_copy(d->params.share_group, NAME_MAX, none ? "" : value);
	return guests_name_valid(value) ? 0 : ERR_INVAL;
}

static int set_share_mode(struct definition *d, const char *value)
{
	d->params.uniform = strcmp(value, "uniform") == 0;
	return d->params.uniform || strcmp(value, "plain") == 0 ? 0 : ERR_INVAL;
}

#define ACTIONS_EXPECTED "use destroy, restart or pause"

static const struct key keys[] = {
	{ "memory", set_memory, "use whole pages of 4 KiB, at least 2M, as 64M or 1G" },
	{ "memory-min", set_memory_min, "use a size up to memory's, as 32M" },
	{ "memory-max", set_memory_max, "use a size of at least 2M, as 64M" },
	{ "memory-shares", set_memory_shares, "use a number from 1 to 65536" },
	{ "vcpus", set_vcpus, "use a number from 1 to 64" },
	{ "vcpus-max", set_vcpus_max, "use a number from vcpus' to 64" },
	{ "kernel", set_file, "use a file's name of 1 to 127 bytes" },
	{ "initrd", set_file, "use a file's name of 1 to 127 bytes" },
	{ "module", set_module, "use a file's name and arguments, at most 16 times" },
	{ "cmdline", set_cmdline, "" },
	{ "autostart", set_autostart, "use on or off" },
	{ "balloon", set_balloon, "use yes or no" },
	{ "hyperv", set_hyperv, "use on, off or only" },
	{ "weight", set_weight, "use a number from 64 to 1024" },
	{ "cap", set_cap, "use a number from 0 to 6400: percent of a CPU" },
	{ "dedicated", set_dedicated, "use yes or no: a host CPU of its own for each of its processors" },
	{ "share-group", set_share_group, "use a name of 1 to 31 of A-Z a-z 0-9 . _ -, or none" },
	{ "share-mode", set_share_mode, "use plain or uniform" },
	{ "on-crash", set_on_crash, ACTIONS_EXPECTED },
	{ "on-reboot", set_on_reboot, ACTIONS_EXPECTED },
	{ "on-poweroff", set_on_poweroff, ACTIONS_EXPECTED },
};
_Static_assert(VCPU_MAX == 64, "vcpus' text");

const char *definition_key(u32 index)
{
	return index < ARRAY_SIZE(keys) ? keys[index].name : NULL;
}

const char *definition_action(u32 index)
{
	static const char *const names[] = { "destroy", "restart", "pause" };

	return index < ARRAY_SIZE(names) ? names[index] : NULL;
}

static const struct key *find_key(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

void definition_init(struct definition *d)
{
	memset(d, 0, sizeof(*d));
	d->params = (struct guest_params){ .memory = 128 * MIB, .vcpu_count = 1, .weight = 256,
					   .memory_shares = MEMORY_SHARES_DEFAULT, .share_group = "default" };
	d->balloon = true;
	d->on_poweroff = ACTION_DESTROY;
	d->on_reboot = ACTION_RESTART;
	d->on_crash = ACTION_DESTROY;
}

/* Appends the pair if config_next will read it back, plain or quoted. */
static bool write_pair(struct definition *d, const char *key, const char *value)
{
	static const char *const formats[] = { "%s = %s\n", "%s = \"%s\"\n" };
	static struct config_item item;
	struct config c;

	for (u32 i = 0; i < ARRAY_SIZE(formats); i++) {
		char *to = d->text + d->len;
		size_t room = sizeof(d->text) - d->len;
		int len = fmt_print(to, room, formats[i], key, value);

		if ((size_t)len >= room)
			break;
		config_init(&c, to, (size_t)len);
		config_next(&c, &item);
		if (item.kind == CONFIG_PAIR && strcmp(item.key, key) == 0 &&
		    strcmp(item.value, value) == 0) {
			config_next(&c, &item);
			if (item.kind == CONFIG_END) {
				d->len += (size_t)len;
				return true;
			}
		}
	}
	d->text[d->len] = 0;
	return false;
}

int definition_add(struct definition *d, const char *name, const char *value, char *reason, size_t size)
{
	const struct key *key = find_key(name);

	if (!key) {
		fmt_print(reason, size, "unknown key '%.32s': 'help define' lists the keys", name);
		return ERR_INVAL;
	}
	if ((d->seen & BIT(key - keys)) && key->set != set_module) {
		fmt_print(reason, size, "%s is given twice: keep one", name);
		return ERR_INVAL;
	}
	d->seen |= BIT(key - keys);
	if (key->set(d, value) != 0) {
		fmt_print(reason, size, "%s = '%.40s' is refused: %s", name, value, key->expects);
		return ERR_INVAL;
	}
	if (!write_pair(d, name, value)) {
		fmt_print(reason, size,
			  "%s is too long or cannot be quoted: make it shorter, without # and \"", name);
		return ERR_INVAL;
	}
	return 0;
}

int definition_finish(const struct definition *d, char *reason, size_t size)
{
	const struct guest_params *p = &d->params;
	bool kernel = d->seen & BIT(find_key("kernel") - keys);
	u64 most = p->memory_max ? MIN(p->memory_max, p->memory) : p->memory;

	if (!kernel)
		fmt_print(reason, size, "kernel is missing: name a file with kernel = FILE");
	else if (p->memory_min > most)
		fmt_print(reason, size, "memory-min is more than %s: lower it",
			  most < p->memory ? "memory-max" : "memory");
	else if (p->vcpu_max && p->vcpu_count > p->vcpu_max)
		fmt_print(reason, size, "vcpus is more than vcpus-max: lower it");
	else
		return 0;
	return ERR_INVAL;
}

/* Adds all pairs of the text but those of the key except (NULL: all). */
static int add_text(struct definition *d, const char *text, size_t len, const char *except, char *reason, size_t size)
{
	static struct config_item item;
	struct config c;

	config_init(&c, text, len);
	for (;;) {
		config_next(&c, &item);
		if (item.kind == CONFIG_END)
			return 0;
		if (item.kind != CONFIG_PAIR) {
			fmt_print(reason, size, "line %u: %s", item.line,
				  item.kind == CONFIG_ERROR ? item.reason : "a section in a definition");
			return ERR_INVAL;
		}
		if (except && strcmp(item.key, except) == 0)
			continue;
		if (definition_add(d, item.key, item.value, reason, size) != 0)
			return ERR_INVAL;
	}
}

int definition_parse(struct definition *d, const char *text, size_t len, char *reason, size_t size)
{
	int error;

	definition_init(d);
	error = add_text(d, text, len, NULL, reason, size);
	return error ? error : definition_finish(d, reason, size);
}

int definition_change(struct definition *new, const struct definition *old, const char *key, const char *value,
		      char *reason, size_t size)
{
	int error;

	definition_init(new);
	error = add_text(new, old->text, old->len, key, reason, size);
	if (!error)
		error = definition_add(new, key, value, reason, size);
	return error ? error : definition_finish(new, reason, size);
}

int definition_read(struct definition *d, u32 id, char *reason, size_t size)
{
	static char text[DEFINITION_MAX];
	s64 len = sys_guest_definition(id, text, sizeof(text));

	if (len < 0 || len > (s64)sizeof(text)) {
		fmt_print(reason, size, "its definition cannot be read (%s): define it again",
			  error_text(len < 0 ? (int)len : ERR_TOOBIG));
		return len < 0 ? (int)len : ERR_TOOBIG;
	}
	return definition_parse(d, text, (size_t)len, reason, size);
}

bool definition_file(const char *key, const char *value, char *file)
{
	bool module = strcmp(key, "module") == 0;
	size_t len = 0;

	*file = 0;
	if (!module && strcmp(key, "kernel") != 0 && strcmp(key, "initrd") != 0)
		return false;
	while (value[len] && !(module && (value[len] == ' ' || value[len] == '\t')))
		len++;
	if (len < FILE_NAME_MAX) {
		memcpy(file, value, len);
		file[len] = 0;
	}
	return true;
}

bool definition_file_loaded(const char *file)
{
	struct file_info info;

	for (u32 i = 0; sys_file_info(i, &info) == 0; i++)
		if (strcmp(info.name, file) == 0)
			return true;
	return false;
}
