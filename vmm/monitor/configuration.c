/* The [guest NAME] sections of quire.conf: parse, check, define, autostart. */
#include "vmm/monitor/configuration.h"

#include "kernel/lib/config.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/definitions.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/start.h"

#define CONFIGURATION_MAX 65536

/* The guest section being read. */
static struct {
	bool open;  /* a section with a usable name */
	bool wrong; /* something in it was reported */
	u32 line;   /* of its head */
	char name[NAME_MAX];
	struct definition definition;
} section;

static void section_wrong(u32 line, const char *reason)
{
	sys_log(LOG_ERROR, "quire.conf:%u: %s", line, reason);
	section.wrong = true;
}

static void section_begin(const struct config_item *item)
{
	section.open = strcmp(item->section, "guest") == 0;
	section.wrong = false;
	section.line = item->line;
	definition_init(&section.definition);
	if (!section.open)
		return;
	section.open = guests_name_valid(item->name) &&
		       str_copy(section.name, sizeof(section.name), item->name);
	if (!section.open)
		section_wrong(item->line, "a guest's name is 1 to 31 of A-Z a-z 0-9 . _ -: rename it");
}

static void section_end(void)
{
	char reason[DEFINITION_REASON];
	int error;

	if (!section.open)
		return;
	section.open = false;
	if (!section.wrong && definition_finish(&section.definition, reason, sizeof(reason)) != 0)
		section_wrong(section.line, reason);
	if (section.wrong) {
		sys_log(LOG_ERROR, "guest %s is not defined: correct quire.conf", section.name);
		return;
	}
	error = sys_guest_define(section.name, section.definition.text, section.definition.len);
	if (error == ERR_EXIST)
		sys_log(LOG_ERROR, "quire.conf:%u: guest %s is defined twice: the first one counts",
			section.line, section.name);
	else if (error < 0)
		sys_log(LOG_ERROR, "quire.conf:%u: guest %s is not defined: %s", section.line, section.name,
			error_text(error));
}

void configuration_define(const char *text, size_t len)
{
	static struct config_item item;
	char reason[DEFINITION_REASON];
	struct config c;

	section.open = false;
	config_init(&c, text, len);
	do {
		config_next(&c, &item);
		/* A malformed section line ends a section too, without an item of its own kind. */
		if (strcmp(item.section, "guest") != 0 || strcmp(item.name, section.name) != 0)
			section_end();
		switch (item.kind) {
		case CONFIG_SECTION:
			section_end();
			section_begin(&item);
			break;
		case CONFIG_PAIR:
			if (section.open && definition_add(&section.definition, item.key, item.value, reason,
							   sizeof(reason)) != 0)
				section_wrong(item.line, reason);
			break;
		case CONFIG_ERROR:
			section.wrong = true; /* boot has said why */
			break;
		case CONFIG_END:
			section_end();
		}
	} while (item.kind != CONFIG_END);
}

static void autostart(void)
{
	static struct definition d;
	char reason[DEFINITION_REASON];
	struct guest_info info;

	for (GUESTS_EACH(&info)) {
		if (definition_read(&d, info.id, reason, sizeof(reason)) != 0 || !d.autostart)
			continue;
		if (start_guest(info.id, reason, sizeof(reason)) != 0)
			sys_log(LOG_ERROR, "guest %s: not started: %s", info.name, reason);
	}
}

void configuration_apply(void)
{
	static char text[CONFIGURATION_MAX];
	s64 n;
	size_t len = 0;

	if (sys_guest_next(0)) {
		output_print("The monitor was started again; the guests are as they were. See 'dmesg'.\n");
		return;
	}
	while (len < sizeof(text) && (n = sys_config_read(len, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	if (len == sizeof(text))
		sys_log(LOG_ERROR, "quire.conf is longer than 64 KiB: the rest is ignored");
	configuration_define(text, len);
	autostart();
}
