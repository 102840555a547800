/* How many processors a guest has of those that it can have: setvcpus. */
#include "kernel/lib/config.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/commands.h"
#include "vmm/monitor/definitions.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"

/* The most that the guest can have: of its run, or of its next one; 0 after an error. */
static u32 most_of(const struct guest_info *info)
{
	static struct definition d;
	char reason[DEFINITION_REASON];

	if (info->state != GUEST_OFF && info->state != GUEST_DYING)
		return info->vcpu_count;
	if (definition_read(&d, info->id, reason, sizeof(reason)) == 0)
		return MAX(d.params.vcpu_count, d.params.vcpu_max);
	output_error("%s", reason);
	return 0;
}

static void say(const struct guest_info *info, u32 count)
{
	const char *name = info->name;

	output_print("%s: it should have %u of at most %u vCPUs\n", name, count, most_of(info));
	if (info->state == GUEST_OFF || info->state == GUEST_DYING)
		output_print("From its next start on: it is off.\n");
	else if (info->state != GUEST_RUNNING)
		output_print("It will see that when it runs: it is %s.\n", guests_state(info));
	else if (count < info->vcpus_present)
		output_print("It is asked to give the last ones back: 'vcpuinfo %s' shows how far it is.\n", name);
}

void commands_setvcpus(int argc, char **argv)
{
	struct guest_info info;
	u64 count;
	u32 most;
	int error;

	if (!guests_find(argv[1], &info))
		return;
	most = most_of(&info);
	if (!most)
		return;
	if (config_number(argv[2], 1, most, &count) != 0) {
		output_error("%s cannot have '%.20s' vCPUs: use 1 to %u, its vcpus-max", info.name, argv[2], most);
		return;
	}
	error = sys_guest_control(info.id, CONTROL_VCPUS, count);
	if (error)
		output_error("%s cannot be asked (%s): see 'dmesg'", info.name, error_text(error));
	else
		say(&info, (u32)count);
}
