/* Bounded byte rings between a producer and consumers.  A stream ring keeps what nobody read yet and refuses
 * what does not fit; a history ring keeps the last bytes and overwrites the oldest, and its readers hold
 * absolute positions.  Lock: LOCK_CHANNEL, in the ring. */
#ifndef KERNEL_RING_H
#define KERNEL_RING_H

#include "kernel/lib/types.h"
#include "kernel/lock.h"

struct ring {
	struct spinlock lock;
	u8 *bytes;  /* c */
	u32 size;   /* c: a power of two */
	u64 head;   /* r: absolute position after the last byte written */
	u64 tail;   /* r: of the first that a stream's reader has not taken */
};

/* size: a power of two; 0 or ERR_NOMEM. */
int ring_init(struct ring *r, u32 size) must_check;
void ring_fini(struct ring *r);

/* Stream: writes what fits, reads what is there; both return the count. */
u64 ring_write(struct ring *r, const u8 *from, u64 len);
u64 ring_read(struct ring *r, u8 *to, u64 len);
bool ring_readable(struct ring *r);

/* History: writes all; reads from *position, which moves forward over what was lost. */
void ring_record(struct ring *r, const u8 *from, u64 len);
u64 ring_replay(struct ring *r, u64 *position, u8 *to, u64 len);

#endif
