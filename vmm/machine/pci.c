/* PCI configuration space of bus 0 (PCI 3.0 §3.2.2.3.2, §6; ECAM: PCI Express 4.0 §7.2.2).  Lock: the machine
 * lock.
 *
 * A function is data: 256 bytes, and a mask of the bits that the guest may change.  There are no PCI Express
 * capabilities, so its extended space reads as all ones. */
#include "vmm/machine/pci.h"

#include "kernel/lib/string.h"
#include "vmm/machine/machine.h"

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_WRITABLE 0x80fffffcu
#define ECAM_LEN MIB /* bus 0 */
#define FUNCTION_LEN 4096

/* What every type 0 header lets the guest change (§6.2). */
#define COMMAND_WRITABLE 0x0547 /* I/O, memory, master, parity, SERR, INTx disable */

static struct pci_function *pci_at(struct pci *p, u8 devfn)
{
	u8 index = p->of_devfn[devfn];

	return index && index <= PCI_FUNCTIONS ? &p->function[index - 1] : NULL;
}

/* An access of a->size bytes at offset of devfn; bytes beyond its space are nobody's. */
static void pci_config(struct pci *p, u8 devfn, u32 offset, struct access *a)
{
	struct pci_function *f = pci_at(p, devfn);
	u64 value = 0;

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
		pci_config(p, p->address >> 8 & 0xff, (p->address & 0xfc) + (u32)a->addr, a);
	else if (!a->write)
		a->value = UINT64_MAX;
}

static void pci_ecam_access(struct machine *m, void *device, struct access *a)
{
	pci_config(device, (u8)(a->addr / FUNCTION_LEN), a->addr % FUNCTION_LEN, a);
}

static void put(u8 *to, u32 value, u32 bytes)
{
	for (u32 i = 0; i < bytes; i++)
		to[i] = (u8)(value >> (8 * i));
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
	put(&f->config[0x00], id->vendor, 2);
	put(&f->config[0x02], id->device, 2);
	put(&f->config[0x08], id->class_revision, 4);
	put(&f->config[0x2c], id->subsystem_vendor, 2);
	put(&f->config[0x2e], id->subsystem, 2);
	put(&f->writable[0x04], COMMAND_WRITABLE, 2);
	f->writable[0x0c] = 0xff; /* cache line size */
	f->writable[0x0d] = 0xf8; /* latency timer */
	f->writable[0x3c] = 0xff; /* interrupt line */
	return f;
}

void pci_attach(struct machine *m)
{
	bus_add(&m->ports, 0xcf8, 4, pci_address_access, &m->pci);
	bus_add(&m->ports, 0xcfc, 4, pci_data_access, &m->pci);
	bus_add(&m->memory, ECAM_BASE, ECAM_LEN, pci_ecam_access, &m->pci);
}

void pci_reset(struct machine *m)
{
	/* The ID of QEMU's generic PCI Express host bridge: guests expect no chipset's quirks from it. */
	static const struct pci_id bridge = { .vendor = 0x1b36, .device = 0x0008, .class_revision = 0x06000000,
					      .subsystem_vendor = 0x1af4, .subsystem = 0x1100 };

	memset(&m->pci, 0, sizeof(m->pci));
	pci_add(m, PCI_DEVFN(0, 0), &bridge);
}
