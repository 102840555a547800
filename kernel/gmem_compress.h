/* A guest's compressed pages: what becomes of leaves when pages are compressed, and how one is had back.  (Where the
 * bytes are: zstore.h.  When it is done, and to whom: compress.c.)
 *
 * A page's way: its leaf is taken away, many at a time; one flush; then nobody can write to it, and it is compressed.
 * Lock: the gmem's (m), held by the caller where that is said. */
#ifndef KERNEL_GMEM_COMPRESS_H
#define KERNEL_GMEM_COMPRESS_H

#include "kernel/gmem.h"

/* Counts of pages, of all guests; a. */
extern struct gmem_compress_counts {
	u64 pages;        /* that are compressed now */
	u64 compressed;   /* in all ... */
	u64 decompressed; /* ... and of them present again */
	u64 refused;      /* did not shrink enough */
} gmem_compress_counts;

struct gmem_compress_how {
	bool look;       /* only make them unaccessed: a later call will compress those that still are */
	bool at_rest;    /* the guest stands still: what it accessed before does not count */
	bool split;      /* large leaves, too */
	bool known_only; /* of a guest that merges, only what the scanner has found to have no equal */
};

/* A bounded step through m's memory, from m->compress_at on, for the compressor's thread alone.  Pages of its own that
 * were accessed since the last time are made unaccessed, those that were not are compressed.  Without accessed bits
 * nothing is done to a guest that is not at rest.  True at the end of its memory: compress_at is 0 again. */
bool gmem_compress(struct gmem *m, struct gmem_compress_how how) must_check;

/* ---- of an entry that has LEAF_COMPRESSED; m locked ---- */

/* The whole page, or a part of it. */
void gmem_decompress(u64 entry, void *page);
void gmem_decompress_part(u64 entry, u64 offset, void *to, u64 len);

/* Can it be had back?  For ksm verify. */
bool gmem_compressed_valid(u64 entry);

/* Forgets the compressed bytes. */
void gmem_compressed_put(struct gmem *m, u64 entry);

#endif
