/* The monitor's only memory about guests: what is intended for each, and when it was restarted.  It is lost
 * when the monitor dies; then a stopped guest's policy is simply applied again.  One thread: no lock. */
#include "vmm/monitor/policy.h"

#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/definitions.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/start.h"
#include "vmm/monitor/terminal.h"

#define ENTRIES 1024

struct entry {
	u32 id;             /* 0: free */
	u32 settled;        /* guest_info.starts of the run whose end was dealt with */
	enum policy_next next;
	bool expect_restart;
	u32 restart_count;
	u64 restarts[POLICY_RESTARTS]; /* clock ns of the last ones, a ring by restart_count */
};

static struct entry entries[ENTRIES];

/* The guest's entry, made when there is none; of more than ENTRIES guests the last share one, which
 * costs them no more than a forgotten intention. */
static struct entry *entry_of(u32 id)
{
	struct entry *unused = NULL;
	struct guest_info info;

	for (u32 i = 0; i < ENTRIES; i++) {
		if (entries[i].id == id)
			return &entries[i];
		if (!unused && !entries[i].id)
			unused = &entries[i];
	}
	for (u32 i = 0; !unused && i < ENTRIES; i++)
		if (sys_guest_info(entries[i].id, &info) != 0)
			unused = &entries[i];
	if (!unused)
		unused = &entries[ENTRIES - 1];
	memset(unused, 0, sizeof(*unused));
	unused->id = id;
	return unused;
}

void policy_set_next(u32 id, enum policy_next next)
{
	entry_of(id)->next = next;
}

void policy_expect_restart(u32 id, bool expect)
{
	entry_of(id)->expect_restart = expect;
}

static enum policy_action action_for(const struct guest_info *info)
{
	static struct definition d;
	char reason[DEFINITION_REASON];

	if (definition_read(&d, info->id, reason, sizeof(reason)) != 0)
		return ACTION_PAUSE; /* nothing is thrown away for a definition that cannot be read */
	switch (info->stop_reason) {
	case STOP_POWEROFF: return d.on_poweroff;
	case STOP_REBOOT: return d.on_reboot;
	case STOP_CRASH: return d.on_crash;
	}
	return ACTION_DESTROY;
}

/* Counts a restart by policy; false if there were too many lately. */
static bool restart_allowed(struct entry *e)
{
	u64 now = sys_clock();
	u64 *oldest = &e->restarts[e->restart_count % POLICY_RESTARTS];

	if (e->restart_count >= POLICY_RESTARTS && now - *oldest < POLICY_WINDOW_NS)
		return false;
	*oldest = now;
	e->restart_count++;
	return true;
}

static void tell_end(const struct guest_info *info, const char *what)
{
	bool crash = info->stop_reason == STOP_CRASH && info->stop_text[0];

	if (info->stop_reason != STOP_DESTROYED)
		terminal_notice(info->id, "guest %s: %s%s%.*s, %s", info->name,
				guests_stop_reason(info->stop_reason), crash ? ": " : "",
				crash ? (int)sizeof(info->stop_text) : 0, info->stop_text, what);
}

static void guest_stopped(const struct guest_info *info, struct entry *e)
{
	enum policy_action action = action_for(info);
	bool asked = e->expect_restart && info->stop_reason != STOP_CRASH;
	int error;

	if (e->settled == info->starts)
		return;
	e->settled = info->starts;
	e->expect_restart = false;
	if (asked)
		action = ACTION_RESTART;
	if (action == ACTION_PAUSE) {
		tell_end(info, "kept");
		return;
	}
	if (action == ACTION_RESTART && !asked && !restart_allowed(e)) {
		action = ACTION_DESTROY;
		tell_end(info, "restarted 5 times within 10 s: it stays off");
	} else {
		tell_end(info, action == ACTION_RESTART ? "restarted" : "destroyed");
	}
	if (action == ACTION_RESTART)
		e->next = NEXT_START;
	error = sys_guest_control(info->id, CONTROL_DESTROY, 0);
	if (error && error != ERR_STATE)
		terminal_notice(info->id, "guest %s: cannot be destroyed (%s): see 'dmesg'", info->name,
				error_text(error));
}

static void guest_off(const struct guest_info *info, struct entry *e)
{
	char reason[DEFINITION_REASON];
	enum policy_next next = e->next;
	int error = 0;

	e->next = NEXT_NONE;
	if (next == NEXT_START) {
		error = start_guest(info->id, reason, sizeof(reason));
		if (error)
			terminal_notice(info->id, "guest %s: not started: %s", info->name, reason);
	} else if (next == NEXT_UNDEFINE) {
		error = sys_guest_undefine(info->id);
		if (error)
			terminal_notice(info->id, "guest %s: not undefined: %s", info->name, error_text(error));
	}
}

void policy_run(void)
{
	struct guest_info info;

	for (GUESTS_EACH(&info)) {
		if (info.state != GUEST_STOPPED && info.state != GUEST_OFF)
			continue;
		if (info.state == GUEST_STOPPED)
			guest_stopped(&info, entry_of(info.id));
		/* The kernel may have finished the destruction already. */
		if (sys_guest_info(info.id, &info) == 0 && info.state == GUEST_OFF)
			guest_off(&info, entry_of(info.id));
	}
}
