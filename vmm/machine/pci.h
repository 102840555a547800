/* PCI bus 0: configuration mechanism 1 (CF8h, CFCh) and ECAM over one small table of functions. */
#ifndef VMM_MACHINE_PCI_H
#define VMM_MACHINE_PCI_H

#include "kernel/lib/types.h"

struct machine;

#define PCI_FUNCTIONS 16
#define PCI_CONFIG_LEN 256
#define PCI_DEVFN(device, function) ((device) << 3 | (function))

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

void pci_attach(struct machine *m);

/* Empties the bus but for the host bridge: a PCI device adds its function in its own reset, which comes later
 * in the device table. */
void pci_reset(struct machine *m);

/* A new function with a type 0 header; NULL if the place is taken or the table is full.  The caller fills in
 * BARs and capabilities and which of their bits are writable. */
struct pci_function *pci_add(struct machine *m, u8 devfn, const struct pci_id *id);

#endif
