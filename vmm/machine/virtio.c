/* Virtio's split virtqueues (VIRTIO 1.2 §2.7), features and status (§2.1, §3.1).  Lock: the machine lock.
 *
 * Guest memory is copied before it is looked at.  A walk is bounded by the queue's size, so that a loop of
 * descriptors ends; indices are taken modulo the size, which is checked at each use: it may come from a saved
 * state. */
#include "vmm/machine/virtio.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

/* §2.7.5 */
#define DESC_NEXT 1
#define DESC_WRITE 2
#define DESC_INDIRECT 4

struct virtio_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

#define AVAIL_NO_INTERRUPT 1

/* Where parts of the rings are (§2.7.6, §2.7.8). */
#define RING_IDX 2
#define RING_ENTRIES 4

struct virtio_used {
	u32 id, len;
};

struct virtio *virtio_of(struct machine *m, const struct virtio_type *type)
{
	return (struct virtio *)((u8 *)m + type->offset);
}

u64 virtio_features(const struct virtio_type *type)
{
	return type->features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC;
}

bool virtio_has(const struct virtio *v, u64 features)
{
	return (v->driver_features & features) == features;
}

bool virtio_runs(const struct virtio *v)
{
	return v->status & VIRTIO_STATUS_DRIVER_OK && !(v->status & VIRTIO_STATUS_NEEDS_RESET);
}

void virtio_break(struct machine *m, const struct virtio_type *type)
{
	struct virtio *v = virtio_of(m, type);

	if (v->status & VIRTIO_STATUS_NEEDS_RESET)
		return;
	v->status |= VIRTIO_STATUS_NEEDS_RESET;
	if (v->status & VIRTIO_STATUS_DRIVER_OK) /* §2.1.2 */
		virtio_config_changed(m, type);
}

/* The messages stay: they belong to the transport. */
void virtio_reset(struct machine *m, const struct virtio_type *type)
{
	struct virtio *v = virtio_of(m, type);
	struct msix msix = v->msix;

	memset(v, 0, sizeof(*v));
	v->msix = msix;
	v->config_vector = VIRTIO_NO_VECTOR;
	for (u32 i = 0; i < type->queue_count; i++) {
		v->queue[i].size = VIRTIO_QUEUE_SIZE;
		v->queue[i].vector = VIRTIO_NO_VECTOR;
	}
	type->reset(m);
}

/* FEATURES_OK stays only if the driver took a subset that works; NEEDS_RESET goes only by a reset. */
void virtio_set_status(struct virtio *v, const struct virtio_type *type, u8 status)
{
	bool good = !(v->driver_features & ~virtio_features(type)) && virtio_has(v, VIRTIO_F_VERSION_1);

	if (status & VIRTIO_STATUS_FEATURES_OK && !(v->status & VIRTIO_STATUS_FEATURES_OK) && !good)
		status &= ~VIRTIO_STATUS_FEATURES_OK;
	if (!(status & VIRTIO_STATUS_FEATURES_OK))
		status &= ~VIRTIO_STATUS_DRIVER_OK;
	v->status = status | (v->status & VIRTIO_STATUS_NEEDS_RESET);
}

static bool queue_valid(const struct virtio_queue *q)
{
	return q->size && q->size <= VIRTIO_QUEUE_SIZE && !(q->size & (q->size - 1)) && !(q->desc & 15) &&
	       !(q->driver & 1) && !(q->device & 3);
}

void virtio_enable(struct machine *m, const struct virtio_type *type, u32 queue)
{
	struct virtio_queue *q = &virtio_of(m, type)->queue[queue];

	if (q->enabled)
		return;
	q->enabled = 1;
	q->avail = q->used = 0;
	if (!queue_valid(q))
		virtio_break(m, type);
}

void virtio_config_changed(struct machine *m, const struct virtio_type *type)
{
	struct virtio *v = virtio_of(m, type);

	v->generation++;
	virtio_interrupt(m, type, v->config_vector, VIRTIO_ISR_CONFIG);
}

static int broken(struct machine *m, const struct virtio_type *type)
{
	virtio_break(m, type);
	return ERR_INVAL;
}

int virtio_pop(struct machine *m, const struct virtio_type *type, u32 queue, u16 *head)
{
	struct virtio *v = virtio_of(m, type);
	struct virtio_queue *q = &v->queue[queue];
	u16 idx, waiting;

	if (!virtio_runs(v) || !q->enabled)
		return 0;
	if (!queue_valid(q) || sys_guest_read(q->driver + RING_IDX, &idx, sizeof(idx)))
		return broken(m, type);
	waiting = (u16)(idx - q->avail);
	if (!waiting)
		return 0;
	if (waiting > q->size ||
	    sys_guest_read(q->driver + RING_ENTRIES + 2 * (q->avail & (q->size - 1)), head, sizeof(*head)) ||
	    *head >= q->size)
		return broken(m, type);
	q->avail++;
	return 1;
}

void virtio_walk(const struct virtio *v, u32 queue, u16 head, struct virtio_walk *walk)
{
	const struct virtio_queue *q = &v->queue[queue];

	*walk = (struct virtio_walk){ .table = q->desc, .entries = q->size, .next = head, .left = q->size,
				      .more = true };
}

/* The walk goes on in an indirect table (§2.7.5.3): it is alone in its descriptor, and there is only one. */
static bool enter_indirect(const struct virtio *v, struct virtio_walk *walk, const struct virtio_desc *d)
{
	if (!virtio_has(v, VIRTIO_F_INDIRECT_DESC) || walk->indirect || d->flags & DESC_NEXT || !d->len ||
	    d->len % sizeof(*d) || d->len / sizeof(*d) > UINT16_MAX)
		return false;
	walk->indirect = true;
	walk->table = d->addr;
	walk->entries = d->len / sizeof(*d);
	walk->next = 0;
	return true;
}

int virtio_next(struct machine *m, const struct virtio_type *type, struct virtio_walk *walk,
		struct virtio_buffer *buffer)
{
	struct virtio_desc d;

	do {
		if (!walk->more)
			return 0;
		if (walk->next >= walk->entries || !walk->left ||
		    sys_guest_read(walk->table + walk->next * sizeof(d), &d, sizeof(d)))
			return broken(m, type);
	} while (d.flags & DESC_INDIRECT && enter_indirect(virtio_of(m, type), walk, &d));
	*buffer = (struct virtio_buffer){ d.addr, d.len, d.flags & DESC_WRITE };
	/* what the device writes comes after what it reads (§2.7.4.2) */
	if (d.flags & DESC_INDIRECT || d.addr + d.len < d.addr || (walk->seen_writable && !buffer->writable))
		return broken(m, type);
	walk->seen_writable = buffer->writable;
	walk->more = d.flags & DESC_NEXT;
	walk->next = d.next;
	walk->left--;
	return 1;
}

int virtio_push(struct machine *m, const struct virtio_type *type, u32 queue, u16 head, u32 len)
{
	struct virtio *v = virtio_of(m, type);
	struct virtio_queue *q = &v->queue[queue];
	struct virtio_used used = { head, len };
	u16 idx = q->used + 1, flags;
	int error;

	if (!queue_valid(q))
		return broken(m, type);
	error = sys_guest_write(q->device + RING_ENTRIES + sizeof(used) * (q->used & (q->size - 1)), &used,
				sizeof(used));
	if (!error)
		error = sys_guest_write(q->device + RING_IDX, &idx, sizeof(idx));
	if (!error)
		error = sys_guest_read(q->driver, &flags, sizeof(flags));
	if (error)
		return error == ERR_NOMEM ? error : broken(m, type);
	q->used = idx;
	if (!(flags & AVAIL_NO_INTERRUPT))
		virtio_interrupt(m, type, q->vector, VIRTIO_ISR_QUEUE);
	return 0;
}
