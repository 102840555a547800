/* Test hooks: test-hook, crash-monitor. */
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"

static const struct {
	const char *name;
	enum guest_control control;
	enum test_hook hook;
} hooks[] = {
	{ "crash", CONTROL_HOOK, HOOK_CRASH },
	{ "loop", CONTROL_HOOK, HOOK_LOOP },
	{ "syscalls", CONTROL_HOOK, HOOK_SYSCALLS },
	{ "handles", CONTROL_HOOK, HOOK_HANDLES },
	{ "replace", CONTROL_REPLACE, HOOK_NONE },
};

void commands_test_hook(int argc, char **argv)
{
	struct guest_info info;
	int error;
	u32 i = 0;

	if (!guests_find_on(argv[1], &info))
		return;
	while (i < ARRAY_SIZE(hooks) && strcmp(hooks[i].name, argv[2]) != 0)
		i++;
	if (i == ARRAY_SIZE(hooks)) {
		output_error("there is no hook '%.40s': see 'help test-hook'", argv[2]);
		return;
	}
	error = sys_guest_control(info.id, hooks[i].control, hooks[i].hook);
	if (error)
		output_error("%s does not take the hook while it is %s (%s): 'resume' it", info.name,
			     guests_state(&info), error_text(error));
}

void commands_crash_monitor(int argc, char **argv)
{
	/* Page 0 is never mapped.  The pointer is volatile so that the compiler does not see through it. */
	volatile int *volatile nowhere = NULL;

	output_drain();
	*nowhere = 1;
}
