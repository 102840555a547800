/* LZ4 of single pages.  The code is that of Debian's source package lz4 (kernel/lz4.sh fetches it at build time). */
#ifndef KERNEL_LZ4_H
#define KERNEL_LZ4_H

#include "kernel/lib/types.h"

/* What lz4_pack works with, 8-byte aligned; its content means nothing between calls. */
#define LZ4_WORK_SIZE (4 * KIB + 32)

/* Compresses a page of 4 KiB into at most room bytes; how many they are, 0: it does not fit. */
u32 lz4_pack(const void *page, void *to, u32 room, void *work);

/* The other way; false: these are not the bytes of a page that was packed (page is undefined then). */
bool lz4_unpack(const void *from, u32 len, void *page) must_check;

#endif
