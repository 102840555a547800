/* The monitor: the ring-3 process that does what the operator wants.  It talks to him on the host's serial
 * line, defines and starts the guests of quire.conf, and applies their policies when their runs end.  If it
 * dies the kernel starts it again; guests go on without it. */
#include "vmm/lib/sys.h"
#include "vmm/monitor/configuration.h"
#include "vmm/monitor/console.h"
#include "vmm/monitor/events.h"
#include "vmm/monitor/loglines.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/policy.h"
#include "vmm/monitor/terminal.h"
#include "vmm/monitor/top.h"
#include "vmm/monitor/units.h"

int main(void);

static void print_banner(void)
{
	static struct host_info host;

	if (sys_host_info(&host) == 0)
		output_print("\nQuire %s: %s, %u CPU%s, %s of memory. 'help' lists the commands.\n",
			     host.version, host.backend, host.cpu_count, host.cpu_count == 1 ? "" : "s",
			     units_size(host.memory_total).text);
}

static void handle_events(u32 events)
{
	if (events & EVENT_GUEST)
		policy_run();
	if (events & EVENT_CONSOLE)
		terminal_read();
	console_pump();
	top_draw();
	loglines_print_new();
	terminal_show();
	output_flush();
}

static u64 next_deadline(void)
{
	u64 console = console_deadline(), top = top_deadline();

	return console && top ? MIN(console, top) : console + top; /* 0: none */
}

int main(void)
{
	terminal_init();
	loglines_init();
	print_banner();
	configuration_apply();
	policy_run();
	handle_events(EVENT_CONSOLE);
	for (;;)
		handle_events(events_take(next_deadline()));
}
