/* PCI configuration space of bus 0 (PCI 3.0 §3.2.2.3.2, §6; ECAM: PCI Express 4.0 §7.2.2).  Lock: the machine
 * lock.
 *
 * A function is data: 256 bytes, and a mask of the bits that the guest may change.  There are no PCI Express
 * capabilities, so its extended space reads as all ones.  Where a BAR lies is looked up at each access to the
 * window, so that there is no second copy of it that a restore could miss. */
#include "vmm/machine/pci.h"

#include "kernel/lib/string.h"
#include "vmm/machine/machine.h"

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_WRITABLE 0x80fffffcu
#define ECAM_LEN MIB /* bus 0 */
#define FUNCTION_LEN 4096

/* What every type 0 header lets the guest change (§6.2). */
#define COMMAND_WRITABLE 0x0547 /* I/O, memory, master, parity, SERR, INTx disable */

void pci_put(u8 *to, u32 value, u32 bytes)
{
	for (u32 i = 0; i < bytes; i++)
		to[i] = (u8)(value >> (8 * i));
}

u32 pci_get(const u8 *from, u32 bytes)
{
	u32 value = 0;

	for (u32 i = 0; i < bytes; i++)
		value |= (u32)from[i] << (8 * i);
	return value;
}

struct pci_function *pci_at(struct machine *m, u8 devfn)
{
	struct pci *p = &m->pci;
	u8 index = p->of_devfn[devfn];

	return index && index <= PCI_FUNCTIONS ? &p->function[index - 1] : NULL;
}

/* The wired-OR of all functions' INTA#. */
static void pci_update_line(struct machine *m)
{
	bool level = false;

	for (u32 i = 0; i < PCI_FUNCTIONS; i++) {
		const u8 *config = m->pci.function[i].config;

		if (config[PCI_STATUS] & PCI_STATUS_INTERRUPT && !(config[PCI_COMMAND + 1] & PCI_COMMAND_INTX_OFF >> 8))
			level = true;
	}
	machine_irq(m, PCI_IRQ, level);
}

void pci_intx(struct machine *m, u8 devfn, bool level)
{
	struct pci_function *f = pci_at(m, devfn);

	if (!f)
		return;
	f->config[PCI_STATUS] &= (u8)~PCI_STATUS_INTERRUPT;
	f->config[PCI_STATUS] |= level ? PCI_STATUS_INTERRUPT : 0;
	pci_update_line(m);
}

static void pci_tell(struct machine *m, u8 devfn, u32 offset, u32 size, bool write)
{
	for (u32 i = 0; i < m->pci_wirings.count; i++) {
		const struct pci_wiring *w = &m->pci_wirings.list[i];

		if (w->devfn == devfn && w->config)
			w->config(m, w->device, offset, size, write);
	}
	if (write && offset <= PCI_COMMAND + 1 && offset + size > PCI_COMMAND)
		pci_update_line(m);
}

/* An access of a->size bytes at offset of devfn; bytes beyond its space are nobody's. */
static void pci_config(struct machine *m, u8 devfn, u32 offset, struct access *a)
{
	struct pci_function *f = pci_at(m, devfn);
	u32 first = offset;
	u64 value = 0;

	if (f && !a->write)
		pci_tell(m, devfn, first, a->size, false);

	for (u32 i = 0; i < a->size; i++, offset++) {
		u8 byte = (u8)(a->value >> (8 * i)), mask;

		if (!f || offset >= PCI_CONFIG_LEN) {
			value |= 0xffull << (8 * i);
			continue;
		}
		mask = a->write ? f->writable[offset] : 0;
		f->config[offset] = (f->config[offset] & ~mask) | (byte & mask);
		value |= (u64)f->config[offset] << (8 * i);
	}
	if (!a->write)
		a->value = value;
	else if (f)
		pci_tell(m, devfn, first, a->size, true);
}

/* CF8h takes whole words only; the byte at CF9h in its midst is the chipset's reset register. */
static void pci_address_access(struct machine *m, void *device, struct access *a)
{
	struct pci *p = device;

	if (a->size == 1 && a->addr == RESET_PORT - 0xcf8)
		pm_reset_register(m, a);
	else if (a->size != 4)
		a->value = a->write ? a->value : UINT64_MAX;
	else if (a->write)
		p->address = a->value & ADDRESS_WRITABLE;
	else
		a->value = p->address;
}

static void pci_data_access(struct machine *m, void *device, struct access *a)
{
	struct pci *p = device;
	bool reaches = p->address & ADDRESS_ENABLE && !(p->address >> 16 & 0xff);

	if (reaches)
		pci_config(m, p->address >> 8 & 0xff, (p->address & 0xfc) + (u32)a->addr, a);
	else if (!a->write)
		a->value = UINT64_MAX;
}

static void pci_ecam_access(struct machine *m, void *device, struct access *a)
{
	pci_config(m, (u8)(a->addr / FUNCTION_LEN), a->addr % FUNCTION_LEN, a);
}

/* An access within the window: whose BAR is there?  Of two that overlap the first one answers. */
static void pci_window_access(struct machine *m, void *device, struct access *a)
{
	for (u32 i = 0; i < m->pci_wirings.count; i++) {
		const struct pci_wiring *w = &m->pci_wirings.list[i];
		const struct pci_function *f = pci_at(m, w->devfn);
		u64 offset;

		if (!f || !(f->config[PCI_COMMAND] & PCI_COMMAND_MEMORY))
			continue;
		offset = PCI_WINDOW + a->addr - (pci_get(&f->config[PCI_BAR0], 4) & ~15u);
		if (offset >= w->bar_len || a->size > w->bar_len - offset)
			continue;
		a->addr = offset;
		w->memory(m, w->device, a);
		return;
	}
	if (!a->write)
		a->value = UINT64_MAX;
}

struct pci_function *pci_add(struct machine *m, u8 devfn, const struct pci_id *id)
{
	struct pci *p = &m->pci;
	struct pci_function *f;

	if (p->of_devfn[devfn] || p->count >= PCI_FUNCTIONS)
		return NULL;
	f = &p->function[p->count];
	p->of_devfn[devfn] = (u8)++p->count;
	memset(f, 0, sizeof(*f));
	pci_put(&f->config[0x00], id->vendor, 2);
	pci_put(&f->config[0x02], id->device, 2);
	pci_put(&f->config[0x08], id->class_revision, 4);
	pci_put(&f->config[0x2c], id->subsystem_vendor, 2);
	pci_put(&f->config[0x2e], id->subsystem, 2);
	pci_put(&f->writable[0x04], COMMAND_WRITABLE, 2);
	f->writable[0x0c] = 0xff; /* cache line size */
	f->writable[0x0d] = 0xf8; /* latency timer */
	f->writable[0x3c] = 0xff; /* interrupt line */
	return f;
}

void pci_set_bar(struct pci_function *f, u32 address, u32 len)
{
	pci_put(&f->config[PCI_BAR0], address, 4); /* bits 3-0: memory, 32 bits, not prefetchable */
	pci_put(&f->writable[PCI_BAR0], ~(len - 1), 4);
}

void pci_wire(struct machine *m, const struct pci_wiring *wiring)
{
	if (m->pci_wirings.count < PCI_FUNCTIONS)
		m->pci_wirings.list[m->pci_wirings.count++] = *wiring;
}

void pci_attach(struct machine *m)
{
	bus_add(&m->ports, 0xcf8, 4, pci_address_access, &m->pci);
	bus_add(&m->ports, 0xcfc, 4, pci_data_access, &m->pci);
	bus_add(&m->memory, ECAM_BASE, ECAM_LEN, pci_ecam_access, &m->pci);
	bus_add(&m->memory, PCI_WINDOW, PCI_WINDOW_END - PCI_WINDOW, pci_window_access, NULL);
}

void pci_reset(struct machine *m)
{
	/* The ID of QEMU's generic PCI Express host bridge: guests expect no chipset's quirks from it. */
	static const struct pci_id bridge = { .vendor = 0x1b36, .device = 0x0008, .class_revision = 0x06000000,
					      .subsystem_vendor = 0x1af4, .subsystem = 0x1100 };

	memset(&m->pci, 0, sizeof(m->pci));
	pci_add(m, PCI_DEVFN(0, 0), &bridge);
}
