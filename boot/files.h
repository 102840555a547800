/* The boot volume's files. */
#ifndef BOOT_FILES_H
#define BOOT_FILES_H

#include "kernel/boot_info.h"

/* Opens the volume we were loaded from and reads the configuration from it (conf=PATH in the load options,
 * else quire.conf) into info->config.  Without volume or file there is a message, and no configuration. */
void files_read_config(struct boot_info *info);

/* Loads each file that the configuration names once, with a line on the console for each. */
void files_load(struct boot_info *info);

#endif
