/* What the monitor does when a guest's run ends, and how it remembers what the operator wants then. */
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
#include "vmm/monitor/console.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/policy.h"
#include "vmm/monitor/terminal.h"

static struct fake_guest *guest;

static int setup(void **state)
{
	static u32 first_id = 1;

	fake_reset();
	fake.next_id = first_id; /* numbers are never reused: the policies remember them */
	first_id += 20;
	terminal_init();
	return 0;
}

static void add(const char *definition)
{
	guest = fake_add("web", definition, GUEST_RUNNING);
}

/* Runs the policies as the event loop does; the lines that they printed. */
static const char *settle(void)
{
	fake_clear();
	while (fake.events & EVENT_GUEST) {
		fake.events &= ~(u32)EVENT_GUEST;
		policy_run();
	}
	output_drain();
	fake.out[fake.out_len] = 0;
	return fake.out;
}

static void expect_line(const char *line)
{
	const char *text = settle();

	if (!strstr(text, line))
		fail_msg("no '%s' in: %s", line, text);
}

static void test_defaults(void **state)
{
	add("kernel = bzImage\n");
	fake_stop(guest, STOP_POWEROFF, "");
	expect_line("guest web: powered off, destroyed\r\n");
	assert_int_equal(guest->info.state, GUEST_OFF);
	assert_int_equal(guest->info.starts, 1);

	fake_run("start web");
	fake_stop(guest, STOP_REBOOT, "");
	expect_line("guest web: reset, restarted\r\n");
	assert_int_equal(guest->info.state, GUEST_RUNNING);
	assert_int_equal(guest->info.starts, 3);

	fake_stop(guest, STOP_CRASH, "triple fault");
	expect_line("guest web: crashed: triple fault, destroyed\r\n");
	assert_int_equal(guest->info.state, GUEST_OFF);
}

static void test_pause_keeps(void **state)
{
	add("kernel = bzImage\non-crash = pause\n");
	fake_stop(guest, STOP_CRASH, "a\nhostile\x1b[2Jtext");
	expect_line("guest web: crashed: a\r\nhostile?[2Jtext, kept\r\n");
	assert_int_equal(guest->info.state, GUEST_STOPPED);
	fake.events |= EVENT_GUEST;
	assert_string_equal(settle(), ""); /* told once */
	assert_int_equal(guest->control_count, 0);
	fake_run("reset web");
	settle();
	assert_int_equal(guest->info.state, GUEST_RUNNING);
}

static void test_slow_destroy(void **state)
{
	add("kernel = bzImage\n");
	guest->slow_destroy = true;
	fake_stop(guest, STOP_REBOOT, "");
	settle();
	assert_int_equal(guest->info.state, GUEST_DYING);
	fake.events |= EVENT_GUEST;
	settle();
	assert_int_equal(guest->info.state, GUEST_DYING);
	fake_finish(guest);
	settle();
	assert_int_equal(guest->info.state, GUEST_RUNNING);
}

static void test_crash_loop_is_damped(void **state)
{
	add("kernel = bzImage\non-crash = restart\n");
	for (int i = 0; i < 5; i++) {
		fake_stop(guest, STOP_CRASH, "oops");
		expect_line("crashed: oops, restarted\r\n");
		assert_int_equal(guest->info.state, GUEST_RUNNING);
		fake.clock += 1000000000;
	}
	fake_stop(guest, STOP_CRASH, "oops");
	expect_line("restarted 5 times within 10 s: it stays off\r\n");
	assert_int_equal(guest->info.state, GUEST_OFF);
	fake_run("start web");
	assert_int_equal(guest->info.state, GUEST_RUNNING);
	fake.clock += 11 * 1000000000ull;
	fake_stop(guest, STOP_CRASH, "oops");
	expect_line("restarted\r\n");
	assert_int_equal(guest->info.state, GUEST_RUNNING);
}

static void test_reboot_command(void **state)
{
	add("kernel = bzImage\n");
	fake_run("reboot web");
	assert_int_equal(guest->last_control, CONTROL_SHUTDOWN);
	fake_stop(guest, STOP_POWEROFF, "");
	expect_line("guest web: powered off, restarted\r\n");
	assert_int_equal(guest->info.state, GUEST_RUNNING);
	fake_stop(guest, STOP_POWEROFF, ""); /* only once */
	expect_line("powered off, destroyed\r\n");

	fake_run("start web");
	fake_run("reboot web");
	fake_run("shutdown web"); /* a changed mind */
	fake_stop(guest, STOP_POWEROFF, "");
	expect_line("powered off, destroyed\r\n");
}

static void test_reset_ignores_policy(void **state)
{
	add("kernel = bzImage\non-reboot = destroy\n");
	for (int i = 0; i < 10; i++) { /* the operator may do it as often as he likes */
		fake_run("reset web");
		expect_line("guest web: reset, restarted\r\n");
		assert_int_equal(guest->info.state, GUEST_RUNNING);
	}
	fake_stop(guest, STOP_REBOOT, "");
	expect_line("guest web: reset, destroyed\r\n");
	assert_int_equal(guest->info.state, GUEST_OFF);
}

static void test_start_and_undefine_wait_for_the_end(void **state)
{
	add("kernel = bzImage\n");
	guest->slow_destroy = true;
	assert_string_equal(fake_run("destroy web"), "");
	assert_int_equal(guest->info.state, GUEST_DYING);
	assert_string_equal(fake_run("start web"), "");
	fake_finish(guest);
	assert_string_equal(settle(), "");
	assert_int_equal(guest->info.state, GUEST_RUNNING);

	fake_run("destroy web");
	fake_run("start web");
	fake_run("destroy web"); /* a changed mind */
	fake_finish(guest);
	settle();
	assert_int_equal(guest->info.state, GUEST_OFF);

	fake_run("start web");
	fake_run("destroy web");
	fake_run("start web");
	fake_finish(guest);
	fake_run("start web"); /* before the monitor saw that it is off */
	settle();
	assert_int_equal(guest->info.state, GUEST_RUNNING);
	fake_stop(guest, STOP_POWEROFF, "");
	settle();
	fake_finish(guest);
	settle();
	assert_int_equal(guest->info.state, GUEST_OFF);

	fake_run("start web");
	fake_run("destroy web");
	assert_string_equal(fake_run("undefine web"), "");
	fake_finish(guest);
	settle();
	assert_null(fake_guest("web"));
}

static void test_failures_are_told(void **state)
{
	add("kernel = bzImage\n");
	fake_stop(guest, STOP_REBOOT, "");
	fake.start_error = ERR_NOMEM;
	fake.admission.verdict = ADMIT_BUILD;
	expect_line("guest web: not started: its processors and its machine process take");
	assert_int_equal(guest->info.state, GUEST_OFF);
	fake.start_error = 0;
	fake_run("start web");
	fake_stop(guest, STOP_POWEROFF, "");
	fake.control_error = ERR_NOMEM;
	expect_line("guest web: cannot be destroyed (out of memory)");
}

static void test_unreadable_definition_keeps(void **state)
{
	add("nonsense\n");
	fake_stop(guest, STOP_POWEROFF, "");
	expect_line("powered off, kept\r\n");
}

static void test_notices_and_consoles(void **state)
{
	struct fake_guest *other;

	add("kernel = bzImage\n");
	other = fake_add("db", "kernel = bzImage\n", GUEST_RUNNING);
	fake_run("console web");
	fake_stop(other, STOP_CRASH, "oops");
	assert_string_equal(settle(), ""); /* not into web's console */
	fake_stop(guest, STOP_POWEROFF, "");
	expect_line("guest web: powered off, destroyed\r\n");
	fake_clear();
	console_input(0x1d);
	terminal_show();
	output_drain();
	fake.out[fake.out_len] = 0;
	assert_non_null(strstr(fake.out, "guest db: crashed: oops, destroyed\r\nquire> "));
}

static void test_many_guests(void **state)
{
	for (int i = 0; i < 3000; i++) { /* more numbers than the monitor has places to remember */
		struct fake_guest *g = fake_add("web", "kernel = bzImage\n", GUEST_RUNNING);

		fake_stop(g, STOP_REBOOT, "");
		settle();
		assert_int_equal(g->info.state, GUEST_RUNNING);
		fake_run("destroy web");
		fake_run("undefine web");
		assert_null(fake_guest("web"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, setup),
		cmocka_unit_test_setup(test_pause_keeps, setup),
		cmocka_unit_test_setup(test_slow_destroy, setup),
		cmocka_unit_test_setup(test_crash_loop_is_damped, setup),
		cmocka_unit_test_setup(test_reboot_command, setup),
		cmocka_unit_test_setup(test_reset_ignores_policy, setup),
		cmocka_unit_test_setup(test_start_and_undefine_wait_for_the_end, setup),
		cmocka_unit_test_setup(test_failures_are_told, setup),
		cmocka_unit_test_setup(test_unreadable_definition_keeps, setup),
		cmocka_unit_test_setup(test_notices_and_consoles, setup),
		cmocka_unit_test_setup(test_many_guests, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
