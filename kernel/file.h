/* The files that boot/ loaded: constant for ever, one reference to each of their frames held here. */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include "kernel/boot_info.h"
#include "kernel/lib/types.h"

void file_init(const struct boot_info *info);

/* File number index, NULL beyond the last. */
const struct boot_file *file_get(u32 index);

/* Does a guest's definition name the file: as a whole value, or as the first word of one?  A machine process
 * reaches no other files. */
bool file_named_in(const char *definition, u32 len, const char *name);

/* The configuration's text; size 0 if there is none. */
const struct boot_file *file_config(void);

/* Bytes of frames that files hold. */
u64 file_bytes(void);

/* Frames of files that guests map; each is looked at. */
u64 file_frames_mapped(void);

#endif
