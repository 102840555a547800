/* Names of the image's functions, for backtraces. */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include "kernel/lib/types.h"

/* The function that address lies in, and how far; NULL for an address outside the image's text. */
const char *symbols_find(u64 address, u64 *offset);

/* The image as boot/quire.lds lays it out, page aligned.  All that is neither text nor data is read only. */
extern const u8 image_start[], image_end[];
extern const u8 image_text_start[], image_text_end[];     /* to be mapped read + execute */
extern const u8 image_rodata_start[], image_rodata_end[]; /* read only */
extern u8 image_data_start[], image_data_end[];           /* read + write, .bss included */
extern const u8 image_symbols_start[], image_symbols_end[];

#endif
