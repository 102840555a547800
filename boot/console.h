/* Text for the operator while the firmware is still there: on its console, and on the serial line. */
#ifndef BOOT_CONSOLE_H
#define BOOT_CONSOLE_H

#include "kernel/boot_info.h"

/* After serial_init: whether the firmware's console is that same serial line is found out here. */
void console_open(const struct boot_info *info);

void console_print(const char *format, ...) printf_like(1, 2);

/* Prints what was added to info->load_messages since the last call. */
void console_print_messages(const struct boot_info *info);

#endif
