/* From names in the configuration to paths on the boot volume. */
#ifndef BOOT_PATHS_H
#define BOOT_PATHS_H

#include "kernel/boot_info.h"

#define PATH_MAX (FILE_NAME_MAX + 16)

/* Makes a path of 16-bit characters with backslashes.  Names are relative to \quire\, or to the volume's root
 * when they begin with a slash of either kind.  NULL, or the reason why the name is refused. */
const char *paths_make(u16 path[PATH_MAX], const char *name);

/* The value of conf=PATH among the blank-separated words of a program's load options (16-bit characters, of
 * any origin); false if there is none that fits. */
bool paths_find_config(const u16 *options, size_t count, char name[FILE_NAME_MAX]);

#endif
