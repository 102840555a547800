/* Every command against a fake kernel: its output, one-line errors, nothing wider than 80 columns. */
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
#include "vmm/monitor/output.h"
#include "vmm/monitor/terminal.h"
#include "vmm/monitor/units.h"

#define A_TO_Z "a b c d e f g h i j k l m n o p q r s t u v w x y z "
#define MANY_WORDS A_TO_Z A_TO_Z A_TO_Z
#define LONG_NAME "a-name-of-the-greatest-length.x"

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

static void expect_error(const char *line)
{
	const char *text = fake_run(line);

	if (strncmp(text, "error: ", 7) != 0 || !strchr(text, '\n') || strchr(text, '\n')[1])
		fail_msg("'%s' is not answered by one error line but: %s", line, text);
	if (!strchr(text + 7, ':'))
		fail_msg("'%s': the error does not say what to do: %s", line, text);
}

static void test_bad_arguments(void **state)
{
	static const char *const lines[] = {
		"nonsense", "help nonsense", "help list x", "version x", "list x", "dominfo", "dominfo no",
		"dominfo web x", "domstate", "domstate 99", "domstate 0", "start", "start no", "start web",
		"shutdown no", "shutdown db", "reboot no", "reboot db", "reset no", "reset db", "destroy no",
		"destroy db", "suspend no", "suspend db", "resume no", "resume db", "resume web", "console",
		"console no", "define", "define x", "define x y", "define x kernel=lost",
		"define x memory=64M", "define x kernel=bzImage memory=0", "define x kernel=bzImage vcpus=0",
		"define x kernel=bzImage vcpus=65", "define web kernel=bzImage",
		"define x kernel=bzImage kernel=bzImage", "define x kernel=bzImage color=red",
		"define x kernel=bzImage balloon=maybe", "setmem", "setmem web", "setmem no 32M", "setmem web x",
		"setmem web 65M", "setmem web 8M", "setmem web 32M x", "setmem web 33554433", "setmem web -1M",
		"setmem db 129M", "setmaxmem", "setmaxmem db", "setmaxmem no 32M", "setmaxmem web 32M", "setmaxmem db 1M",
		"setmaxmem db x", "setmaxmem db 33554433", "setmaxmem db 32M x", "dommemstat", "dommemstat no", "dommemstat db",
		"define x kernel=", "define x =y", "define x kernel=bzImage on-crash=no",
		"define a/b kernel=bzImage", "define '' kernel=bzImage",
		"define " LONG_NAME "y kernel=bzImage", "define x kernel=bzImage cmdline=\"open",
		"define x kernel=bzImage initrd=lost", "define x kernel=bzImage module='lost args'",
		"undefine no", "undefine web", "dumpcfg no", "nodeinfo x", "freecell x", "cpuinfo x",
		"vcpuinfo no", "vcpuinfo db", "vmexit no", "vmexit db", "vmexit web -x", "files x", "dmesg x",
		"uptime x", "boot-report x", "dumpreg no", "dumpreg db", "dumpreg web 2", "dumpreg web x",
		"dumpreg web -1", "dumpmem web", "dumpmem web 0", "dumpmem no 0 1", "dumpmem db 0 1",
		"dumpmem web x 1", "dumpmem web 0 0", "dumpmem web 0 65M", "dumpmem web 0 x",
		"dumpmem web 0xffffffffffffffff 1", "dumpmem web 99999999999999999999 1", "dumpmem web 1G 16",
		"inject-nmi no", "inject-nmi db", "test-hook web", "test-hook no crash", "test-hook db crash",
		"test-hook web explode", "crash-monitor x", "poweroff x", "poweroff", "poweroff --forc",
		"reboot-host", "reboot-host --force x", "top x", "schedinfo", "schedinfo no", "schedinfo db",
		"schedinfo web weight", "schedinfo web weight=", "schedinfo web weight=63", "schedinfo web weight=1025",
		"schedinfo web cap=6401", "schedinfo web cap=-1", "schedinfo web cap=1 x=2", "schedinfo web weightx=99",
		"vcpupin web 0", "vcpupin db 0 all", "vcpupin web 2 all", "vcpupin web x all", "vcpupin web 0 ,",
		"vcpupin web 0 2", "vcpupin web 0 1-0", "vcpupin web 0 0,", "vcpupin web 0 0-", "vcpupin web 0 -1",
		"vcpupin web 0 ''", "domstats", "domstats no", "trace", "trace sing", "trace start 3",
		"trace show 0", "trace show x", "trace show 1 2", MANY_WORDS,
	};

	for (u32 i = 0; i < ARRAY_SIZE(lines); i++)
		expect_error(lines[i]);
	assert_int_equal(web->control_count, 0);
	assert_int_equal(web->info.state, GUEST_RUNNING);
	assert_int_equal(fake.power_calls, 0);
	assert_null(fake_guest("x"));
}

static void test_kernel_refusals(void **state)
{
	static const char *const lines[] = {
		"shutdown web", "reboot web", "reset web", "destroy web", "suspend web", "resume web",
		"inject-nmi web", "setmem web 32M",
		"test-hook web crash", "test-hook web replace", "start db",
	};
	static const int errors[] = { ERR_STATE, ERR_NOMEM, ERR_UNSUPPORTED, -99 };

	for (u32 e = 0; e < ARRAY_SIZE(errors); e++) {
		fake.control_error = fake.start_error = errors[e];
		for (u32 i = 0; i < ARRAY_SIZE(lines); i++)
			expect_error(lines[i]);
	}
}

static void test_names_and_numbers(void **state)
{
	char line[32];

	fake_expect("domstate web", "running\r\n");
	snprintf(line, sizeof(line), "domstate %u", web->info.id);
	fake_expect(line, "running\r\n");
	snprintf(line, sizeof(line), "define %u kernel=bzImage", web->info.id);
	fake_expect(line, "defined as number 3");
	snprintf(line, sizeof(line), "domstate %u", web->info.id);
	fake_expect(line, "off\r\n"); /* a name goes before a number */
}

static void test_define(void **state)
{
	assert_string_equal(fake_run("define new kernel=bzImage memory=64M cmdline=\"console=ttyS0 quiet\" "
				     "'module=initrd.img a b' vcpus=2"),
			    "guest new: defined as number 3\r\n");
	assert_string_equal(fake_run("dumpcfg new"),
			    "[guest new]\r\nkernel = bzImage\r\nmemory = 64M\r\ncmdline = console=ttyS0 quiet\r\n"
			    "module = initrd.img a b\r\nvcpus = 2\r\n");
	assert_string_equal(fake_run("start new"), "");
	assert_int_equal(fake_guest("new")->params.memory, 64 * MIB);
	assert_int_equal(fake_guest("new")->params.vcpu_count, 2);
	assert_string_equal(fake_run("undefine db"), "");
	assert_null(fake_guest("db"));
	fake_expect("define " LONG_NAME " kernel=bzImage", "defined");
}

static void test_lifecycle(void **state)
{
	assert_string_equal(fake_run("suspend web"), "");
	fake_expect("domstate web", "paused\r\n");
	expect_error("shutdown web");
	expect_error("start web");
	assert_string_equal(fake_run("resume web"), "");
	fake_expect("domstate web", "running\r\n");
	assert_string_equal(fake_run("shutdown web"), "");
	assert_int_equal(web->last_control, CONTROL_SHUTDOWN);
	assert_string_equal(fake_run("inject-nmi web"), "");
	assert_int_equal(web->last_control, CONTROL_NMI);
	assert_string_equal(fake_run("test-hook web handles"), "");
	assert_int_equal(web->last_control, CONTROL_HOOK);
	assert_int_equal(web->last_argument, HOOK_HANDLES);
	assert_string_equal(fake_run("test-hook web replace"), "");
	assert_int_equal(web->last_control, CONTROL_REPLACE);
	fake_stop(web, STOP_CRASH, "oops");
	expect_error("start web");
	fake_expect("dominfo web", "crashed: oops\r\n");
	assert_string_equal(fake_run("destroy web"), "");
	fake_expect("domstate web", "off\r\n");
	assert_string_equal(fake_run("start web"), "");
}

static void test_no_memory(void **state)
{
	fake.start_error = ERR_NOMEM;
	fake.admission = (struct admission){ .verdict = ADMIT_CLAIM, .claimant = fake_guest("db")->info.id,
					     .needs = 129 * MIB, .free = 20 * MIB, .ahead = 64 * MIB,
					     .reserve = 8 * MIB, .promised = 3 * MIB };
	fake_expect("start db", "error: db: it can need 129 MiB of memory; 20 MiB are free, 64 MiB with guests of a higher "
			   "claim, less 8 MiB reserve and 3 MiB promised: give it less or destroy a guest\r\n");
	fake.admission.claimant = fake_guest("web")->info.id;
	fake.admission.claim = 7 * MIB;
	fake_expect("start db", "error: db: web can need 7 MiB more memory, and of 20 MiB free 8 MiB are reserve and 3 MiB "
			   "promised: give it less or destroy a guest\r\n");
	fake.admission.verdict = ADMIT_SIZES;
	fake.admission.lacks = 300 * MIB;
	fake_expect("start db",
		    "error: db: overcommit = none: guests can need 300 MiB more memory, its 129 MiB among it, and "
			   "of 20 MiB free 8 MiB are reserve: give it less or destroy a guest\r\n");
	fake.admission.verdict = ADMIT_BUILD;
	fake_expect("start db", "error: db: its processors and its machine process take 129 MiB, and of 20 MiB free 8 MiB "
				"are reserve and 3 MiB promised: give it fewer or destroy a guest\r\n");
}

static void test_setmem(void **state)
{
	fake_expect("setmem web 32M", "web: it is asked to give 32 MiB of its 64 MiB back\r\nIt has no balloon driver");
	assert_int_equal(web->last_control, CONTROL_MEMORY);
	assert_int_equal(web->last_argument, 32 * MIB);
	web->memory.stats.driver = 1;
	fake_expect("setmem web 48M", "back\r\n'dommemstat web' shows how far it is.\r\n");
	fake_run("suspend web");
	fake_expect("setmem web 48M", "It will do so when it runs: it is paused.\r\n");
	fake_expect("setmem web 64M", "web: it may have all of its 64 MiB\r\n");
	assert_int_equal(web->last_argument, 0);
	fake_expect("setmem db 100M", "db: it is asked to give 28 MiB of its 128 MiB back\r\nFrom its next start on");
	assert_int_equal(fake_guest("db")->last_argument, 100 * MIB);
	fake_run("define tiny kernel=bzImage memory=4M");
	fake_expect("setmem tiny 4M", "may have all"); /* less than a Linux needs, but all that it has */
	fake_run("define none kernel=bzImage balloon=no");
	fake_expect("setmem none 64M", "error: none has no balloon: ");
	fake_expect("dominfo none", "Balloon           none\r\n");
}

static void test_setmaxmem(void **state)
{
	fake_run("define big kernel=bzImage memory=64M \"cmdline=a b\" memory-min=32M");
	assert_string_equal(fake_run("setmaxmem big 256M"), "big: it has 256 MiB from its next start on\r\n");
	assert_string_equal(fake_run("dumpcfg big"), "[guest big]\r\nkernel = bzImage\r\ncmdline = a b\r\n"
						     "memory-min = 32M\r\nmemory = 256M\r\n");
	fake_expect("setmaxmem big 16M", "error: memory-min is more than memory");
	fake_expect("dumpcfg big", "memory = 256M");
	assert_string_equal(fake_run("start big"), "");
	assert_int_equal(fake_guest("big")->params.memory, 256 * MIB);
	fake_run("define plain kernel=bzImage");
	fake_expect("setmaxmem plain 32M", "32 MiB");
	fake_expect("dumpcfg plain", "kernel = bzImage\r\nmemory = 32M\r\n");
	fake_expect("setmaxmem web 32M", "error: web is running, and its memory is built in: ");
}

static void test_dommemstat(void **state)
{
	struct memory_stats *stats = &web->memory.stats;

	web->memory.target = 48 * MIB;
	web->info.memory_used = 20 * MIB;
	web->info.memory_large = 6 * MIB;
	fake_expect("dommemstat web", "actual            65536 KiB\r\ntarget            49152 KiB\r\n"
				 "rss               20480 KiB\r\nlarge             6144 KiB\r\n");
	fake_expect("dominfo web", "Balloon           its driver is not at work\r\n");
	*stats = (struct memory_stats){ .driver = 1, .reporting = 1, .balloon = 16 * MIB, .clock = fake.clock };
	memset(stats->values, 0xff, sizeof(stats->values));
	stats->values[MEMORY_UNUSED] = 5 * MIB;
	stats->values[MEMORY_MINOR_FAULTS] = 1234;
	fake.clock += 7500000000ull;
	fake_expect("dommemstat web", "actual            49152 KiB\r\n");
	fake_expect("dommemstat web", "49152 KiB\r\nminor_fault       1234\r\nunused            5120 KiB\r\n"
				 "last_update       7 s ago\r\n");
	fake_expect("dominfo web", "  current         48 MiB\r\n  target          48 MiB\r\n"
			      "Balloon           at work, and free pages are reported\r\n");
	memset(stats, 0xee, sizeof(*stats)); /* a hostile process's */
	fake_expect("dommemstat web", "actual            0 KiB\r\n");
}

static void test_memtune(void **state)
{
	struct guest_info *info = &fake_guest("web")->info;

	info->memory_min = 16 * MIB, info->memory_shares = 256;
	fake_expect("memtune web", "Memory");
	fake_expect("memtune web min=32M shares=7", "");
	assert_int_equal(fake.tune.min, 32 * MIB);
	assert_int_equal(fake.tune.max, 0);
	assert_int_equal(fake.tune.shares, 7);
	fake_expect("memtune web max=48M", "");
	assert_int_equal(fake.tune.min, 16 * MIB); /* what is not given stays */
	assert_int_equal(fake.tune.max, 48 * MIB);
	fake_expect("memtune web mni=1M", "error: 'mni=1M' is none of min=SIZE, max=SIZE and shares=N: ");
	fake_expect("memtune web shares=0", "error: 'shares=0' is refused: ");
	fake_expect("memtune db min=1M", "error: db is off");
	fake.tune_error = ERR_NOMEM;
	fake.admission = (struct admission){ .verdict = ADMIT_CLAIM, .claimant = info->id, .needs = 5 * MIB };
	fake_expect("memtune web shares=9", "error: web: it can need 5 MiB of memory; ");
	fake.tune_error = ERR_INVAL;
	fake_expect("memtune web min=1G", "error: web: min is at most max and its memory");
	info->starved = 1;
	fake_expect("domstate web", "starved\r\n");
	fake.ledger = (struct ledger_info){ .claimant = info->id, .claim = 3 * MIB, .level = MEMORY_HARD };
	fake_expect("freecell", "  kept for web                                    3072 KiB         3 MiB\r\n");
	fake_expect("nodeinfo", "Memory pressure   hard\r\n");
	fake.ledger.shared = 5 * MIB, fake.ledger.debt = 7 * MIB;
	fake_expect("freecell", "memory that guests share                          5120 KiB         5 MiB\r\n"
				"  debt if all sharing broke                       7168 KiB         7 MiB\r\n");
	fake.ledger.compression = (struct compress_info){ .pages = 3, .bytes = 2 * PAGE_SIZE, .compressed = 5 };
	fake_expect("freecell", "compressed pages of guests                          12 KiB        12 KiB\r\n");
	fake_expect("freecell", "  take                                               8 KiB         8 KiB\r\n");
	fake_expect("freecell", "  compressed so far                                5 pages");
}

static void test_power(void **state)
{
	fake_expect("poweroff", "error: 1 guest is in use (web): 'shutdown' first, or 'poweroff --force'\r\n");
	fake_expect("poweroff --force", "Turning the host off.\r\n");
	assert_int_equal(fake.power_calls, 1);
	fake_run("destroy web");
	fake_expect("reboot-host", "Restarting the host.\r\n");
	assert_int_equal(fake.power_calls, 2);
	fake.power_error = ERR_UNSUPPORTED;
	fake_expect("poweroff", "error: the host refused it");
}

static void test_ksm(void **state)
{
	fake.merge = (struct merge_info){ .state = MERGE_RUNNING, .pages_shared = 12, .pages_sharing = 345, .zero_pages = 6,
					  .general_profit = -4096, .unmerge_cost = 3 * MIB };
	fake_expect("ksm", "pages_sharing     345\r\n");
	fake_expect("ksm show", "general_profit    -4096\r\n");
	fake_expect("ksm", "ksm_zero_pages    6\r\n");
	assert_int_equal(fake.merge_calls, 0);
	fake_run("ksm stop");
	assert_int_equal(fake.merge_control, MERGE_CONTROL_STOP);
	fake_run("ksm run");
	assert_int_equal(fake.merge_control, MERGE_CONTROL_RUN);
	fake_run("ksm set cpu 50");
	assert_true(fake.merge_control == MERGE_CONTROL_CPU && fake.merge_value == 50);
	fake_run("ksm set interval 250");
	assert_true(fake.merge_control == MERGE_CONTROL_INTERVAL && fake.merge_value == 250);
	assert_int_equal(fake.merge_calls, 4);
	fake.ledger.available = 5 * MIB; /* of 512 that are free */
	fake_expect("ksm unmerge", "Unmerging takes 3 MiB; guests can be given 5 MiB.\r\n");
	assert_int_equal(fake.merge_control, MERGE_CONTROL_UNMERGE);
	fake.merge_error = ERR_NOMEM;
	fake_expect("ksm unmerge", "error: that does not fit");
	assert_int_equal(fake.merge_calls, 6);
	expect_error("ksm walk");
	expect_error("ksm set cpu");
	expect_error("ksm set cpu 0");
	expect_error("ksm set cpu 101");
	expect_error("ksm set pages 5");
	expect_error("ksm run now");
	assert_int_equal(fake.merge_calls, 6);
}

static void test_ksm_matrix(void **state)
{
	fake_expect("ksm matrix", "No guest has memory.\r\n");
	fake.matrix.count = 1;
	fake.matrix.rows[0] = (struct merge_row){ .guest = 1, .self = 77 };
	assert_null(strstr(fake_run("ksm matrix"), "further"));
	fake.matrix.further = 6;
	fake_expect("ksm matrix", "Of further guests that have memory, 6, nothing was counted.\r\n");
	for (u32 count = 2; count < 6; count++) { /* whatever their number, the last two's common pages are shown */
		fake.matrix.count = count;
		memset(fake.matrix.rows, 0, sizeof(fake.matrix.rows));
		fake.matrix.rows[count - 1].with[count - 2] = fake.matrix.rows[count - 2].with[count - 1] = 4711;
		fake_expect("ksm matrix", "   4711");
	}
}

static void test_inspection(void **state)
{
	fake_expect("dumpmem web 0x3f8 20",
	       "0000000003f8  f8 f9 fa fb fc fd fe ff 00 01 02 03 04 05 06 07  ................\r\n"
	       "000000000408  08 09 0a 0b                                      ....\r\n");
	fake_expect("dumpmem web 0x41 1", "000000000041  41                                               A\r\n");
	fake_expect("dumpreg web 1", "RIP=abababababababab");
	fake_expect("dumpreg web", "CS   abab base=abababababababab limit=abababab attr=abab\r\n");
	fake_expect("vmexit web", "cpuid                          6                6000          1000     1.2 %\r\n");
	fake_expect("vmexit web", "inside the guest  18000 cycles, 94.7 %\r\n");
	fake_expect("vmexit web", "outside           1000 cycles, 5.3 %\r\n");
	fake_expect("vmexit web -H", "cpuid: exits that cost at least so many cycles\r\n         8           6  ####");
}

static void test_host(void **state)
{
	fake_expect("version", "Quire 0.1-test\r\n");
	fake_expect("uptime", "up 1.000 s\r\n");
	fake_expect("freecell", "free                                            524288 KiB       512 MiB\r\n");
	fake_expect("files", "initrd.img                                                  123456    120.5 KiB\r\n");
	fake_expect("boot-report", "monitor started   0.000 ms\r\n");
	sys_log(LOG_DEBUG, "a line\twith a tab");
	fake_expect("dmesg", "debug: monitor: a line?with a tab\r\n");
	fake_expect("help start", "start NAME\r\nstart a guest that is off\r\n");
	fake_expect("help vmexit", "-H adds");
}

static void test_trace(void **state)
{
	assert_string_equal(fake_run("trace start"), "");
	assert_true(fake.tracing);
	fake.trace[0] = (struct trace_record){ .tsc = 5, .cycles = 7, .kind = TRACE_RUN, .vcpu = TRACE_NO_VCPU };
	for (u32 i = 1; i < 40; i++)
		fake.trace[i] = (struct trace_record){ .tsc = i, .cycles = 2, .kind = TRACE_EXIT, .detail = REASON_HLT,
						       .vcpu = 1, .guest = web->info.id };
	fake.trace[36] = (struct trace_record){ .tsc = 36, .cycles = 2, .kind = TRACE_MERGE, .detail = 12,
						.vcpu = TRACE_NO_VCPU, .guest = web->info.id };
	fake.trace[37] = (struct trace_record){ .tsc = 37, .cycles = 2, .kind = TRACE_UNSHARE, .detail = 1,
						.vcpu = TRACE_NO_VCPU, .guest = web->info.id };
	fake.trace[38].kind = TRACE_INJECT;
	fake.trace[39] = (struct trace_record){ .kind = 99, .detail = 255, .vcpu = 3, .guest = 77 };
	fake.trace_count = 40;
	fake_expect("trace show", "DETAIL\r\n0 5 7 run - - done\r\n0 1 2 exit web 1 hlt\r\n0 2 2 exit");
	assert_false(fake.tracing);
	fake_expect("trace show 4", "DETAIL\r\n0 36 2 merge web - pages:12\r\n0 37 2 unshare web - copied\r\n0 38");
	fake_expect("trace show 2", "DETAIL\r\n0 38 2 inject web 1 0x6\r\n0 0 0 ? #77 3 preempted\r\n");
	fake.trace_error = ERR_NOMEM;
	expect_error("trace start");
}

static void test_sched(void **state)
{
	web->info.weight = 300;
	fake_expect("schedinfo web cap=150", "weight            300\r\ncap               150 % of a CPU\r\n");
	assert_int_equal(web->schedule, 300 | 150ull << 32);
	fake_expect("schedinfo web weight=1024 cap=0", "cap               none\r\n");
	assert_int_equal(web->schedule, 1024);
	web->schedule = 0;
	fake_expect("schedinfo web", "weight            300\r\n");
	assert_int_equal(web->schedule, 0); /* only asked */
	fake.host.cpu_count = 140;
	assert_string_equal(fake_run("vcpupin web 1 0,2-3,127-130"), "");
	assert_int_equal(web->pins.word[0], 0xd);
	assert_int_equal(web->pins.word[1], 1ull << 63);
	assert_int_equal(web->pins.word[2], 7);
	fake_run("vcpupin web 1 all");
	assert_int_equal(web->pins.word[15], ~0ull);
	fake.host.tsc_hz = 1000000000;
	fake_expect("vcpuinfo web", "  vCPU 0: 50 % 2.0 us, 99 % 2.0 us, 99.9 % 2.0 ms\r\n");
	fake_expect("domstats web", "weight=300\r\n");
	fake_expect("domstats web", "vcpu.1.exits=");
}

/* No line may be wider than the terminal; only two show text whose length is not Quire's. */
static void test_width(void **state)
{
	struct fake_guest *g = fake_add(LONG_NAME, "kernel = bzImage\n", GUEST_RUNNING);
	char line[64];

	memset(g->info.stop_text, 'x', sizeof(g->info.stop_text)); /* not terminated */
	g->info.stop_reason = STOP_CRASH;
	g->info.memory = g->info.memory_used = g->info.memory_shared = g->info.overhead = UINT64_MAX;
	g->info.run_ns = g->info.start_clock = UINT64_MAX;
	g->info.starts = g->info.weight = UINT32_MAX;
	memset(fake.files[1].name, 'f', FILE_NAME_MAX - 1);
	fake.files[1].size = UINT64_MAX;
	fake.host.memory_total = UINT64_MAX;
	for (u32 i = 0; i < command_table_count; i++) {
		const struct command *c = &command_table[i];

		if (strcmp(c->name, "console") == 0 || strcmp(c->name, "crash-monitor") == 0 || strcmp(c->name, "top") == 0)
			continue;
		for (int form = 0; form < 5; form++) {
			static const char *const forms[] = { "%s", "%s " LONG_NAME, "%s " LONG_NAME " -H",
							     "%s " LONG_NAME " 0 64", "help %s" };
			const char *text, *end;

			snprintf(line, sizeof(line), forms[form], c->name);
			text = fake_run(line);
			for (; (end = strchr(text, '\r')) != NULL; text = end + 2)
				if (end - text > 80 && strncmp(text, "Features", 8) != 0 && strncmp(text, "error", 5) != 0)
					fail_msg("'%s' prints %d columns: %.*s", line, (int)(end - text), (int)(end - text),
						 text);
		}
		if (g->info.state != GUEST_RUNNING)
			g->info.state = GUEST_RUNNING;
		if (!fake_guest(LONG_NAME))
			fail_msg("%s undefined the guest", c->name);
	}
}

static void test_units(void **state)
{
	assert_string_equal(units_size(0).text, "0 B");
	assert_string_equal(units_size(1023).text, "1023 B");
	assert_string_equal(units_size(1536).text, "1.5 KiB");
	assert_string_equal(units_size(128 * MIB).text, "128 MiB");
	assert_string_equal(units_size(UINT64_MAX).text, "16777215.9 TiB");
	assert_string_equal(units_time(999).text, "999 ns");
	assert_string_equal(units_time(12345).text, "12.3 us");
	assert_string_equal(units_time(12345678).text, "12.3 ms");
	assert_string_equal(units_time(12345678901ull).text, "12.345 s");
	assert_string_equal(units_time(200000000000ull).text, "3 min 20 s");
	assert_string_equal(units_time(7500000000000ull).text, "2 h 5 min");
	assert_string_equal(units_time(UINT64_MAX).text, "213503 d 23 h");
	assert_string_equal(units_share(1, 0).text, "-");
	assert_string_equal(units_share(1, 3).text, "33.3 %");
	assert_string_equal(units_share(UINT64_MAX / 4, UINT64_MAX / 2).text, "50.0 %");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bad_arguments, setup),
		cmocka_unit_test_setup(test_kernel_refusals, setup),
		cmocka_unit_test_setup(test_names_and_numbers, setup),
		cmocka_unit_test_setup(test_define, setup),
		cmocka_unit_test_setup(test_lifecycle, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
		cmocka_unit_test_setup(test_setmem, setup), cmocka_unit_test_setup(test_setmaxmem, setup),
		cmocka_unit_test_setup(test_dommemstat, setup), cmocka_unit_test_setup(test_memtune, setup),
		cmocka_unit_test_setup(test_power, setup),
		cmocka_unit_test_setup(test_ksm, setup),
		cmocka_unit_test_setup(test_ksm_matrix, setup),
		cmocka_unit_test_setup(test_inspection, setup),
		cmocka_unit_test_setup(test_host, setup),
		cmocka_unit_test_setup(test_sched, setup), cmocka_unit_test_setup(test_trace, setup),
		cmocka_unit_test_setup(test_width, setup),
		cmocka_unit_test_setup(test_units, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
