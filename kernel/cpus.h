/* The host's CPUs: their structs, and starting them. */
#ifndef KERNEL_CPUS_H
#define KERNEL_CPUS_H

#include "kernel/boot_info.h"

/* This CPU, the boot CPU: traps and GS work afterwards. */
void cpus_init_boot(const struct boot_info *info);

/* Starts the others, at most options.max_cpus in all; each goes to its scheduler.  Those that do not come are
 * left out, with a line. */
void cpus_start(const struct boot_info *info);

/* What cores' hardware threads are for; SMT_AUTO if no core has several. */
enum host_smt cpus_smt(void);

#endif
