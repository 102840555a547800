/* Kernel memory in sizes of powers of two: small objects from one frame per size class at a time, larger ones
 * as blocks of frames.  Lock: LOCK_HEAP guards the free lists. */
#ifndef KERNEL_HEAP_H
#define KERNEL_HEAP_H

#include "kernel/lib/types.h"

#define HEAP_MAX (2 * MIB)

/* Zeroed memory of at least size bytes (1 to HEAP_MAX), aligned to the next power of two (at most a page);
 * NULL when there is none. */
void *heap_alloc(size_t size);

/* Gives it back; size is what it was allocated with.  NULL is fine. */
void heap_free(void *p, size_t size);

#endif
