/* What a guest's definition says, checked: the body of its [guest NAME] section. */
#ifndef VMM_MACHINE_SETTINGS_H
#define VMM_MACHINE_SETTINGS_H

#include "kernel/abi.h"

#define MODULES_MAX 16
#define CMDLINE_MAX 2048

struct settings {
	char kernel[FILE_NAME_MAX];
	char initrd[FILE_NAME_MAX];
	char cmdline[CMDLINE_MAX];
	char modules[MODULES_MAX][CMDLINE_MAX / 8]; /* "file arguments": the first word names the file */
	u32 module_count;
	bool balloon; /* there is a memory balloon */
};

/* Parses text[0..len); 0, or ERR_INVAL with a line for the operator in reason.  Keys that concern only the
 * monitor (memory, vcpus, autostart, on-...) are accepted and passed over. */
int settings_parse(struct settings *s, const char *text, size_t len, char *reason, size_t reason_len);

#endif
