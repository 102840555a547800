/* Guest definitions and quire.conf's guests: what is accepted, what is refused and with which words. */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_monitor.h"
#include "vmm/monitor/configuration.h"
#include "vmm/monitor/definitions.h"
#include "vmm/monitor/output.h"

static struct definition d;
static char reason[DEFINITION_REASON];

static int setup(void **state)
{
	fake_reset();
	return 0;
}

static int parse(const char *text)
{
	reason[0] = 0;
	return definition_parse(&d, text, strlen(text), reason, sizeof(reason));
}

static void test_defaults(void **state)
{
	assert_int_equal(parse("kernel = bzImage\n"), 0);
	assert_int_equal(d.params.memory, 128 * MIB);
	assert_int_equal(d.params.vcpu_count, 1);
	assert_int_equal(d.params.weight, 256);
	assert_string_equal(d.params.share_group, "default");
	assert_false(d.autostart);
	assert_int_equal(d.on_poweroff, ACTION_DESTROY);
	assert_int_equal(d.on_reboot, ACTION_RESTART);
	assert_int_equal(d.on_crash, ACTION_DESTROY);
}

static void test_every_key(void **state)
{
	assert_int_equal(parse("memory=1G\nvcpus = 4\nvcpus-max=64\nkernel=k\ninitrd=i\nmodule=a b c\nmodule=d\n"
			       "cmdline = console=ttyS0 x=\"y z\" #1\nautostart=on\nweight=1024\nshare-group=none\n"
			       "on-crash=pause\non-reboot=destroy\non-poweroff=restart\n"), 0);
	assert_int_equal(d.params.memory, GIB);
	assert_int_equal(d.params.vcpu_count, 4);
	assert_int_equal(d.params.vcpu_max, 64);
	assert_int_equal(d.params.weight, 1024);
	assert_string_equal(d.params.share_group, "");
	assert_true(d.autostart);
	assert_int_equal(d.on_crash, ACTION_PAUSE);
	assert_int_equal(d.on_reboot, ACTION_DESTROY);
	assert_int_equal(d.on_poweroff, ACTION_RESTART);
	assert_int_equal(d.module_count, 2);
}

static void test_refusals(void **state)
{
	static const char *const wrong[] = {
		"", "memory=64M\n", "kernel=\n", "kernel=k\nmemory=0\n", "kernel=k\nmemory=1023K\n",
		"kernel=k\nmemory=1048577\n", "kernel=k\nmemory=99999999999T\n", "kernel=k\nmemory=lots\n",
		"kernel=k\nvcpus=0\n", "kernel=k\nvcpus=65\n", "kernel=k\nvcpus=-1\n", "kernel=k\nvcpus-max=0\n",
		"kernel=k\nvcpus-max=65\n", "kernel=k\nvcpus-max=2\nvcpus=3\n", "kernel=k\nweight=63\n",
		"kernel=k\nweight=1025\n", "kernel=k\nshare-group=\n",
		"kernel=k\nshare-group=a b\n", "kernel=k\non-crash=explode\n", "kernel=k\nautostart=maybe\n",
		"kernel=k\nkernel=k\n", "kernel=k\ncolour=red\n", "kernel=k\n[guest x]\n", "kernel=k\nrubbish\n",
		"kernel=k\nmodule=\n",
	};

	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (parse(wrong[i]) == 0)
			fail_msg("accepted: %s", wrong[i]);
		assert_true(strlen(reason) > 5);
		assert_null(strchr(reason, '\n'));
	}
}

/* The canonical text must come back as the same values, whatever is in them. */
static void round_trip(const char *cmdline, bool possible)
{
	static struct definition again;

	definition_init(&d);
	assert_int_equal(definition_add(&d, "kernel", "k", reason, sizeof(reason)), 0);
	if (!possible) {
		size_t len = d.len;

		assert_int_equal(definition_add(&d, "cmdline", cmdline, reason, sizeof(reason)), ERR_INVAL);
		assert_int_equal(d.len, len);
		return;
	}
	assert_int_equal(definition_add(&d, "cmdline", cmdline, reason, sizeof(reason)), 0);
	assert_int_equal(definition_parse(&again, d.text, d.len, reason, sizeof(reason)), 0);
	assert_int_equal(again.len, d.len);
	assert_memory_equal(again.text, d.text, d.len);
	assert_non_null(strstr(d.text, cmdline));
}

static void test_round_trip(void **state)
{
	static char long_value[5000];

	round_trip("console=ttyS0 quiet", true);
	round_trip("", true);
	round_trip("a # b", true);
	round_trip("a#b", true);
	round_trip("x=\"y z\"", true);
	round_trip(" a ", true);
	round_trip("x=\"a # b\"", false);
	round_trip("a\nkernel = other", false);
	memset(long_value, 'x', 2047);
	round_trip(long_value, true);
	memset(long_value, 'x', 2048);
	round_trip(long_value, false);
	memset(long_value, 'x', 4999);
	round_trip(long_value, false);
}

static void test_modules(void **state)
{
	char file[FILE_NAME_MAX], text[32];

	assert_true(definition_file("module", "a.elf x y", file));
	assert_string_equal(file, "a.elf");
	assert_true(definition_file("kernel", "my file", file));
	assert_string_equal(file, "my file");
	assert_false(definition_file("cmdline", "x", file));
	definition_init(&d);
	for (int i = 0; i < 17; i++) {
		snprintf(text, sizeof(text), "file%d", i);
		assert_int_equal(definition_add(&d, "module", text, reason, sizeof(reason)), i < 16 ? 0 : ERR_INVAL);
	}
}

static void expect_log(const char *text)
{
	if (!strstr(fake.log, text))
		fail_msg("no '%s' in the log:\n%s", text, fake.log);
}

static void define(const char *text)
{
	configuration_define(text, strlen(text));
}

static void test_configuration(void **state)
{
	define("[host]\nlog-level = debug\n\n[guest web]\nkernel = bzImage # with a comment\nmemory = 64M\n"
	       "[guest db]\nkernel=bzImage\ncmdline = \"a # b\"\n");
	assert_int_equal(fake.log_len, 0);
	assert_string_equal(fake_guest("web")->definition, "kernel = bzImage\nmemory = 64M\n");
	assert_string_equal(fake_guest("db")->definition, "kernel = bzImage\ncmdline = \"a # b\"\n");
}

static void test_mistakes_cost_their_guest(void **state)
{
	define("[guest a]\nkernel = k\nmemory = 3\nvcpus = 0\n"  /* lines 1-4 */
	       "[guest b]\nkernel = k\n"                         /* 5-6 */
	       "[guest c]\nmemory = 64M\n"                       /* 7-8 */
	       "[guest b]\nkernel = other\n"                     /* 9-10 */
	       "[guest bad name]\nkernel = k\n"                  /* 11-12 */
	       "[guest d]\nkernel = k\nnonsense\n"               /* 13-15 */
	       "[gest e]\nkernel = k\nmemory = 0\n"              /* 16-18 */
	       "[guest f]\nkernel = k\n[\n"                      /* 19-21 */
	       "[guest g]\nkernel = k");
	expect_log("quire.conf:3: memory");
	expect_log("quire.conf:4: vcpus");
	expect_log("quire.conf:7: kernel");
	expect_log("quire.conf:9: guest b is defined twice");
	expect_log("guest d is not defined"); /* its malformed line was reported at boot */
	assert_null(strstr(fake.log, "quire.conf:11:"));
	assert_null(strstr(fake.log, "quire.conf:12:"));
	assert_null(strstr(fake.log, "quire.conf:18:"));
	assert_null(fake_guest("a"));
	assert_string_equal(fake_guest("b")->definition, "kernel = k\n");
	assert_null(fake_guest("c"));
	assert_null(fake_guest("d"));
	assert_null(fake_guest("e"));
	assert_non_null(fake_guest("f"));
	assert_non_null(fake_guest("g"));
}

static void test_autostart(void **state)
{
	fake.config = "[guest a]\nkernel=bzImage\nmemory=64M\nvcpus=2\nweight=90\nautostart=yes\n"
		      "[guest b]\nkernel=bzImage\n[guest c]\nkernel=lost\nautostart=on\n"
		      "[guest d]\nkernel=bzImage\nmemory=2G\nautostart=on\n[guest e]\nkernel=bzImage\nautostart=on";
	configuration_apply();
	assert_int_equal(fake_guest("a")->info.state, GUEST_RUNNING);
	assert_int_equal(fake_guest("a")->params.memory, 64 * MIB);
	assert_int_equal(fake_guest("a")->params.vcpu_count, 2);
	assert_int_equal(fake_guest("a")->params.weight, 90);
	assert_int_equal(fake_guest("b")->info.state, GUEST_OFF);
	assert_int_equal(fake_guest("c")->info.state, GUEST_OFF);
	expect_log("guest c: not started: kernel file 'lost' was not loaded");
	expect_log("guest d: not started: it can need 2 GiB");
	assert_int_equal(fake_guest("e")->info.state, GUEST_RUNNING);
}

static void test_monitor_restart(void **state)
{
	fake_add("kept", "kernel = bzImage\nautostart = on\n", GUEST_OFF);
	fake.config = "[guest other]\nkernel=bzImage\nautostart=on\n";
	configuration_apply();
	output_drain();
	assert_null(fake_guest("other"));
	assert_int_equal(fake_guest("kept")->info.state, GUEST_OFF);
	assert_non_null(strstr(fake.out, "started again"));
}

static void test_noise(void **state)
{
	static const char *const pieces[] = { "[guest a]\n", "[guest", "kernel", " = ", "\"", "#", "\n", "memory",
					      "64M",
					      "on-crash", "]", "[", "\r", "\x00x", "\xff", "module = x\n" };
	static char text[4096];

	srand(11);
	for (int round = 0; round < 3000; round++) {
		size_t len = 0, want = (size_t)rand() % 3000;

		while (len < want) {
			const char *piece = pieces[rand() % (int)ARRAY_SIZE(pieces)];

			if (rand() % 5 == 0)
				text[len++] = (char)rand();
			memcpy(text + len, piece, strlen(piece));
			len += strlen(piece);
		}
		fake.log_len = 0;
		configuration_define(text, len);
		(void)definition_parse(&d, text, len, reason, sizeof(reason));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, setup),
		cmocka_unit_test_setup(test_every_key, setup),
		cmocka_unit_test_setup(test_refusals, setup),
		cmocka_unit_test_setup(test_round_trip, setup),
		cmocka_unit_test_setup(test_modules, setup),
		cmocka_unit_test_setup(test_configuration, setup),
		cmocka_unit_test_setup(test_mistakes_cost_their_guest, setup),
		cmocka_unit_test_setup(test_autostart, setup),
		cmocka_unit_test_setup(test_monitor_restart, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
