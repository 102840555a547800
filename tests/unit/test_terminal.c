/* The terminal against a fake kernel: prompt, Tab, lines above the prompt, guests' consoles, slow lines. */
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
#include "vmm/lib/sys.h"
#include "vmm/monitor/command.h"
#include "vmm/monitor/console.h"
#include "vmm/monitor/loglines.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/terminal.h"


static struct fake_guest *web;

static int setup(void **state)
{
	fake_reset();
	terminal_init();
	terminal_show();
	web = fake_add("web", "kernel = bzImage\n", GUEST_RUNNING);
	fake_add("db", "kernel = bzImage\ncmdline = quiet\n", GUEST_OFF);
	output_drain();
	return 0;
}

static const char *type(const char *bytes, size_t len)
{
	fake_clear();
	memcpy(fake.in, bytes, len);
	fake.in_len = len;
	fake.in_at = 0;
	while (fake.in_at < fake.in_len)
		terminal_read();
	console_pump();
	terminal_show();
	output_drain();
	fake.out[fake.out_len] = 0;
	return fake.out;
}

static void expect_typed(const char *keys, const char *screen)
{
	assert_string_equal(type(keys, strlen(keys)), screen);
}

static void test_prompt(void **state)
{
	expect_typed("domstate web\r\n", "domstate web\r\nrunning\r\nquire> ");
	expect_typed("domstate db\rdomstate web\r",
		     "domstate db\r\noff\r\nquire> domstate web\r\nrunning\r\nquire> ");
	expect_typed("\r", "\r\nquire> ");
}

static void test_completion(void **state)
{
	static const struct {
		const char *keys, *line;
	} cases[] = {
		{ "domi\t", "dominfo " },
		{ "do\t", "dom" },
		{ "start w\t", "start web " },
		{ "start d\tx", "start db x" },
		{ "help unde\t", "help undefine " },
		{ "define x ker\t", "define x kernel=" },
		{ "define x kernel=bz\t", "define x kernel=bzImage " },
		{ "define x kernel=bzImage ini\tini\t", "define x kernel=bzImage initrd=initrd.img " },
		{ "define x on-crash=r\t", "define x on-crash=restart " },
		{ "test-hook web r\t", "test-hook web replace " },
		{ "vmexit web \t", "vmexit web -H " },
		{ "poweroff -\t", "poweroff --force " },
		{ "list w\t", "list w" },
		{ "dumpreg web 0 w\t", "dumpreg web 0 w" },
		{ "nonsense w\t", "nonsense w" },
		{ "start web w\t", "start web w" },
		{ "sta web\x02\x02\x02\x02\t", "start  web" },
		{ "define x \"cmdline=a w\t", "define x \"cmdline=a w" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text;
		char want[128];

		type(cases[i].keys, strlen(cases[i].keys));
		/* The terminal is cleared and the line drawn again: what it is now. */
		text = type("\x05\x0c", 2);
		snprintf(want, sizeof(want), "quire> \r\x1b[7C\x1b[K%s", cases[i].line);
		text = strstr(text, want);
		if (!text || strcmp(text, want) != 0)
			fail_msg("%s: not '%s' in: %s", cases[i].keys, want, text);
		type("\x03", 1);
	}
	assert_non_null(strstr(type("dom\t", 4), "dominfo                   domstate"));
	type("\x03", 1);
	assert_non_null(strstr(type("\t", 1), "crash-monitor"));
}

static void test_lines_above_the_prompt(void **state)
{
	type("sta", 3);
	fake_clear();
	terminal_notice(0, "guest %s: it is", "web");
	terminal_notice(0, "second");
	terminal_show();
	output_drain();
	fake.out[fake.out_len] = 0;
	assert_string_equal(fake.out, "\r\x1b[Kguest web: it is\r\nsecond\r\nquire> \r\x1b[7C\x1b[Ksta");
	type("\x03", 1);
}

static void test_log_levels(void **state)
{
	type("", 0);
	loglines_init();
	fake.host.log_level = LOG_WARN;
	sys_log(LOG_ERROR, "one");
	sys_log(LOG_WARN, "two");
	sys_log(LOG_INFO, "three");
	sys_log(LOG_DEBUG, "four");
	fake_clear();
	loglines_print_new();
	terminal_show();
	output_drain();
	fake.out[fake.out_len] = 0;
	assert_string_equal(fake.out, "\r\x1b[K[    0.000001] error: monitor: one\r\n"
				      "[    0.000001] warn: monitor: two\r\nquire> ");
}

static void test_console(void **state)
{
	static char bytes[256];

	strcpy(web->output, "boot\x1b[2J");
	web->output_len = 8;
	expect_typed("console web\rls\r", "console web\r\nConsole of web; Ctrl-] leaves it.\r\nboot\x1b[2J");
	assert_int_equal(fake.watched, web->info.id);
	assert_memory_equal(web->input, "ls\r", 3);
	web->input_len = 0;
	for (int i = 0; i < 256; i++) /* every byte but Ctrl-] passes both ways */
		bytes[i] = (char)(i == 0x1d ? 0 : i);
	memcpy(web->output + 8, bytes, 256);
	web->output_len += 256;
	type(bytes, 256);
	assert_int_equal(web->input_len, 256);
	assert_memory_equal(web->input, bytes, 256);
	assert_memory_equal(fake.out, bytes, 256);
	expect_typed("x\x1d" "domstate db\r", "\x1b[0m\r\nquire> domstate db\r\noff\r\nquire> ");
	assert_int_equal(fake.watched, 0);
	assert_int_equal(web->input[256], 'x');
}

/* Questions to the terminal are not asked again by a replay; new ones are. */
static void test_console_replay(void **state)
{
	static const char old[] = "a\x1b[6nb\x1b[2Jc\x1b[>0cd\x1bZe\x1b[0;0;0;0;0;0;0;0;0nf\x1b[1";
	static const char live[] = ";2H\x1b[6n";

	memcpy(web->output, old, sizeof(old) - 1);
	web->output_len = web->info.output_end = sizeof(old) - 1;
	expect_typed("console web\r", "console web\r\nConsole of web; Ctrl-] leaves it.\r\n"
		     "ab\x1b[2Jcde\x1b[0;0;0;0;0;0;0;0;0nf");
	memcpy(web->output + web->output_len, live, sizeof(live) - 1);
	web->output_len += sizeof(live) - 1;
	expect_typed("", "\x1b[1;2H\x1b[6n");
	type("\x1d", 1);
}

static void test_console_deaf_guest(void **state)
{
	static char paste[40000];

	memset(paste, 'p', sizeof(paste));
	type("console web\r", 12);
	web->input_room = 100;
	type(paste, sizeof(paste));
	assert_int_equal(web->input_len, 100);
	assert_true(console_deadline() > fake.clock); /* it will be tried again */
	web->input_room = SIZE_MAX;
	console_pump();
	assert_int_equal(web->input_len, 100 + 16384);
	assert_int_equal(console_deadline(), 0);
	web->input_room = 0;
	type(paste, sizeof(paste));
	assert_non_null(strstr(type("\x1d", 1), "quire> ")); /* it can always be left */
	assert_int_equal(console_deadline(), 0);
}

static void test_console_slow_line(void **state)
{
	memset(web->output, 'o', sizeof(web->output));
	web->output_len = sizeof(web->output);
	type("", 0);
	fake.console_room = 0;
	fake_run("console web");
	for (int i = 0; i < 50; i++)
		console_pump();
	assert_true(output_used() < 4096); /* it waits in the kernel, not before the prompt */
	fake.console_room = -1;
	fake_clear();
	for (int i = 0; i < 200; i++) {
		console_pump();
		output_flush();
	}
	assert_true(fake.out_len >= sizeof(web->output));
	type("\x1d", 1);
}

static void test_console_guest_goes(void **state)
{
	type("console web\r", 12);
	web->info.state = GUEST_OFF;
	sys_guest_undefine(web->info.id);
	assert_non_null(strstr(type("", 0), "quire> "));
	assert_int_equal(console_guest(), 0);
}

static void test_stuck_console(void **state)
{
	static char text[100000];
	u64 before = fake.clock;

	memset(text, 'x', sizeof(text));
	fake.console_room = 0;
	for (int i = 0; i < 20; i++)
		output_text(text, sizeof(text));
	assert_in_range(fake.clock - before, 2000000000ull, 3000000000ull); /* waits once, not for each piece */
	assert_int_equal(output_used(), OUTPUT_RING);
	fake.console_room = -1;
	output_drain();
	assert_int_equal(output_used(), 0);
	fake_clear();
	output_text(text, sizeof(text)); /* nothing is lost while the console takes it */
	output_drain();
	assert_int_equal(fake.out_len, sizeof(text));
}

static void test_noise(void **state)
{
	static char noise[60000];
	u32 commands = command_table_count;

	srand(3);
	for (int round = 0; round < 20; round++) {
		size_t len = 0;

		while (len < sizeof(noise) - 100) {
			const char *name = command_table[rand() % (int)commands].name;

			switch (rand() % 5) {
			case 0: noise[len++] = (char)rand(); break;
			case 1: noise[len++] = " \t\r\"=w0"[rand() % 7]; break;
			case 2: len += (size_t)sprintf(noise + len, " web"); break;
			case 3: len += (size_t)sprintf(noise + len, " kernel=bzImage"); break;
			default:
				if (strcmp(name, "crash-monitor") != 0)
					len += (size_t)sprintf(noise + len, "\r%s ", name);
			}
		}
		type(noise, len);
		fake.log_len = 0;
		loglines_init();
		type("\x1d\x1d\x03", 3);
		expect_typed("version\r", "version\r\nQuire 0.1-test\r\nquire> ");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_prompt, setup),
		cmocka_unit_test_setup(test_completion, setup),
		cmocka_unit_test_setup(test_lines_above_the_prompt, setup),
		cmocka_unit_test_setup(test_log_levels, setup),
		cmocka_unit_test_setup(test_console, setup),
		cmocka_unit_test_setup(test_console_replay, setup),
		cmocka_unit_test_setup(test_console_deaf_guest, setup),
		cmocka_unit_test_setup(test_console_slow_line, setup),
		cmocka_unit_test_setup(test_console_guest_goes, setup),
		cmocka_unit_test_setup(test_stuck_console, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
