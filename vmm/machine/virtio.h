/* Virtio 1.2 devices, apart from their transport: split virtqueues, features and status.
 *
 * All that a driver writes is hostile: an index, length or address that breaks the rules makes the device ask for a
 * reset (DEVICE_NEEDS_RESET) and leave its queues alone until it comes. */
#ifndef VMM_MACHINE_VIRTIO_H
#define VMM_MACHINE_VIRTIO_H

#include "vmm/machine/bus.h"
#include "vmm/machine/msix.h"

#define VIRTIO_QUEUES 5
#define VIRTIO_QUEUE_SIZE 64    /* what a queue has at most */
#define VIRTIO_NO_VECTOR 0xffff

/* §6 */
#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_VERSION_1 BIT(32)

/* §2.1 */
#define VIRTIO_STATUS_FEATURES_OK 0x08
#define VIRTIO_STATUS_DRIVER_OK 0x04
#define VIRTIO_STATUS_NEEDS_RESET 0x40

struct virtio_queue {
	u64 desc, driver, device; /* guest-physical addresses of the three parts */
	u16 size;                 /* a power of two */
	u16 vector;
	u16 avail;                /* how many chains were taken from the available ring, modulo 2^16 */
	u16 used;                 /* how many were put into the used ring */
	u8 enabled;
};

/* What the guest sees, in its device's struct. */
struct virtio {
	struct virtio_queue queue[VIRTIO_QUEUES];
	u64 driver_features;
	u32 device_select, driver_select;
	u16 queue_select, config_vector;
	u8 status, isr, generation;
	struct msix msix;
};

/* A kind of device: constants, and what its transport calls, always under the machine lock. */
struct virtio_type {
	u32 offset;        /* of its struct virtio in struct machine */
	u16 id;            /* §5 */
	u8 devfn;
	u32 class_revision;
	u32 queue_count;
	u64 features;      /* without those of the ring and the transport */
	u32 config_len;
	void (*reset)(struct machine *m);          /* back to nothing, but for what the host decides */
	void (*status)(struct machine *m);         /* the driver wrote its status, not 0 */
	void (*notify)(struct machine *m, u32 queue); /* queue is enabled, its driver at work */
	void (*config)(struct machine *m, struct access *a); /* to its configuration, within config_len */
};

struct virtio *virtio_of(struct machine *m, const struct virtio_type *type);

/* Features that type offers, and whether the driver took bits of them. */
u64 virtio_features(const struct virtio_type *type);
bool virtio_has(const struct virtio *v, u64 features);

/* True while the driver has it at work. */
bool virtio_runs(const struct virtio *v);

/* A driver resets it, writes the status (not 0), and enables a queue. */
void virtio_reset(struct machine *m, const struct virtio_type *type);
void virtio_set_status(struct virtio *v, const struct virtio_type *type, u8 status);
void virtio_enable(struct machine *m, const struct virtio_type *type, u32 queue);

/* The driver broke the rules. */
void virtio_break(struct machine *m, const struct virtio_type *type);

/* A buffer of a chain; and a walk over a chain of them.  It ends after queue size buffers at the latest. */
struct virtio_buffer {
	u64 gpa;
	u32 len;
	bool writable; /* for the device */
};

struct virtio_walk {
	u64 table;
	u32 entries;   /* of table */
	u16 next;
	u16 left;      /* how many buffers there may still be */
	bool more, indirect, seen_writable;
};

/* Takes the next chain from the available ring: 1 and its head, 0 if there is none, or an error after
 * virtio_break. */
int virtio_pop(struct machine *m, const struct virtio_type *type, u32 queue, u16 *head) must_check;

/* Walks the chain of head: virtio_next returns 1 and a buffer, 0 at the end, or an error after virtio_break. */
void virtio_walk(const struct virtio *v, u32 queue, u16 head, struct virtio_walk *walk);
int virtio_next(struct machine *m, const struct virtio_type *type, struct virtio_walk *walk,
		struct virtio_buffer *buffer) must_check;

/* Gives a chain back with len bytes written, and interrupts unless the driver wants none: 0; ERR_NOMEM: nothing was
 * done, try again later; or another error after virtio_break. */
int virtio_push(struct machine *m, const struct virtio_type *type, u32 queue, u16 head, u32 len) must_check;

/* The device's configuration changed. */
void virtio_config_changed(struct machine *m, const struct virtio_type *type);

/* ---- downward, by the transport (virtio_pci.c) ---- */
void virtio_interrupt(struct machine *m, const struct virtio_type *type, u16 vector, u8 isr);

#define VIRTIO_ISR_QUEUE 1
#define VIRTIO_ISR_CONFIG 2

#endif
