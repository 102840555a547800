/* PCI bus 0: configuration mechanism 1 (CF8h, CFCh) and ECAM over one small table of functions, the window in
 * which their memory BARs lie, and their interrupt line. */
#ifndef VMM_MACHINE_PCI_H
#define VMM_MACHINE_PCI_H

#include "vmm/machine/bus.h"

#define PCI_FUNCTIONS 16
#define PCI_CONFIG_LEN 256
#define PCI_DEVFN(device, function) ((device) << 3 | (function))

/* Where BARs are decoded (DSDT: PCI0's _CRS), and the one interrupt that all INTA# share (its _PRT). */
#define PCI_WINDOW 0xc0000000ull
#define PCI_WINDOW_END 0xe0000000ull
#define PCI_IRQ 11

/* Configuration space, §6.1 */
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x0002
#define PCI_COMMAND_INTX_OFF 0x0400
#define PCI_STATUS 0x06
#define PCI_STATUS_INTERRUPT 0x08
#define PCI_STATUS_CAPABILITIES 0x10
#define PCI_BAR0 0x10
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d

struct pci_function {
	u8 config[PCI_CONFIG_LEN];
	u8 writable[PCI_CONFIG_LEN]; /* bits that the guest may change */
};

struct pci {
	struct pci_function function[PCI_FUNCTIONS];
	u8 of_devfn[256]; /* index + 1 in function, 0: nobody there */
	u32 count;
	u32 address;      /* CF8h */
};

struct pci_id {
	u16 vendor, device, subsystem_vendor, subsystem;
	u32 class_revision; /* class code << 8 | revision */
};

/* What a device wants to be called for, in this process; the device tells it in its attach. */
struct pci_wiring {
	u8 devfn;
	u32 bar_len;     /* bytes of memory behind BAR 0, a power of two */
	access_fn memory; /* accesses there, by offset; never across its end */
	/* Around accesses to its configuration space: before a read, after a write. */
	void (*config)(struct machine *m, void *device, u32 offset, u32 size, bool write);
	void *device;
};

struct pci_wirings {
	struct pci_wiring list[PCI_FUNCTIONS];
	u32 count;
};

void pci_attach(struct machine *m);
void pci_wire(struct machine *m, const struct pci_wiring *wiring);

/* Empties the bus but for the host bridge: a PCI device adds its function in its own reset, which comes later
 * in the device table. */
void pci_reset(struct machine *m);

/* A new function with a type 0 header; NULL if the place is taken or the table is full.  The caller fills in
 * BARs and capabilities and which of their bits are writable. */
struct pci_function *pci_add(struct machine *m, u8 devfn, const struct pci_id *id);

/* Gives f BAR 0, as firmware would have: 32 bits of memory at address, which is inside the window. */
void pci_set_bar(struct pci_function *f, u32 address, u32 len);

/* The function at devfn, NULL if there is none. */
struct pci_function *pci_at(struct machine *m, u8 devfn);

/* INTA# of the function at devfn. */
void pci_intx(struct machine *m, u8 devfn, bool level);

/* Little-endian fields of configuration space. */
void pci_put(u8 *to, u32 value, u32 bytes);
u32 pci_get(const u8 *from, u32 bytes);

#endif
