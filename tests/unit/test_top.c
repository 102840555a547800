/* top: what the table is sorted by, from the command and by key. */
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
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_monitor.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/terminal.h"
#include "vmm/monitor/top.h"

static struct fake_guest *busy, *big;

static int setup(void **state)
{
	fake_reset();
	terminal_init();
	terminal_show();
	busy = fake_add("busy", "kernel = bzImage\n", GUEST_RUNNING);
	big = fake_add("big", "kernel = bzImage\n", GUEST_RUNNING);
	busy->info.memory_used = MIB;
	big->info.memory_used = 64 * MIB;
	busy->info.run_ns = big->info.run_ns + 1000;
	output_drain();
	return 0;
}

/* Does line a come before line b? */
static bool before(const char *text, const char *a, const char *b)
{
	assert_non_null(strstr(text, a));
	assert_non_null(strstr(text, b));
	return strstr(text, a) < strstr(text, b);
}

static const char *key(u8 byte)
{
	fake_clear();
	top_input(byte);
	output_drain();
	fake.out[fake.out_len] = 0;
	return fake.out;
}

static void test_sorted_by(void **state)
{
	assert_true(before(fake_run("top"), "busy  ", "big  "));
	assert_non_null(strstr(fake.out, "64 MiB"));
	assert_true(before(key('m'), "big  ", "busy  "));
	assert_true(before(key('c'), "busy  ", "big  "));
	assert_non_null(strstr(key('r'), "by ready"));
	assert_non_null(strstr(key('e'), "by exits"));
	assert_string_equal(key('x'), "");
	assert_true(top_shown());
	(void)key('q');
	assert_false(top_shown());
	assert_true(before(fake_run("top memory"), "big  ", "busy  "));
	(void)key('q');
	assert_non_null(strstr(fake_run("top size"), "error: 'size' is nothing to sort by"));
	assert_false(top_shown());
}

static void test_width(void **state)
{
	const char *text, *end;

	big->info.memory_used = UINT64_MAX;
	memset(big->info.name, 'n', NAME_MAX - 1);
	text = strstr(fake_run("top"), "ID");
	for (; (end = strchr(text, '\r')) != NULL; text = end + 2)
		assert_true(end - text <= 80);
	(void)key('q');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sorted_by, setup), cmocka_unit_test_setup(test_width, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
