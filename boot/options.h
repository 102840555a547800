/* The [host] section, and the list of what was wrong with configuration and files. */
#ifndef BOOT_OPTIONS_H
#define BOOT_OPTIONS_H

#include "kernel/boot_info.h"

enum serial_source { SERIAL_AUTO, SERIAL_NONE, SERIAL_SPCR, SERIAL_PORT, SERIAL_PCI };

struct serial_choice {
	enum serial_source source;
	u32 line;          /* of the configuration, 0: not chosen there */
	u16 port;
	u8 bus, dev, fn;
};

/* Sets the defaults and then what info->config says; mistakes become messages. */
void options_read(struct boot_info *info, struct serial_choice *serial);

/* Appends "CONFIG:line: reason" (or without :line when it is 0) to info->load_messages, as far as it fits. */
void options_complain(struct boot_info *info, u32 line, const char *format, ...) printf_like(3, 4);

#endif
