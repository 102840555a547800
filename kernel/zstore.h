/* Where a guest's compressed pages are: frames of its own (FRAME_COMPRESSED), cut into chunks of 64 bytes, of which an
 * object takes as many in a row as it needs.  A frame's first chunk says which are taken, and links it to others.
 *
 * A new frame of the store is the one that its first object's page was in, and it goes when its last object does.  So
 * nothing is allocated here: compressing cannot fail for want of memory, and a guest never has more frames with
 * compressed pages than it would have without.  Objects of two guests never share a frame: what a guest has is
 * exactly its own, and goes with it.
 * Lock: the gmem's (m). */
#ifndef KERNEL_ZSTORE_H
#define KERNEL_ZSTORE_H

#include "kernel/lib/types.h"

#define ZSTORE_CHUNK 64
#define ZSTORE_CHUNKS (PAGE_SIZE / ZSTORE_CHUNK)
#define ZSTORE_MOST (PAGE_SIZE * 3 / 4 - 2) /* bytes of an object: a larger one would not be worth it */

struct zstore_frame;

struct zstore {
	struct zstore_frame *by_room[ZSTORE_CHUNKS]; /* m: frames by the chunks of their longest free run */
	u64 has_room; /* m: bits of the lists that are not empty */
	u64 frames;   /* m: count */
	u64 objects;  /* m: count */
};

/* Puts len bytes (1 to ZSTORE_MOST) away and returns where they are: an address aligned to a chunk, good until
 * zstore_drop.  spare: a frame of the caller's, whose content nobody needs; *taken: it is the store's now. */
hpa_t zstore_put(struct zstore *z, const void *bytes, u32 len, hpa_t spare, bool *taken) must_check;

/* What was put there. */
const void *zstore_get(hpa_t at, u32 *len);

/* Is an object at at, which may be any address of memory, aligned to a chunk?  For checks. */
bool zstore_holds(hpa_t at);

/* Forgets it.  True: its frame had no other one, and was put. */
bool zstore_drop(struct zstore *z, hpa_t at) must_check;

#endif
