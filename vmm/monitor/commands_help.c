/* help: the table of commands, printed. */
#include "vmm/monitor/command.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/output.h"
#include "kernel/lib/string.h"

static void overview(void)
{
	for (u32 i = 0; i < command_table_count; i++)
		output_print("  %-14s%s\n", command_table[i].name, command_table[i].summary);
	output_print("'help COMMAND' tells more. Tab completes, the arrows bring back older lines.\n");
}

void commands_help(int argc, char **argv)
{
	const struct command *c;

	if (argc == 1) {
		overview();
		return;
	}
	c = command_find(argv[1]);
	if (!c) {
		output_error("there is no command '%.40s': 'help' lists them", argv[1]);
		return;
	}
	output_print("%s%s%s\n%s\n", c->name, *c->args ? " " : "", c->args, c->summary);
	if (c->help)
		output_text(c->help, strlen(c->help));
}
