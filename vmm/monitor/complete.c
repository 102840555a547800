/* Completion from the commands' argument texts: the words NAME, COMMAND, KEY=VALUE and a|b there say what may
 * stand in that place. */
#include "vmm/monitor/complete.h"

#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/command.h"
#include "vmm/monitor/definitions.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"

#define CANDIDATE_MAX FILE_NAME_MAX
#define LIST_WIDTH 26 /* three to a line */

/* One pass over the candidates: they are counted and their common beginning is kept, or they are printed. */
struct matches {
	const char *word; /* what was typed of it */
	bool print;
	u32 count;
	char common[CANDIDATE_MAX];
};

static void offer(struct matches *m, const char *candidate)
{
	size_t same = 0;

	if (!str_starts(candidate, m->word))
		return;
	if (m->print)
		output_print("%-*s%s", LIST_WIDTH - 1, candidate, m->count % 3 == 2 ? "\n" : " ");
	if (!m->count++) {
		str_copy(m->common, sizeof(m->common), candidate);
		return;
	}
	while (m->common[same] && m->common[same] == candidate[same])
		same++;
	m->common[same] = 0;
}

static void offer_commands(struct matches *m)
{
	for (u32 i = 0; i < command_table_count; i++)
		offer(m, command_table[i].name);
}

static void offer_guests(struct matches *m)
{
	struct guest_info info;

	for (GUESTS_EACH(&info))
		offer(m, info.name);
}

static void offer_files(struct matches *m)
{
	struct file_info file;

	for (u32 i = 0; sys_file_info(i, &file) == 0; i++)
		offer(m, file.name);
}

/* KEY=VALUE: the key with its "=", or a value of the key that stands already. */
static void offer_pairs(struct matches *m)
{
	const char *value = strchr(m->word, '=');
	char text[CANDIDATE_MAX];

	if (!value) {
		for (u32 i = 0; definition_key(i); i++) {
			fmt_print(text, sizeof(text), "%s=", definition_key(i));
			offer(m, text);
		}
		return;
	}
	if (str_starts(m->word, "on-")) {
		m->word = value + 1;
		for (u32 i = 0; definition_action(i); i++)
			offer(m, definition_action(i));
	} else if (str_starts(m->word, "autostart=") || str_starts(m->word, "balloon=")) {
		m->word = value + 1;
		offer(m, "on");
		offer(m, "off");
	} else if (str_starts(m->word, "hyperv=")) {
		m->word = value + 1;
		offer(m, "on");
		offer(m, "off");
		offer(m, "only");
	} else if (str_starts(m->word, "kernel=") || str_starts(m->word, "initrd=") ||
		   str_starts(m->word, "module=")) {
		m->word = value + 1;
		offer_files(m);
	}
}

/* crash|loop|syscalls: each alternative. */
static void offer_alternatives(struct matches *m, const char *text, size_t len)
{
	char one[CANDIDATE_MAX];
	size_t n = 0;

	for (size_t i = 0; i <= len && n < sizeof(one) - 1; i++) {
		if (i < len && text[i] != '|') {
			one[n++] = text[i];
			continue;
		}
		one[n] = 0;
		offer(m, one);
		n = 0;
	}
}

/* What may stand as the index-th argument (from 0), by the command's args; the last may be repeated. */
static void offer_argument(struct matches *m, const struct command *c, u32 index)
{
	const char *at = c->args, *end;

	for (;;) {
		end = strchr(at, ' ');
		if (!index || !end)
			break;
		index--;
		at = end + 1;
	}
	if (!end)
		end = at + strlen(at);
	if (index && !str_starts(at, "KEY=VALUE"))
		return;
	if (*at == '[') {
		at++;
		end--;
	}
	if (str_starts(at, "NAME"))
		offer_guests(m);
	else if (str_starts(at, "COMMAND"))
		offer_commands(m);
	else if (str_starts(at, "KEY=VALUE"))
		offer_pairs(m);
	else if (end > at && (*at < 'A' || *at > 'Z'))
		offer_alternatives(m, at, (size_t)(end - at));
}

/* Finds the word before the cursor and offers all that it may become. */
static void find_matches(const struct editor *e, struct matches *m)
{
	static char text[EDITOR_LINE];
	static char *words[COMMAND_WORDS];
	const struct command *c;
	size_t from = e->cursor;
	int count;

	while (from && e->line[from - 1] != ' ')
		from--;
	memcpy(text, e->line, e->cursor);
	text[e->cursor] = 0;
	m->word = e->line + from;
	text[from ? from - 1 : 0] = 0;
	count = command_split(text, words);
	if (count < 0 || count >= COMMAND_WORDS)
		return;
	if (!count) {
		offer_commands(m);
		return;
	}
	c = command_find(words[0]);
	if (c)
		offer_argument(m, c, (u32)count - 1);
}

void complete_line(struct editor *e)
{
	static struct matches m;
	char rest = e->line[e->cursor];
	size_t typed, common;

	e->line[e->cursor] = 0; /* the word ends at the cursor */
	m = (struct matches){ 0 };
	find_matches(e, &m);
	typed = strlen(m.word);
	common = strlen(m.common);
	if (m.count > 1 && common == typed) {
		editor_hide(e);
		m.print = true;
		m.count = 0;
		find_matches(e, &m);
		if (m.count % 3)
			output_print("\n");
	}
	e->line[e->cursor] = rest;
	if (m.count && common > typed)
		editor_insert(e, m.common + typed, common - typed);
	if (m.count == 1 && m.common[common - 1] != '=')
		editor_insert(e, " ", 1);
	editor_show(e);
}
