/* setvcpus, and how the number of vCPUs is shown. */
/* links: tests/unit/fake_monitor.c tests/unit/fake_monitor_memory.c vmm/monitor/command.c vmm/monitor/command_table.c
 * vmm/monitor/commands_setvcpus.c
 * vmm/monitor/commands_balloon.c vmm/monitor/commands_guests.c vmm/monitor/commands_help.c
 * vmm/monitor/commands_host.c vmm/monitor/commands_inspect.c vmm/monitor/commands_ksm.c
 * vmm/monitor/commands_ksm_check.c vmm/monitor/commands_ledger.c vmm/monitor/commands_lifecycle.c
 * vmm/monitor/commands_sched.c vmm/monitor/commands_test.c vmm/monitor/commands_trace.c vmm/monitor/top.c
 * vmm/monitor/commands_vcpus.c vmm/monitor/complete.c vmm/monitor/configuration.c vmm/monitor/console.c
 * vmm/monitor/definitions.c vmm/monitor/editor.c vmm/monitor/events.c vmm/monitor/guests.c
 * vmm/monitor/loglines.c vmm/monitor/output.c vmm/monitor/places.c vmm/monitor/policy.c
 * vmm/monitor/replay.c vmm/monitor/start.c
 * vmm/monitor/table.c vmm/monitor/terminal.c vmm/monitor/units.c kernel/lib/config.c kernel/lib/fmt.c
 * kernel/lib/string.c kernel/lib/error.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_monitor.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/terminal.h"

static struct fake_guest *web;

static int setup(void **state)
{
	fake_reset();
	terminal_init();
	terminal_show();
	web = fake_add("web", "kernel = bzImage\n", GUEST_RUNNING);
	fake_add("db", "kernel = bzImage\n", GUEST_OFF);
	output_drain();
	return 0;
}

static void test_setvcpus(void **state)
{
	assert_string_equal(fake_run("setvcpus web 2"), "web: it should have 2 of at most 2 vCPUs\r\n");
	assert_true(web->last_control == CONTROL_VCPUS && web->last_argument == 2);
	fake_expect("setvcpus web 1", "It is asked to give the last ones back: 'vcpuinfo web' shows how far it is.\r\n");
	web->info.vcpus_wanted = 1;
	fake_expect("dominfo web", "vCPUs             2\r\n  at most         2\r\n  asked for       1\r\n");
	web->info.vcpus_present = 1;
	assert_null(strstr(fake_run("dominfo web"), "asked for"));
	fake_expect("domstats web", "vcpus=1\r\nvcpus.max=2\r\nvcpus.asked=1\r\n");
	fake_run("suspend web");
	fake_expect("setvcpus web 2", "It will see that when it runs: it is paused.\r\n");
	fake_run("define many kernel=bzImage vcpus=2 vcpus-max=4");
	fake_expect("setvcpus many 3",
		    "many: it should have 3 of at most 4 vCPUs\r\nFrom its next start on: it is off.\r\n");
	fake_guest("many")->info.vcpus_wanted = 3;
	fake_expect("dominfo many", "vCPUs             3\r\n  at most         4\r\n");
	assert_string_equal(fake_run("start many"), "");
	assert_true(fake_guest("many")->params.vcpu_count == 2 && fake_guest("many")->params.vcpu_max == 4);
}

static void test_refusals(void **state)
{
	static const char *const lines[] = {
		"setvcpus", "setvcpus web", "setvcpus no 1", "setvcpus web 0", "setvcpus web 3", "setvcpus web x",
		"setvcpus web -1", "setvcpus db 2", "setvcpus web 1 2", "define x kernel=bzImage vcpus=2 vcpus-max=1",
	};

	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *text = fake_run(lines[i]);

		if (strncmp(text, "error: ", 7) != 0 || !strchr(text, '\n') || strchr(text, '\n')[1])
			fail_msg("'%s' is not answered by one error line but: %s", lines[i], text);
	}
	assert_int_equal(web->control_count, 0);
	fake.control_error = ERR_STATE;
	fake_expect("setvcpus web 2", "error: web cannot be asked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_setvcpus, setup), cmocka_unit_test_setup(test_refusals, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
