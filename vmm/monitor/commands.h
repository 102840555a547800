/* The commands' functions, by theme; command_table.c says what each does. */
#ifndef VMM_MONITOR_COMMANDS_H
#define VMM_MONITOR_COMMANDS_H

#include "kernel/lib/types.h"

struct guest_info;

/* commands_help.c */
void commands_help(int argc, char **argv);

/* commands_guests.c */
void commands_list(int argc, char **argv);
void commands_dominfo(int argc, char **argv);
void commands_domstate(int argc, char **argv);
void commands_define(int argc, char **argv);
void commands_undefine(int argc, char **argv);
void commands_dumpcfg(int argc, char **argv);

/* commands_balloon.c */
void commands_setmem(int argc, char **argv);
void commands_setmaxmem(int argc, char **argv);
void commands_dommemstat(int argc, char **argv);
void commands_balloon_facts(const struct guest_info *info); /* dominfo's lines */

/* commands_lifecycle.c */
void commands_start(int argc, char **argv);
void commands_shutdown(int argc, char **argv);
void commands_reboot(int argc, char **argv);
void commands_reset(int argc, char **argv);
void commands_destroy(int argc, char **argv);
void commands_suspend(int argc, char **argv);
void commands_resume(int argc, char **argv);
void commands_console(int argc, char **argv);
void commands_inject_nmi(int argc, char **argv);

/* commands_host.c */
void commands_version(int argc, char **argv);
void commands_nodeinfo(int argc, char **argv);
void commands_freecell(int argc, char **argv);
void commands_cpuinfo(int argc, char **argv);
void commands_files(int argc, char **argv);
void commands_dmesg(int argc, char **argv);
void commands_uptime(int argc, char **argv);
void commands_boot_report(int argc, char **argv);
void commands_poweroff(int argc, char **argv);
void commands_reboot_host(int argc, char **argv);

/* commands_ledger.c */
void commands_memtune(int argc, char **argv);

/* commands_ksm.c */
void commands_ksm(int argc, char **argv);

/* commands_ksm_check.c */
void commands_ksm_verify(void);
void commands_ksm_matrix(void);

/* commands_sched.c */
void commands_schedinfo(int argc, char **argv);
void commands_vcpuinfo(int argc, char **argv);
void commands_vcpupin(int argc, char **argv);
void commands_domstats(int argc, char **argv);

/* commands_setvcpus.c */
void commands_setvcpus(int argc, char **argv);

/* top.c */
void commands_top(int argc, char **argv);

/* commands_trace.c */
void commands_trace(int argc, char **argv);

/* commands_vcpus.c */
void commands_vmexit(int argc, char **argv);
const char *commands_reason_name(u32 reason); /* of an enum vcpu_reason */

/* commands_inspect.c */
void commands_dumpreg(int argc, char **argv);
void commands_dumpmem(int argc, char **argv);

/* commands_test.c */
void commands_test_hook(int argc, char **argv);
void commands_crash_monitor(int argc, char **argv);

#endif
