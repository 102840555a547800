/* The table of commands, in the order in which help shows them. */
#include "vmm/monitor/command.h"
#include "vmm/monitor/commands.h"

#define DEFINE_HELP \
	"KEY is one of\n" \
	"  memory       whole pages, at least 2M, as 64M or 1G (128M)\n" \
	"  memory-min   of it, promised under any pressure (0)\n" \
	"  memory-max   the most of it that it may have for itself (memory)\n" \
	"  memory-shares  1 to 65536: who has fewer waits for memory first (256)\n" \
	"  vcpus        1 to 64 (1)\n" \
	"  vcpus-max    up to 64: the most that 'setvcpus' can give it (vcpus)\n" \
	"  kernel       file to boot: a bzImage or a Multiboot ELF (required)\n" \
	"  initrd       file: the initial RAM disk or first module\n" \
	"  module       file and its arguments; may be given 16 times\n" \
	"  cmdline      the kernel's command line\n" \
	"  autostart    on or off: start it when Quire starts (off)\n" \
	"  balloon      yes or no: a memory balloon, for 'setmem' (yes)\n" \
	"  hyperv       on or off: Hyper-V's interfaces; only: without KVM's (off)\n" \
	"  weight       64 to 1024: its part of the processors' time (256)\n" \
	"  cap          0 to 6400: at most so many percent of a CPU, 0 for no limit (0)\n" \
	"  share-group  a name: shares equal pages with that group's; or none (default)\n" \
	"  share-mode   plain or uniform: writes tell nothing of what is shared (plain)\n" \
	"  on-poweroff  destroy, restart or pause, when it turned itself off (destroy)\n" \
	"  on-reboot    the same, when it reset itself (restart)\n" \
	"  on-crash     the same, when it failed (destroy)\n" \
	"Files are those that 'files' shows. Values with blanks are quoted:\n" \
	"  define web kernel=bzImage cmdline=\"console=ttyS0 quiet\"\n" \
	"The definition lasts until Quire ends; to keep it, put it into quire.conf.\n"

#define TOP_HELP \
	"CPU and READY are parts of one CPU's time, since the last table: running, and\n" \
	"kept from running by others or by a cap. The first table is of the whole time.\n" \
	"MEMORY is the host's that its RAM holds for itself. Sorted by CPU, or as the word\n" \
	"says; the keys c, r, m and e change it.\n"

#define CPUINFO_HELP \
	"CPUs with the same number share that thing: a core's threads, the last-level\n" \
	"cache, the package, the NUMA node. FOR says which guest has a CPU for itself.\n" \
	"TSCs are as they were left when the CPU started, and may be wrong by +-.\n"

#define SCHEDINFO_HELP \
	"weight is 64 to 1024, against other guests' (256); cap is 0 to 6400, percent of\n" \
	"a CPU for all processors of the guest together, 0 for none. Until it is off.\n"

#define VCPUINFO_HELP \
	"READY is time kept from running by others or by a cap, HALTED asleep in HLT.\n"

#define KSM_HELP \
	"show     counters, as Linux's KSM names them; in pages of 4 KiB (the default)\n" \
	"run      merge equal pages of guests with the same share-group\n" \
	"stop     stop; what is merged stays merged\n" \
	"unmerge  stop, and give each guest its own copy again, if there is memory for it\n" \
	"verify   count again what is merged, and name the first thing that is wrong\n" \
	"matrix   pages that guests share with each other, with themselves and with files\n" \
	"set      cpu: 1 to 100 per cent of a processor that it takes from guests (5)\n" \
	"         interval: ms between two passes, 1 to 3600000 (2000)\n"

#define HOOK_HELP \
	"A test hook: does harm on purpose, to that guest only.\n" \
	"  crash     the machine process accesses memory that it does not have\n" \
	"  loop      it loops for ever\n" \
	"  syscalls  it makes a million random system calls\n" \
	"  handles   it tries to reach other guests\n" \
	"  replace   its devices are serialised and read back by a fresh process;\n" \
	"            the guest goes on\n"

#define POWER_HELP \
	"Refused while guests are in use: shut them down first, or give --force, which\n" \
	"ends them as if their power were cut.\n"

const struct command command_table[] = {
	{ "help", "[COMMAND]", 0, 1, "this overview, or more about one command", NULL, commands_help },
	{ "version", "", 0, 0, "Quire's version", NULL, commands_version },

	{ "list", "", 0, 0, "all guests: number, name, state, memory, CPU time",
	  "Wherever a command takes a guest's NAME, its number (ID) will do.\n", commands_list },
	{ "dominfo", "NAME", 1, 1, "everything about a guest", NULL, commands_dominfo },
	{ "domstate", "NAME", 1, 1, "a guest's state in one word",
	  "off, running, paused, stopped (its run ended, its memory is kept) or dying.\n", commands_domstate },
	{ "start", "NAME", 1, 1, "start a guest that is off", NULL, commands_start },
	{ "shutdown", "NAME", 1, 1, "press a guest's power button",
	  "The guest decides what it does about it; then its on-poweroff policy applies.\n",
	  commands_shutdown },
	{ "reboot", "NAME", 1, 1, "press a guest's power button and start it again once it is off", NULL,
	  commands_reboot },
	{ "reset", "NAME", 1, 1, "start a guest anew, without asking it", NULL, commands_reset },
	{ "destroy", "NAME", 1, 1, "end a guest at once and release its memory",
	  "As pulling the plug. Returns at once; 'domstate' says off when it is done.\n",
	  commands_destroy },
	{ "suspend", "NAME", 1, 1, "pause a guest", NULL, commands_suspend },
	{ "resume", "NAME", 1, 1, "let a paused guest go on", NULL, commands_resume },
	{ "console", "NAME", 1, 1, "a guest's serial console; Ctrl-] leaves it",
	  "Shows the last 64 KiB that the guest wrote, then connects the terminal to it.\n",
	  commands_console },
	{ "define", "NAME KEY=VALUE...", 2, COMMAND_WORDS, "define a guest", DEFINE_HELP, commands_define },
	{ "undefine", "NAME", 1, 1, "forget the definition of a guest that is off", NULL, commands_undefine },
	{ "dumpcfg", "NAME", 1, 1, "a guest's definition, as for quire.conf", NULL, commands_dumpcfg },

	{ "setmem", "NAME SIZE", 2, 2, "ask a guest to give memory back, or let it have it again",
	  "SIZE is what it should have, as 64M, at most its memory. Its balloon driver does\n"
	  "it as fast as it can. Kept over restarts, until Quire ends.\n", commands_setmem },
	{ "setmaxmem", "NAME SIZE", 2, 2, "how much memory a guest has from its next start on",
	  "Changes memory = in the definition of a guest that is off, until Quire ends.\n",
	  commands_setmaxmem },
	{ "dommemstat", "NAME", 1, 1, "what a guest says of its memory, and what it has of the host's",
	  "Under virsh's names: actual is what it has, available what it could use of it,\n"
	  "usable and unused what is left. Asked for every 5 s while a balloon driver is at\n"
	  "work.\n",
	  commands_dommemstat },

	{ "nodeinfo", "", 0, 0, "the host: processor, features, memory", NULL, commands_nodeinfo },
	{ "memtune", "NAME [min=SIZE] [max=SIZE] [shares=N]", 1, 4, "show or change a guest's claim to memory",
	  "min: promised under any pressure; max: the most that it may have; shares: who\n"
	  "has fewer waits first. Refused when a promise could not be kept. It lasts until\n"
	  "the guest ends: its next start goes by its definition again.\n", commands_memtune },
	{ "freecell", "", 0, 0, "who uses how much of the host's memory", NULL, commands_freecell },
	{ "ksm", "[show|run|stop|unmerge|verify|matrix|set KEY VALUE]", 0, 3, "merging of equal pages",
	  KSM_HELP, commands_ksm },
	{ "cpuinfo", "", 0, 0, "the host's processors, their load, and where they are", CPUINFO_HELP, commands_cpuinfo },
	{ "top", "[cpu|ready|memory|exits]", 0, 1, "who uses processors and memory, each second; q leaves", TOP_HELP,
	  commands_top },
	{ "schedinfo", "NAME [weight=N] [cap=N]", 1, 3, "a guest's part of the processors", SCHEDINFO_HELP,
	  commands_schedinfo },
	{ "vcpuinfo", "NAME", 1, 1, "a guest's processors", VCPUINFO_HELP, commands_vcpuinfo },
	{ "setvcpus", "NAME COUNT", 2, 2, "plug a guest's processors in, or ask it to give some back",
	  "COUNT is 1 to vcpus-max. The guest takes new ones into use as it likes: in Linux\n"
	  "'echo 1 >/sys/devices/system/cpu/cpuN/online', if nothing else does it. What it\n"
	  "should give back are the last ones. Kept over restarts, until Quire ends.\n", commands_setvcpus },
	{ "vcpupin", "NAME VCPU CPUS", 3, 3, "the host's CPUs that a guest's processor may use",
	  "CPUS is a list as 0,2-3, or all. Holds until the guest is off.\n", commands_vcpupin },
	{ "domstats", "NAME", 1, 1, "a guest's counters, for programs",
	  "Lines KEY=VALUE: times in nanoseconds, sizes in bytes, the rest counts. clock is\n"
	  "the time since Quire started; waited.C: wake-ups that waited C to 2C cycles, of\n"
	  "which there are tsc-hz in a second, for a CPU.\n", commands_domstats },
	{ "vmexit", "NAME [-H]", 1, 2, "why a guest left guest mode: counts and cycles",
	  "Cycles are the time stamp counter's, from the exit to the next entry.\n"
	  "-H adds a histogram for each reason.\n", commands_vmexit },
	{ "trace", "start|stop|show [COUNT]", 1, 2, "what the CPUs did: who ran, exits, injections, merges",
	  "show stops it and prints the last COUNT records of each CPU (100; 2048 are\n"
	  "kept), which tests/trace_json.py turns into a file for Perfetto's viewer.\n"
	  "Times are in TSC cycles.\n", commands_trace },
	{ "files", "", 0, 0, "the files that were loaded at boot",
	  "Guests boot from these. quire.conf loads one for each guest that names it, and\n"
	  "those of preload = FILE in [host].\n", commands_files },
	{ "dmesg", "", 0, 0, "the log", NULL, commands_dmesg },
	{ "uptime", "", 0, 0, "how long Quire has been running", NULL, commands_uptime },
	{ "boot-report", "", 0, 0, "where the time went until the guests ran", NULL, commands_boot_report },

	{ "dumpreg", "NAME [VCPU]", 1, 2, "registers of a guest's processor (0)", NULL, commands_dumpreg },
	{ "dumpmem", "NAME GPA LEN", 3, 3, "a guest's memory in hexadecimal and ASCII",
	  "GPA is a guest-physical address, LEN at most 64K; 4096, 0x1000 and 4K are the\n"
	  "same.\n", commands_dumpmem },
	{ "inject-nmi", "NAME", 1, 1, "send an NMI to a guest's first processor", NULL, commands_inject_nmi },
	{ "test-hook", "NAME crash|loop|syscalls|handles|replace", 2, 2,
	  "test hook: harm a guest's machine process", HOOK_HELP, commands_test_hook },
	{ "crash-monitor", "", 0, 0, "test hook: make the monitor crash",
	  "It is started again, and the guests go on.\n", commands_crash_monitor },

	{ "poweroff", "[--force]", 0, 1, "turn the host off", POWER_HELP, commands_poweroff },
	{ "reboot-host", "[--force]", 0, 1, "restart the host", POWER_HELP, commands_reboot_host },
};

const u32 command_table_count = ARRAY_SIZE(command_table);
