/* From a line to a command's function. */
#include "vmm/monitor/command.h"

#include "kernel/lib/string.h"
#include "vmm/monitor/editor.h"
#include "vmm/monitor/output.h"

const struct command *command_find(const char *name)
{
	for (u32 i = 0; i < command_table_count; i++)
		if (strcmp(command_table[i].name, name) == 0)
			return &command_table[i];
	return NULL;
}

/* Takes one word from *at on, without its quotes; NULL if a quote is not closed. */
static char *take_word(char **at)
{
	char *from = *at, *to = *at, *word = *at;
	char quote = 0;

	for (; *from && (quote || *from != ' '); from++) {
		if (quote ? *from == quote : (*from == '"' || *from == '\''))
			quote = quote ? 0 : *from;
		else
			*to++ = *from;
	}
	*at = *from ? from + 1 : from;
	*to = 0;
	return quote ? NULL : word;
}

int command_split(char *line, char **words)
{
	int count = 0;

	for (;;) {
		while (*line == ' ')
			line++;
		if (!*line)
			return count;
		if (count == COMMAND_WORDS)
			return COMMAND_WORDS + 1;
		words[count] = take_word(&line);
		if (!words[count++])
			return -1;
	}
}

void command_run(const char *line)
{
	static char text[EDITOR_LINE];
	static char *words[COMMAND_WORDS];
	const struct command *c;
	int count;

	str_copy(text, sizeof(text), line);
	count = command_split(text, words);
	if (!count)
		return;
	if (count < 0) {
		output_error("a quote is not closed: add the missing one");
		return;
	}
	if (count > COMMAND_WORDS) {
		output_error("more than %u words: quote values that have blanks", COMMAND_WORDS);
		return;
	}
	c = command_find(words[0]);
	if (!c)
		output_error("there is no command '%.40s': 'help' lists them", words[0]);
	else if (count - 1 < c->min || count - 1 > c->max)
		output_error("'%s' takes %s: see 'help %s'", c->name, *c->args ? c->args : "no arguments",
			     c->name);
	else
		c->run(count, words);
}
