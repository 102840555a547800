/* What changes a guest's state.  Each returns as soon as the kernel accepted it; the end of it is told by a
 * line above the prompt or by 'domstate'. */
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/console.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/policy.h"
#include "vmm/monitor/start.h"

/* Asks the kernel; an error names the state, which is what usually forbids it. */
static bool control(const struct guest_info *info, enum guest_control what, const char *verb,
		    const char *hint)
{
	int error = sys_guest_control(info->id, what, 0);

	if (error == ERR_STATE)
		output_error("%s is %s and cannot be %s: %s", info->name, guests_state(info), verb,
			     hint);
	else if (error)
		output_error("%s cannot be %s (%s): see 'dmesg'", info->name, verb, error_text(error));
	return !error;
}

void commands_start(int argc, char **argv)
{
	char reason[DEFINITION_REASON];
	struct guest_info info;

	if (!guests_find(argv[1], &info))
		return;
	policy_expect_restart(info.id, false);
	/* If it went off this moment, an older intention must not outlive this one. */
	policy_set_next(info.id, info.state == GUEST_DYING ? NEXT_START : NEXT_NONE);
	if (info.state == GUEST_DYING)
		return;
	if (info.state == GUEST_PAUSED)
		output_error("%s is paused: use 'resume %s'", info.name, info.name);
	else if (info.state == GUEST_STOPPED)
		output_error("%s has stopped and is kept: use 'reset %s' to start it anew", info.name,
			     info.name);
	else if (info.state == GUEST_RUNNING)
		output_error("%s is running already: use 'reset %s' to start it anew", info.name, info.name);
	else if (start_guest(info.id, reason, sizeof(reason)) != 0)
		output_error("%s: %s", info.name, reason);
}

static void press_power_button(const char *word, bool restart)
{
	struct guest_info info;

	if (!guests_find_on(word, &info))
		return;
	if (info.state == GUEST_PAUSED || info.state == GUEST_STOPPED) {
		output_error("%s is %s and does not see its power button: use '%s %s'", info.name,
			     guests_state(&info), info.state == GUEST_PAUSED ? "resume" : "destroy",
			     info.name);
		return;
	}
	if (control(&info, CONTROL_SHUTDOWN, "shut down", "see 'list'"))
		policy_expect_restart(info.id, restart);
}

void commands_shutdown(int argc, char **argv)
{
	press_power_button(argv[1], false);
}

void commands_reboot(int argc, char **argv)
{
	press_power_button(argv[1], true);
}

void commands_reset(int argc, char **argv)
{
	struct guest_info info;

	if (!guests_find_on(argv[1], &info))
		return;
	if (info.state != GUEST_STOPPED) {
		if (control(&info, CONTROL_RESET, "reset", "see 'list'"))
			policy_expect_restart(info.id, true);
	} else if (control(&info, CONTROL_DESTROY, "reset", "see 'list'")) {
		policy_set_next(info.id, NEXT_START);
	}
}

void commands_destroy(int argc, char **argv)
{
	struct guest_info info;

	if (!guests_find(argv[1], &info))
		return;
	policy_expect_restart(info.id, false);
	policy_set_next(info.id, NEXT_NONE);
	if (info.state == GUEST_OFF)
		output_error("%s is off already: 'start' or 'undefine' it", info.name);
	else if (info.state != GUEST_DYING)
		control(&info, CONTROL_DESTROY, "destroyed", "see 'list'");
}

void commands_suspend(int argc, char **argv)
{
	struct guest_info info;

	if (guests_find_on(argv[1], &info))
		control(&info, CONTROL_PAUSE, "paused", "only a running guest can");
}

void commands_resume(int argc, char **argv)
{
	struct guest_info info;

	if (guests_find_on(argv[1], &info))
		control(&info, CONTROL_RESUME, "resumed", "only a paused guest can");
}

void commands_inject_nmi(int argc, char **argv)
{
	struct guest_info info;

	if (guests_find_on(argv[1], &info))
		control(&info, CONTROL_NMI, "sent an NMI", "only a running guest can");
}

void commands_console(int argc, char **argv)
{
	struct guest_info info;

	if (guests_find(argv[1], &info))
		console_attach(&info);
}
