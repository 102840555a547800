/* When cold pages of guests are compressed: a kernel thread that works while memory is short, or a guest's own limit.
 *
 * At pressure `soft` it only looks: it makes pages unaccessed, so that it is known later which are cold.  (A look
 * at which pages were compressed rests then, where it is.)  From `hard` on it compresses those that were not accessed
 * between two looks, 1 to 4 s apart; of a guest that the operator paused or whose run ended, all.  These come first,
 * then those that run, then those that wait for memory; of each kind those with the lowest claim.  The guest with the
 * highest claim is left alone: what it has is kept for it in any case, so nobody could be given what its pages would
 * leave (ledger.h); unless its run has ended.
 *
 * A guest that waits because it has all of its memory-max makes room for itself, whoever it is and at any level: its
 * pages are compressed until the ledger says that it may go on. */
#ifndef KERNEL_COMPRESS_H
#define KERNEL_COMPRESS_H

#include "kernel/abi.h"

struct gmem;

/* Makes the thread. */
int compress_start(void) must_check;

/* The level of pressure has changed, or a guest waits at its limit. */
void compress_wake(void);

/* A guest, which is DYING, is to be taken apart: false means that its memory is being
 * compressed, ask again. */
bool compress_leave(const struct gmem *m) must_check;

void compress_info(struct compress_info *info);

#endif
