/* The store of zstore.h: best fit by frames' longest free runs. */
#include "kernel/zstore.h"

#include "kernel/frame.h"
#include "kernel/lib/string.h"

/* The first chunk of a frame. */
struct zstore_frame {
	u64 taken;   /* chunks, this one included */
	u64 objects; /* bits of the chunks at which one begins */
	struct zstore_frame *next, *prev; /* of the same room; prev NULL: the first */
	u32 room;    /* chunks of the longest free run */
};

struct object {
	u16 len;
	u8 bytes[];
};

_Static_assert(sizeof(struct zstore_frame) <= ZSTORE_CHUNK && ZSTORE_CHUNKS == 64, "a chunk each, a bit each");
_Static_assert(ZSTORE_MOST + sizeof(struct object) < PAGE_SIZE - ZSTORE_CHUNK, "an empty frame holds any object");

static u32 chunks_of(u32 len)
{
	return (u32)((len + sizeof(struct object) + ZSTORE_CHUNK - 1) / ZSTORE_CHUNK);
}

static u64 run_at(u32 first, u32 count)
{
	return (BIT(count) - 1) << first;
}

static u32 longest_run(u64 bits)
{
	u32 n = 0;

	for (; bits; n++)
		bits &= bits >> 1;
	return n;
}

/* The chunk where count free ones begin, of the shortest run that has so many; there is one. */
static u32 find_run(u64 taken, u32 count)
{
	u32 best = 0, best_len = ZSTORE_CHUNKS + 1;

	for (u32 at = 0; at < ZSTORE_CHUNKS;) {
		u64 rest = taken >> at;
		u32 len = rest ? (u32)__builtin_ctzll(rest) : ZSTORE_CHUNKS - at;

		if (len >= count && len < best_len) {
			best = at;
			best_len = len;
		}
		at += len + 1;
	}
	return best;
}

static void unlink(struct zstore *z, struct zstore_frame *f)
{
	if (f->prev)
		f->prev->next = f->next;
	else
		z->by_room[f->room] = f->next;
	if (f->next)
		f->next->prev = f->prev;
	if (!z->by_room[f->room])
		z->has_room &= ~BIT(f->room);
}

static void link(struct zstore *z, struct zstore_frame *f)
{
	f->room = longest_run(~f->taken);
	f->prev = NULL;
	f->next = z->by_room[f->room];
	if (f->next)
		f->next->prev = f;
	z->by_room[f->room] = f;
	z->has_room |= BIT(f->room);
}

/* The frame with the least room that is enough, out of its list; NULL. */
static struct zstore_frame *take_frame(struct zstore *z, u32 chunks)
{
	u64 enough = z->has_room & ~(BIT(chunks) - 1);
	struct zstore_frame *f = enough ? z->by_room[__builtin_ctzll(enough)] : NULL;

	if (f)
		unlink(z, f);
	return f;
}

static struct zstore_frame *make_frame(struct zstore *z, hpa_t spare)
{
	struct zstore_frame *f = hpa_pointer(spare);

	frame_kind_set(spare, FRAME_COMPRESSED);
	*f = (struct zstore_frame){ .taken = 1 };
	z->frames++;
	return f;
}

hpa_t zstore_put(struct zstore *z, const void *bytes, u32 len, hpa_t spare, bool *taken)
{
	u32 chunks = chunks_of(len), at;
	struct zstore_frame *f = take_frame(z, chunks);
	struct object *object;

	*taken = !f;
	if (!f)
		f = make_frame(z, spare);
	at = find_run(f->taken, chunks);
	f->taken |= run_at(at, chunks);
	f->objects |= BIT(at);
	object = (struct object *)((u8 *)f + at * ZSTORE_CHUNK);
	object->len = (u16)len;
	memcpy(object->bytes, bytes, len);
	link(z, f);
	z->objects++;
	return pointer_hpa(object);
}

const void *zstore_get(hpa_t at, u32 *len)
{
	const struct object *object = hpa_pointer(at);

	*len = object->len;
	return object->bytes;
}

static struct zstore_frame *frame_of(hpa_t at)
{
	return hpa_pointer((hpa_t){ at.v & PAGE_MASK });
}

static u32 chunk_of(hpa_t at)
{
	return (u32)(at.v % PAGE_SIZE / ZSTORE_CHUNK);
}

bool zstore_holds(hpa_t at)
{
	const struct object *object = hpa_pointer(at);

	return frame_kind_of(pointer_hpa(frame_of(at))) == FRAME_COMPRESSED &&
	       frame_of(at)->objects & BIT(chunk_of(at)) && object->len && object->len <= ZSTORE_MOST;
}

bool zstore_drop(struct zstore *z, hpa_t at)
{
	struct zstore_frame *f = frame_of(at);
	const struct object *object = hpa_pointer(at);

	unlink(z, f);
	f->taken &= ~run_at(chunk_of(at), chunks_of(object->len));
	f->objects &= ~BIT(chunk_of(at));
	z->objects--;
	if (f->objects) {
		link(z, f);
		return false;
	}
	z->frames--;
	frame_put(pointer_hpa(f));
	return true;
}
