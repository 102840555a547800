/* Can Quire run here? */
#ifndef BOOT_CHECK_H
#define BOOT_CHECK_H

#include "kernel/boot_info.h"

/* Prints a line for each thing that is missing and how to get it; true if nothing is. */
bool check_machine(const struct boot_info *info);

#endif
