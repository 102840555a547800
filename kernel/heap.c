/* The kernel heap.  A frame that was cut into objects stays with its size class. */
#include "kernel/heap.h"

#include "kernel/frame.h"
#include "kernel/lib/string.h"
#include "kernel/lock.h"

#define SMALLEST 5 /* 32 bytes */
#define CLASSES (PAGE_SHIFT - SMALLEST)

struct object {
	struct object *next;
};

static struct spinlock lock = SPINLOCK(LOCK_HEAP);
static struct object *free_objects[CLASSES]; /* guarded by lock */

static u32 log2_ceil(size_t size)
{
	return size <= 1 ? 0 : 64 - (u32)__builtin_clzll(size - 1);
}

static u32 block_order(u32 log2)
{
	return log2 - PAGE_SHIFT;
}

/* Cuts a fresh frame into objects. */
static bool refill(u32 class)
{
	size_t size = BIT(class + SMALLEST);
	hpa_t frame = frame_alloc(0, FRAME_KERNEL);

	if (!frame.v)
		return false;
	spin_lock(&lock);
	for (u64 at = 0; at < PAGE_SIZE; at += size) {
		struct object *o = (struct object *)((char *)hpa_pointer(frame) + at);

		o->next = free_objects[class];
		free_objects[class] = o;
	}
	spin_unlock(&lock);
	return true;
}

static struct object *take(u32 class)
{
	struct object *o;

	spin_lock(&lock);
	o = free_objects[class];
	if (o)
		free_objects[class] = o->next;
	spin_unlock(&lock);
	return o;
}

void *heap_alloc(size_t size)
{
	u32 log2 = MAX(log2_ceil(size), SMALLEST), class = log2 - SMALLEST;
	struct object *o;

	if (size > HEAP_MAX)
		return NULL;
	if (log2 >= PAGE_SHIFT)
		return hpa_pointer(frame_alloc_zero(block_order(log2), FRAME_KERNEL));
	do
		o = take(class);
	while (!o && refill(class));
	if (o)
		memset(o, 0, BIT(log2));
	return o;
}

void heap_free(void *p, size_t size)
{
	u32 log2 = MAX(log2_ceil(size), SMALLEST), class = log2 - SMALLEST;
	struct object *o = p;

	if (!p)
		return;
	if (log2 >= PAGE_SHIFT) {
		frame_put(pointer_hpa(p));
		return;
	}
	spin_lock(&lock);
	o->next = free_objects[class];
	free_objects[class] = o;
	spin_unlock(&lock);
}
