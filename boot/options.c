/* The keys of [host], one function each in one table.  A mistake costs its line: the default stays. */
#include "boot/options.h"

#include "arch/x86_64/virt_options.h"
#include "kernel/lib/config.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define PANIC_REBOOT_MAX_S 86400

struct target {
	struct boot_options *options;
	struct serial_choice *serial;
};

struct host_key {
	const char *name;
	int (*set)(struct target *t, const char *value); /* NULL: not boot's to read here */
	const char *expected;
};

static const u16 com_ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };

/* "bus:dev.fn", hexadecimal as lspci shows it. */
static int parse_pci(struct serial_choice *s, const char *value)
{
	static const char separators[] = { ':', '.', 0 };
	static const u64 limits[] = { 0xff, 0x1f, 7 };
	u64 part[3];

	for (int i = 0; i < 3; i++) {
		char text[8] = "0x";
		size_t n = 0;

		while (value[n] && value[n] != separators[i] && n < 4) {
			text[2 + n] = value[n];
			n++;
		}
		if (value[n] != separators[i] || config_number(text, 0, limits[i], &part[i]))
			return ERR_INVAL;
		value += n + !!separators[i];
	}
	s->source = SERIAL_PCI;
	s->bus = part[0];
	s->dev = part[1];
	s->fn = part[2];
	return 0;
}

static int set_serial(struct target *t, const char *value)
{
	struct serial_choice *s = t->serial;
	u64 port;

	if (!strcmp(value, "auto"))
		s->source = SERIAL_AUTO;
	else if (!strcmp(value, "none"))
		s->source = SERIAL_NONE;
	else if (!strcmp(value, "spcr"))
		s->source = SERIAL_SPCR;
	else if (strchr(value, ':'))
		return parse_pci(s, value);
	else if (str_starts(value, "com") && value[3] >= '1' && value[3] <= '4' && !value[4])
		*s = (struct serial_choice){ .source = SERIAL_PORT, .port = com_ports[value[3] - '1'] };
	else if (!config_number(value, 0x100, 0xfff8, &port))
		*s = (struct serial_choice){ .source = SERIAL_PORT, .port = port };
	else
		return ERR_INVAL;
	return 0;
}

static int set_max_cpus(struct target *t, const char *value)
{
	u64 number;

	if (config_number(value, 1, BOOT_CPUS_MAX, &number))
		return ERR_INVAL;
	t->options->max_cpus = number;
	return 0;
}

static int set_log_level(struct target *t, const char *value)
{
	static const char names[][6] = { [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info",
					 [LOG_DEBUG] = "debug" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(value, names[i])) {
			t->options->log_level = i;
			return 0;
		}
	}
	return ERR_INVAL;
}

static int set_on_panic(struct target *t, const char *value)
{
	u64 seconds = 0;

	if (strcmp(value, "halt") && (!str_starts(value, "reboot:") ||
				      config_number(value + 7, 1, PANIC_REBOOT_MAX_S, &seconds)))
		return ERR_INVAL;
	t->options->panic_reboot_s = seconds;
	return 0;
}

static int set_runtime_services(struct target *t, const char *value)
{
	return config_bool(value, &t->options->runtime_services);
}

static int set_x2apic(struct target *t, const char *value)
{
	return config_bool(value, &t->options->x2apic);
}

static int set_mitigations(struct target *t, const char *value)
{
	return config_bool(value, &t->options->mitigations);
}

/* Which of the names; they end with an empty one. */
static int set_choice(const char (*names)[8], const char *value, u32 *choice)
{
	for (u32 i = 0; names[i][0]; i++) {
		if (!strcmp(value, names[i])) {
			*choice = i;
			return 0;
		}
	}
	return ERR_INVAL;
}

static int set_smt(struct target *t, const char *value)
{
	static const char names[][8] = { [SMT_AUTO] = "auto", [SMT_ON] = "on", [SMT_CORE] = "core", [SMT_OFF] = "off",
					 "" };

	return set_choice(names, value, &t->options->smt);
}

static int set_overcommit(struct target *t, const char *value)
{
	static const char names[][8] = { [OVERCOMMIT_NONE] = "none", [OVERCOMMIT_SHARING] = "sharing",
					 [OVERCOMMIT_FULL] = "full", "" };

	return set_choice(names, value, &t->options->overcommit);
}

static int set_large_pages(struct target *t, const char *value)
{
	static const char names[][8] = { [LARGE_PAGES_AUTO] = "auto", [LARGE_PAGES_ON] = "on",
					 [LARGE_PAGES_OFF] = "off", "" };

	return set_choice(names, value, &t->options->large_pages);
}

static int set_memory_reserve(struct target *t, const char *value)
{
	u64 bytes;

	if (config_size(value, &bytes) || bytes < MIB)
		return ERR_INVAL;
	t->options->memory_reserve = bytes;
	return 0;
}

/* svm.* and vmx.*: what processors may lack, to be tried without a processor that lacks it. */
static bool set_virt_option(struct boot_info *info, struct target *t, const struct config_item *item)
{
	static const struct { const char *name; u64 bit; } names[] = { VIRT_OPTIONS(VIRT_OPTION_NAME) };
	struct virt_options *virt = &t->options->virt;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool on = true;

		if (strcmp(item->key, names[i].name))
			continue;
		if (config_bool(item->value, &on))
			options_complain(info, item->line, "%s = %.40s: expected on or off", item->key, item->value);
		virt->off &= ~names[i].bit;
		virt->on &= ~names[i].bit;
		*(on ? &virt->on : &virt->off) |= names[i].bit;
		return true;
	}
	return false;
}

static const struct host_key host_keys[] = {
	{ "serial", set_serial, "auto, none, spcr, com1 to com4, an I/O port (0x3F8) or PCI bus:dev.fn" },
	{ "max-cpus", set_max_cpus, "a number from 1 to 1024" },
	{ "log-level", set_log_level, "error, warn, info or debug" },
	{ "on-panic", set_on_panic, "halt or reboot:SECONDS" },
	{ "runtime-services", set_runtime_services, "on or off" },
	{ "x2apic", set_x2apic, "on or off" },
	{ "mitigations", set_mitigations, "on or off" },
	{ "smt", set_smt, "auto, on, core or off" },
	{ "overcommit", set_overcommit, "none, sharing or full" },
	{ "memory-reserve", set_memory_reserve, "a size of at least 1M" },
	{ "large-pages", set_large_pages, "auto, on or off" },
	{ "preload", NULL, "a file" }, /* files.c reads these, in their order among the guests' */
};

static void read_pair(struct boot_info *info, struct target *t, const struct config_item *item)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_keys); i++) {
		const struct host_key *key = &host_keys[i];

		if (strcmp(item->key, key->name))
			continue;
		if (key->set && key->set(t, item->value))
			options_complain(info, item->line, "%s = %.40s: expected %s", key->name, item->value,
					 key->expected);
		else if (key->set == set_serial)
			t->serial->line = item->line;
		return;
	}
	if (!set_virt_option(info, t, item))
		options_complain(info, item->line, "unknown key \"%s\" in [host]", item->key);
}

void options_read(struct boot_info *info, struct serial_choice *serial)
{
	static struct config_item item; /* too large for the firmware's stack */
	struct target target = { &info->options, serial };
	struct config config;

	info->options = (struct boot_options){
		.log_level = LOG_INFO, .x2apic = true, .runtime_services = true, .mitigations = true, .serial_baud = 115200,
		.overcommit = OVERCOMMIT_FULL,
	};
	*serial = (struct serial_choice){ .source = SERIAL_AUTO };
	config_init(&config, (const char *)info->config.base, info->config.size);
	for (config_next(&config, &item); item.kind != CONFIG_END; config_next(&config, &item)) {
		if (item.kind == CONFIG_ERROR)
			options_complain(info, item.line, "%s", item.reason);
		else if (item.kind == CONFIG_PAIR && !item.section[0])
			options_complain(info, item.line, "\"%s\" stands before the first section", item.key);
		else if (item.kind == CONFIG_PAIR && !strcmp(item.section, "host"))
			read_pair(info, &target, &item);
	}
}

void options_complain(struct boot_info *info, u32 line, const char *format, ...)
{
	u32 used = strlen(info->load_messages), room = sizeof(info->load_messages) - used;
	char *to = info->load_messages + used;
	va_list args;
	u32 len;

	info->load_message_count++;
	len = line ? fmt_print(to, room, "%s:%u: ", info->config.name, line) :
		     fmt_print(to, room, "%s: ", info->config.name);
	if (len < room) {
		va_start(args, format);
		len += fmt_vprint(to + len, room - len, format, args);
		va_end(args);
	}
	if (len + 1 < room)
		memcpy(to + len, "\n", 2);
	else
		*to = 0; /* all or nothing: a cut line would mislead; it is counted anyway */
}
