/* The registers of virtio's PCI transport (VIRTIO 1.2 §4.1.4).  Lock: the machine lock.
 *
 * BAR 0 has everything: common configuration, interrupt status, the device's configuration, a notification word for
 * each queue, the MSI-X table and its pending bits.  A device is named by its constant struct virtio_type: nothing
 * here has a state of its own. */
#include "vmm/machine/virtio_pci.h"

#include "kernel/lib/string.h"
#include "vmm/machine/machine.h"

#define VENDOR 0x1af4
#define DEVICE_BASE 0x1040
#define SUBSYSTEM 0x1100

/* BAR 0 */
#define BAR_LEN 0x2000
#define AT_COMMON 0x0000
#define AT_ISR 0x0400
#define AT_DEVICE 0x0800
#define AT_NOTIFY 0x0c00
#define AT_TABLE 0x1000
#define AT_PENDING 0x1800
#define NOTIFY_MULTIPLIER 4

/* Configuration space: where the capabilities are, and their types (§4.1.4). */
#define CAP_MSIX 0x40
#define CAP_COMMON 0x50
#define CAP_NOTIFY 0x60
#define CAP_ISR 0x74
#define CAP_DEVICE 0x84
#define CAP_ACCESS 0x94
#define ACCESS_DATA (CAP_ACCESS + 16)
#define CAPABILITY_VENDOR 9
enum { TYPE_COMMON = 1, TYPE_NOTIFY, TYPE_ISR, TYPE_DEVICE, TYPE_ACCESS };

/* Common configuration (§4.1.4.3) */
enum {
	DEVICE_FEATURE_SELECT = 0x00, DEVICE_FEATURE = 0x04, DRIVER_FEATURE_SELECT = 0x08, DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10, NUM_QUEUES = 0x12, STATUS = 0x14, GENERATION = 0x15, QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18, QUEUE_VECTOR = 0x1a, QUEUE_ENABLE = 0x1c, QUEUE_NOTIFY = 0x1e, QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28, QUEUE_DEVICE = 0x30, COMMON_LEN = 0x38,
};

/* The line follows the interrupt status, which is only used without MSI-X (§4.1.5.1). */
static void update_line(struct machine *m, const struct virtio_type *type)
{
	const struct pci_function *f = pci_at(m, type->devfn);

	if (f)
		pci_intx(m, type->devfn, virtio_of(m, type)->isr && !msix_enabled(f, CAP_MSIX));
}

void virtio_interrupt(struct machine *m, const struct virtio_type *type, u16 vector, u8 isr)
{
	struct virtio *v = virtio_of(m, type);
	const struct pci_function *f = pci_at(m, type->devfn);

	if (!f)
		return;
	if (msix_enabled(f, CAP_MSIX)) {
		msix_raise(&v->msix, f, CAP_MSIX, vector);
	} else {
		v->isr |= isr;
		update_line(m, type);
	}
}

/* ---- common configuration ---- */

/* The 64-bit field that offset is in, of the selected queue. */
static u64 *queue_part(struct virtio_queue *q, u32 offset)
{
	return offset < QUEUE_DRIVER ? &q->desc : offset < QUEUE_DEVICE ? &q->driver : &q->device;
}

static u32 queue_read(struct virtio *v, struct virtio_queue *q, u32 offset)
{
	switch (offset) {
	case QUEUE_SIZE: return q->size;
	case QUEUE_VECTOR: return q->vector;
	case QUEUE_ENABLE: return q->enabled;
	case QUEUE_NOTIFY: return v->queue_select;
	}
	return offset >= QUEUE_DESC && !(offset & 3) ? (u32)(*queue_part(q, offset) >> (offset & 4 ? 32 : 0)) : 0;
}

static u32 common_read(struct machine *m, const struct virtio_type *type, u32 offset)
{
	struct virtio *v = virtio_of(m, type);

	switch (offset) {
	case DEVICE_FEATURE_SELECT: return v->device_select;
	case DEVICE_FEATURE: return v->device_select < 2 ? (u32)(virtio_features(type) >> 32 * v->device_select) : 0;
	case DRIVER_FEATURE_SELECT: return v->driver_select;
	case DRIVER_FEATURE: return v->driver_select < 2 ? (u32)(v->driver_features >> 32 * v->driver_select) : 0;
	case CONFIG_VECTOR: return v->config_vector;
	case NUM_QUEUES: return type->queue_count;
	case STATUS: return v->status;
	case GENERATION: return v->generation;
	case QUEUE_SELECT: return v->queue_select;
	}
	if (offset < QUEUE_SIZE || offset >= COMMON_LEN || v->queue_select >= type->queue_count)
		return 0;
	return queue_read(v, &v->queue[v->queue_select], offset);
}

static u16 valid_vector(u32 vector)
{
	return vector < MSIX_VECTORS ? (u16)vector : VIRTIO_NO_VECTOR;
}

static void queue_write(struct machine *m, const struct virtio_type *type, u32 offset, u32 value)
{
	struct virtio *v = virtio_of(m, type);
	struct virtio_queue *q = &v->queue[v->queue_select];
	u64 *part;

	if (offset == QUEUE_VECTOR)
		q->vector = valid_vector(value);
	else if (q->enabled)
		return; /* §4.1.4.3.2: the rest is not changed any more */
	else if (offset == QUEUE_SIZE)
		q->size = (u16)value;
	else if (offset == QUEUE_ENABLE && value == 1)
		virtio_enable(m, type, v->queue_select);
	else if (offset >= QUEUE_DESC) {
		part = queue_part(q, offset);
		*part = offset & 4 ? (*part & UINT32_MAX) | (u64)value << 32 : (*part & ~0xffffffffull) | value;
	}
}

static void write_features(struct virtio *v, u32 value)
{
	u32 shift = 32 * v->driver_select;

	if (v->driver_select < 2 && !(v->status & VIRTIO_STATUS_FEATURES_OK))
		v->driver_features = (v->driver_features & ~(0xffffffffull << shift)) | (u64)value << shift;
}

static void write_status(struct machine *m, const struct virtio_type *type, u8 status)
{
	struct virtio *v = virtio_of(m, type);

	if (!status) {
		virtio_reset(m, type);
		update_line(m, type);
		return;
	}
	virtio_set_status(v, type, status);
	type->status(m);
}

static u32 common_size(u32 offset)
{
	if (offset == STATUS || offset == GENERATION)
		return 1;
	return offset >= CONFIG_VECTOR && offset < QUEUE_DESC ? 2 : 4;
}

static void common_write(struct machine *m, const struct virtio_type *type, u32 offset, u32 size, u32 value)
{
	struct virtio *v = virtio_of(m, type);

	if (size != common_size(offset) || offset & (size - 1))
		return; /* §4.1.3.1: each field by its own width */
	switch (offset) {
	case DEVICE_FEATURE_SELECT: v->device_select = value; return;
	case DRIVER_FEATURE_SELECT: v->driver_select = value; return;
	case DRIVER_FEATURE: write_features(v, value); return;
	case CONFIG_VECTOR: v->config_vector = valid_vector(value); return;
	case STATUS: write_status(m, type, (u8)value); return;
	case QUEUE_SELECT: v->queue_select = (u16)value; return;
	}
	if (offset >= QUEUE_SIZE && offset < COMMON_LEN && v->queue_select < type->queue_count)
		queue_write(m, type, offset, value);
}

static void access_common(struct machine *m, const struct virtio_type *type, struct access *a)
{
	u32 offset = (u32)a->addr, size = MIN(a->size, 4);
	u64 value = 0;

	for (u32 part = 0; part < a->size; part += size) {
		if (a->write)
			common_write(m, type, offset + part, size, (u32)(a->value >> (8 * part)));
		else
			value |= (u64)common_read(m, type, offset + part) << (8 * part);
	}
	if (!a->write)
		a->value = value;
}

/* ---- the BAR ---- */

static void access_isr(struct machine *m, const struct virtio_type *type, struct access *a)
{
	struct virtio *v = virtio_of(m, type);

	if (a->write)
		return;
	a->value = a->addr ? 0 : v->isr;
	if (a->addr)
		return;
	v->isr = 0;
	update_line(m, type);
}

static void access_device(struct machine *m, const struct virtio_type *type, struct access *a)
{
	if (a->addr < type->config_len && a->size <= type->config_len - a->addr)
		type->config(m, a);
	else if (!a->write)
		a->value = 0;
}

static void access_notify(struct machine *m, const struct virtio_type *type, struct access *a)
{
	struct virtio *v = virtio_of(m, type);
	u64 queue = a->addr / NOTIFY_MULTIPLIER;

	if (!a->write)
		a->value = 0;
	else if (queue < type->queue_count && v->queue[queue].enabled && virtio_runs(v))
		type->notify(m, (u32)queue);
}

static void access_bar(struct machine *m, void *device, struct access *a)
{
	const struct virtio_type *type = device;
	struct virtio *v = virtio_of(m, type);
	const struct pci_function *f = pci_at(m, type->devfn);
	u64 addr = a->addr;

	a->addr &= addr < AT_TABLE ? 0x3ff : 0x7ff;
	if (addr < AT_ISR) {
		access_common(m, type, a);
	} else if (addr < AT_DEVICE) {
		access_isr(m, type, a);
	} else if (addr < AT_NOTIFY) {
		access_device(m, type, a);
	} else if (addr < AT_TABLE) {
		access_notify(m, type, a);
	} else if (addr < AT_PENDING) {
		msix_access_table(&v->msix, a);
		if (f && a->write)
			msix_update(&v->msix, f, CAP_MSIX);
	} else {
		msix_access_pending(&v->msix, a);
	}
	a->addr = addr;
}

/* ---- configuration space ---- */

static bool overlaps(u32 offset, u32 size, u32 at, u32 len)
{
	return offset < at + len && at < offset + size;
}

/* The window for those that cannot reach the BAR (§4.1.4.9). */
static void access_window(struct machine *m, const struct virtio_type *type, bool write)
{
	struct pci_function *f = pci_at(m, type->devfn);
	u8 *cap = &f->config[CAP_ACCESS];
	struct access a = { .addr = pci_get(cap + 8, 4), .size = pci_get(cap + 12, 4), .write = write };
	bool valid = (a.size == 1 || a.size == 2 || a.size == 4) && !(a.addr & (a.size - 1)) && a.addr < BAR_LEN;

	if (!valid || cap[4])
		return;
	a.value = pci_get(cap + 16, a.size);
	access_bar(m, (void *)type, &a);
	if (!write)
		pci_put(cap + 16, (u32)a.value, a.size);
}

static void config_accessed(struct machine *m, void *device, u32 offset, u32 size, bool write)
{
	const struct virtio_type *type = device;

	if (overlaps(offset, size, ACCESS_DATA, 4))
		access_window(m, type, write);
	if (write && overlaps(offset, size, CAP_MSIX, MSIX_CAPABILITY_LEN)) {
		msix_update(&virtio_of(m, type)->msix, pci_at(m, type->devfn), CAP_MSIX);
		update_line(m, type);
	}
}

static void add_capability(struct pci_function *f, u8 at, u8 next, u8 kind, u32 offset, u32 len)
{
	u8 *cap = &f->config[at];

	cap[0] = CAPABILITY_VENDOR;
	cap[1] = next;
	cap[2] = kind == TYPE_NOTIFY || kind == TYPE_ACCESS ? 20 : 16;
	cap[3] = kind;
	pci_put(cap + 8, offset, 4);
	pci_put(cap + 12, len, 4);
}

static void add_capabilities(struct pci_function *f, const struct virtio_type *type)
{
	f->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
	f->config[PCI_CAPABILITIES] = CAP_MSIX;
	add_capability(f, CAP_COMMON, CAP_NOTIFY, TYPE_COMMON, AT_COMMON, COMMON_LEN);
	add_capability(f, CAP_NOTIFY, CAP_ISR, TYPE_NOTIFY, AT_NOTIFY, NOTIFY_MULTIPLIER * type->queue_count);
	pci_put(&f->config[CAP_NOTIFY + 16], NOTIFY_MULTIPLIER, 4);
	add_capability(f, CAP_ISR, CAP_DEVICE, TYPE_ISR, AT_ISR, 1);
	add_capability(f, CAP_DEVICE, CAP_ACCESS, TYPE_DEVICE, AT_DEVICE, type->config_len);
	add_capability(f, CAP_ACCESS, 0, TYPE_ACCESS, 0, 0);
	f->writable[CAP_ACCESS + 4] = 0xff;
	memset(&f->writable[CAP_ACCESS + 8], 0xff, 12);
}

void virtio_pci_attach(struct machine *m, const struct virtio_type *type)
{
	const struct pci_wiring wiring = { .devfn = type->devfn, .bar_len = BAR_LEN, .memory = access_bar,
					   .config = config_accessed, .device = (void *)type };

	pci_wire(m, &wiring);
}

void virtio_pci_reset(struct machine *m, const struct virtio_type *type)
{
	const struct pci_id id = { .vendor = VENDOR, .device = DEVICE_BASE + type->id, .subsystem_vendor = VENDOR,
				   .subsystem = SUBSYSTEM, .class_revision = type->class_revision };
	struct pci_function *f = pci_add(m, type->devfn, &id);

	if (!f)
		return;
	pci_set_bar(f, (u32)PCI_WINDOW + type->devfn * BAR_LEN, BAR_LEN);
	f->config[PCI_INTERRUPT_LINE] = PCI_IRQ;
	f->config[PCI_INTERRUPT_PIN] = 1;
	add_capabilities(f, type);
	msix_init(&virtio_of(m, type)->msix, f, CAP_MSIX, CAP_COMMON, AT_TABLE, AT_PENDING);
	virtio_reset(m, type);
}
