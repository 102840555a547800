/* The buddy allocator.  Free blocks of each order are doubly linked by frame index; index 0 is never free and
 * ends a list. */
#include "kernel/frame.h"

#include "kernel/lib/string.h"
#include "kernel/lock.h"

struct pool {
	struct spinlock lock;
	u32 heads[FRAME_ORDERS]; /* p */
	u64 free;                /* p: frames; read by others as a figure */
};

static struct frame *frames;
static u64 frames_first, frames_count; /* page frame numbers */
static struct pool pools[FRAME_NODES];
static u64 counts[FRAME_KINDS]; /* a */
static u64 total;

static u32 index_of(u64 address)
{
	return (u32)((address >> PAGE_SHIFT) - frames_first);
}

static struct frame *frame_of(hpa_t at)
{
	return &frames[index_of(at.v)];
}

/* Is there a descriptor for it that nobody has added or claimed yet?  Firmware tells ranges twice. */
static bool fresh(u64 address)
{
	u64 number = address >> PAGE_SHIFT;

	return number > frames_first && number - frames_first < frames_count &&
	       frames[number - frames_first].kind == FRAME_RESERVED;
}

static void account(enum frame_kind kind, s64 count)
{
	__atomic_add_fetch(&counts[kind], (u64)count, __ATOMIC_RELAXED);
}

void frame_init(struct frame *table, u64 first, u64 count)
{
	frames = table;
	frames_first = first >> PAGE_SHIFT;
	frames_count = count;
	total = 0;
	memset(counts, 0, sizeof(counts));
	memset(pools, 0, sizeof(pools));
	memset(table, 0, count * sizeof(*table));
	for (u64 i = 0; i < count; i++)
		table[i].kind = FRAME_RESERVED;
	for (u32 n = 0; n < FRAME_NODES; n++)
		pools[n].lock.class = LOCK_POOL;
}

static void list_add(struct pool *p, u32 index, u32 order)
{
	struct frame *f = &frames[index];

	/* node is not stored to: other pools look at it to know that the block is not theirs */
	f->ref = 0;
	f->kind = FRAME_FREE;
	f->order = (u8)order;
	f->head = 1;
	f->next = p->heads[order];
	f->prev = 0;
	if (f->next)
		frames[f->next].prev = index;
	p->heads[order] = index;
}

static void list_remove(struct pool *p, u32 index)
{
	struct frame *f = &frames[index];

	if (f->prev)
		frames[f->prev].next = f->next;
	else
		p->heads[f->order] = f->next;
	if (f->next)
		frames[f->next].prev = f->prev;
	f->head = 0;
}

/* The buddy of a block, or 0 when it cannot be merged with.  Blocks are aligned by physical address. */
static u32 free_buddy(u32 index, u32 order)
{
	u64 buddy = ((index + frames_first) ^ BIT(order)) - frames_first;

	if (buddy == 0 || buddy >= frames_count)
		return 0;
	if (frames[buddy].node != frames[index].node || !frames[buddy].head || frames[buddy].order != order)
		return 0;
	return (u32)buddy;
}

static void block_free(struct pool *p, u32 index, u32 order)
{
	u32 buddy;

	p->free += BIT(order);
	while (order < FRAME_ORDERS - 1 && (buddy = free_buddy(index, order))) {
		list_remove(p, buddy);
		index = MIN(index, buddy);
		order++;
	}
	list_add(p, index, order);
}

void frame_add(u64 base, u64 len, u32 node)
{
	struct pool *p = &pools[node % FRAME_NODES];

	for (u64 at = base; at < base + len; at += PAGE_SIZE) {
		if (!fresh(at))
			continue;
		frames[index_of(at)].kind = FRAME_FREE; /* also when it ends up inside of a larger block */
		frames[index_of(at)].node = (u8)(node % FRAME_NODES);
		spin_lock(&p->lock);
		block_free(p, index_of(at), 0);
		spin_unlock(&p->lock);
		total++;
		account(FRAME_FREE, 1);
	}
}

void frame_claim(u64 base, u64 len, enum frame_kind kind)
{
	for (u64 at = base; at < base + len; at += PAGE_SIZE) {
		if (!fresh(at))
			continue;
		frames[index_of(at)].kind = (u8)kind;
		frames[index_of(at)].ref = 1;
		total++;
		account(kind, 1);
	}
}

static u32 block_take(struct pool *p, u32 order)
{
	u32 found = order, index;

	while (found < FRAME_ORDERS && !p->heads[found])
		found++;
	if (found >= FRAME_ORDERS)
		return 0;
	index = p->heads[found];
	list_remove(p, index);
	p->free -= BIT(order);
	while (found > order) {
		found--;
		frames[index + BIT(found)].node = frames[index].node;
		list_add(p, index + (u32)BIT(found), found);
	}
	return index;
}

hpa_t frame_alloc_near(u32 node, u32 order, enum frame_kind kind)
{
	u32 index = 0;

	for (u32 n = 0; n < FRAME_NODES && !index; n++) {
		struct pool *p = &pools[(node + n) % FRAME_NODES];

		spin_lock(&p->lock);
		index = block_take(p, order);
		spin_unlock(&p->lock);
	}
	if (!index)
		return (hpa_t){ 0 };
	frames[index].ref = 1;
	frames[index].kind = (u8)kind;
	frames[index].order = (u8)order;
	account(FRAME_FREE, -(s64)BIT(order));
	account(kind, (s64)BIT(order));
	return (hpa_t){ (index + frames_first) << PAGE_SHIFT };
}

hpa_t frame_alloc(u32 order, enum frame_kind kind)
{
	return frame_alloc_near(0, order, kind);
}

hpa_t frame_alloc_zero_near(u32 node, u32 order, enum frame_kind kind)
{
	hpa_t at = frame_alloc_near(node, order, kind);

	if (at.v)
		memset(hpa_pointer(at), 0, PAGE_SIZE << order);
	return at;
}

hpa_t frame_alloc_zero(u32 order, enum frame_kind kind)
{
	return frame_alloc_zero_near(0, order, kind);
}

void frame_get(hpa_t at)
{
	__atomic_add_fetch(&frame_of(at)->ref, 1, __ATOMIC_RELAXED);
}

void frame_put(hpa_t at)
{
	struct frame *f = frame_of(at);
	struct pool *p = &pools[f->node];
	u32 order = f->order;

	if (__atomic_sub_fetch(&f->ref, 1, __ATOMIC_ACQ_REL))
		return;
	account(f->kind, -(s64)BIT(order));
	account(FRAME_FREE, (s64)BIT(order));
	spin_lock(&p->lock);
	block_free(p, index_of(at.v), order);
	spin_unlock(&p->lock);
}

u32 frame_refs(hpa_t at)
{
	return __atomic_load_n(&frame_of(at)->ref, __ATOMIC_RELAXED);
}

enum frame_kind frame_kind_of(hpa_t at)
{
	return frame_of(at)->kind;
}

void frame_kind_set(hpa_t at, enum frame_kind kind)
{
	struct frame *f = frame_of(at);

	account(f->kind, -(s64)BIT(f->order));
	account(kind, (s64)BIT(f->order));
	__atomic_store_n(&f->kind, (u8)kind, __ATOMIC_RELEASE);
}

u64 *frame_note(hpa_t at)
{
	return &frame_of(at)->note;
}

void frame_split(hpa_t at)
{
	struct frame *f = frame_of(at);
	u32 count = 1u << f->order;

	for (u32 i = 0; i < count; i++)
		f[i] = (struct frame){ .ref = 1, .kind = f->kind, .node = f->node };
}

u32 frame_node(hpa_t at)
{
	return frame_of(at)->node;
}

u64 frame_free_near(u32 node)
{
	return __atomic_load_n(&pools[node % FRAME_NODES].free, __ATOMIC_RELAXED);
}

u64 frame_count(enum frame_kind kind)
{
	return __atomic_load_n(&counts[kind], __ATOMIC_RELAXED);
}

hpa_t frame_range(u64 *count)
{
	*count = frames_count;
	return (hpa_t){ frames_first << PAGE_SHIFT };
}

u64 frame_total(void)
{
	return total;
}
