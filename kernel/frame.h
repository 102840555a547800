/* Physical memory: a descriptor for each 4 KiB frame, with a reference count, and a buddy allocator over
 * them.
 *
 * Every user of a frame holds a reference; frame_put of the last one frees.  There is no reverse map.
 * Lock: a pool's lock (LOCK_POOL) guards its free lists; ref and the counters are atomic. */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

#define FRAME_ORDERS 10 /* 4 KiB to 2 MiB */
#define FRAME_ORDER_2M 9
#define FRAME_NODES 8 /* pools */

enum frame_kind {
	FRAME_FREE,
	FRAME_RESERVED, /* not the kernel's to give: firmware, holes */
	FRAME_KERNEL,   /* image, heap, stacks */
	FRAME_TABLE,    /* page tables, host's and stage 2's, VMCBs */
	FRAME_PROCESS,  /* ring-3 memory */
	FRAME_GUEST,    /* guest RAM */
	FRAME_FILE,     /* loaded files */
	FRAME_MERGED,   /* guest RAM that several pages share: merge_frame.h */
	FRAME_COMPRESSED, /* guest RAM that is compressed: zstore.h */
	FRAME_KINDS,
};

struct frame {
	u32 ref;       /* a */
	u8 kind;       /* enum frame_kind, while allocated its holder's */
	u8 order;      /* of the block that starts here, c while allocated */
	u8 node;       /* c */
	u8 head;       /* p: 1 when a free block starts here */
	union {
		struct {
			u32 next, prev; /* p: free list links by frame index, 0 ends */
		};
		u64 note; /* its holder's, while allocated */
	};
};

_Static_assert(sizeof(struct frame) == 16, "16 bytes for each 4 KiB");

/* Starts the allocator over the frames [first, first + count) with their descriptors in table (zeroed by it);
 * all begin as FRAME_RESERVED.  frame_add gives the reserved frames of a range to the pool of a node. */
void frame_init(struct frame *table, u64 first, u64 count);
void frame_add(u64 base, u64 len, u32 node);

/* Marks the reserved frames of a range as allocated for ever (or until put), each with one reference. */
void frame_claim(u64 base, u64 len, enum frame_kind kind);

/* A block of 2^order frames, its first frame with one reference; .v == 0 when there is none.
 * The content is undefined; frame_alloc_zero clears it. */
hpa_t frame_alloc(u32 order, enum frame_kind kind);
hpa_t frame_alloc_zero(u32 order, enum frame_kind kind);

/* The same from a NUMA node's pool, if that has one; nodes from FRAME_NODES on share pools with the first. */
hpa_t frame_alloc_near(u32 node, u32 order, enum frame_kind kind);
hpa_t frame_alloc_zero_near(u32 node, u32 order, enum frame_kind kind);
u32 frame_node(hpa_t at);       /* of the block that starts there */
u64 frame_free_near(u32 node);  /* free frames of its pool */

/* References of the block that starts at the address. */
void frame_get(hpa_t at);
void frame_put(hpa_t at);
u32 frame_refs(hpa_t at);
enum frame_kind frame_kind_of(hpa_t at); /* of the allocated block that starts there */
void frame_kind_set(hpa_t at, enum frame_kind kind);
u64 *frame_note(hpa_t at); /* 8 bytes for the holder of an allocated block */

/* Splits an allocated block into single frames with one reference each. */
void frame_split(hpa_t at);

u64 frame_count(enum frame_kind kind); /* frames of a kind now; FRAME_FREE: the free ones */
hpa_t frame_range(u64 *count); /* the first that has a descriptor, and how many */
u64 frame_total(void);                 /* all that was added or claimed */

/* RAM is mapped at its own address. */
static inline void *hpa_pointer(hpa_t at) { return (void *)at.v; }
static inline hpa_t pointer_hpa(const void *p) { return (hpa_t){ (u64)p }; }

#endif
