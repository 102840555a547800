/* Byte rings. */
#include "kernel/ring.h"

#include "kernel/heap.h"
#include "kernel/lib/error.h"
#include "kernel/lib/string.h"

int ring_init(struct ring *r, u32 size)
{
	*r = (struct ring){ .lock = SPINLOCK(LOCK_CHANNEL), .size = size };
	r->bytes = heap_alloc(size);
	return r->bytes ? 0 : ERR_NOMEM;
}

void ring_fini(struct ring *r)
{
	heap_free(r->bytes, r->size);
	r->bytes = NULL;
}

/* Copies between the ring at an absolute position and memory; at most two pieces. */
static void copy_in(struct ring *r, u64 position, const u8 *from, u64 len)
{
	u64 at = position & (r->size - 1), first = MIN(len, r->size - at);

	memcpy(r->bytes + at, from, first);
	memcpy(r->bytes, from + first, len - first);
}

static void copy_out(const struct ring *r, u64 position, u8 *to, u64 len)
{
	u64 at = position & (r->size - 1), first = MIN(len, r->size - at);

	memcpy(to, r->bytes + at, first);
	memcpy(to + first, r->bytes, len - first);
}

u64 ring_write(struct ring *r, const u8 *from, u64 len)
{
	spin_lock(&r->lock);
	len = MIN(len, r->size - (r->head - r->tail));
	copy_in(r, r->head, from, len);
	r->head += len;
	spin_unlock(&r->lock);
	return len;
}

u64 ring_read(struct ring *r, u8 *to, u64 len)
{
	spin_lock(&r->lock);
	len = MIN(len, r->head - r->tail);
	copy_out(r, r->tail, to, len);
	r->tail += len;
	spin_unlock(&r->lock);
	return len;
}

bool ring_readable(struct ring *r)
{
	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) != r->tail;
}

void ring_record(struct ring *r, const u8 *from, u64 len)
{
	spin_lock(&r->lock);
	if (len > r->size) {
		r->head += len - r->size;
		from += len - r->size;
		len = r->size;
	}
	copy_in(r, r->head, from, len);
	r->head += len;
	spin_unlock(&r->lock);
}

u64 ring_replay(struct ring *r, u64 *position, u8 *to, u64 len)
{
	spin_lock(&r->lock);
	if (*position > r->head)
		*position = r->head;
	if (r->head - *position > r->size)
		*position = r->head - r->size;
	len = MIN(len, r->head - *position);
	copy_out(r, *position, to, len);
	*position += len;
	spin_unlock(&r->lock);
	return len;
}
