/* The serial line while the firmware is still there: found, proved to exist, written by polling. */
#ifndef BOOT_SERIAL_H
#define BOOT_SERIAL_H

#include "boot/options.h"

/* Finds the UART that choice names and fills info->serial_*; when there is none it is BOOT_SERIAL_NONE, with
 * a message if the operator asked for one. */
void serial_init(struct boot_info *info, const struct serial_choice *choice);

/* Waits a bounded time for each byte; a line that does not move is given up. */
void serial_write(const char *text, size_t len);

#endif
