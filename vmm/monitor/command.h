/* Commands: one table says everything about them, and help, usage errors and completion come from it. */
#ifndef VMM_MONITOR_COMMAND_H
#define VMM_MONITOR_COMMAND_H

#include "kernel/lib/types.h"

#define COMMAND_WORDS 64

struct command {
	const char *name;
	/* As help shows them; [optional], repeated...  The words NAME, COMMAND, KEY=VALUE and a|b tell Tab
	 * what to offer. */
	const char *args;
	u8 min, max;         /* how many arguments */
	const char *summary; /* one line, for the overview */
	const char *help;    /* more, for help COMMAND; may be NULL */
	void (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

extern const struct command command_table[];
extern const u32 command_table_count;

/* Runs a line: prints its output or exactly one line "error: what, and what to do". */
void command_run(const char *line);

/* By name, NULL for none. */
const struct command *command_find(const char *name);

/* Splits line into words in place; quotes keep blanks and are removed.  Returns their number, or -1 for a
 * quote that is not closed, or COMMAND_WORDS + 1 for too many. */
int command_split(char *line, char **words);

#endif
