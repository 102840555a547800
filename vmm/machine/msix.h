/* MSI-X (PCI 3.0 §6.8.2): a table of messages in a BAR, and its capability. */
#ifndef VMM_MACHINE_MSIX_H
#define VMM_MACHINE_MSIX_H

#include "vmm/machine/bus.h"

struct pci_function;

#define MSIX_VECTORS 8
#define MSIX_CAPABILITY_LEN 12

struct msix {
	struct msix_entry {
		u64 address;
		u32 data;
		u32 control; /* bit 0: masked */
	} entry[MSIX_VECTORS];
	u64 pending;         /* bit for each vector */
};

/* Power-on state; writes the capability at offset at of f's configuration space, followed by the one at next: table
 * and pending bits are in BAR 0 at these offsets. */
void msix_init(struct msix *x, struct pci_function *f, u8 at, u8 next, u32 table, u32 pending);

/* at: of the capability, as in msix_init. */
bool msix_enabled(const struct pci_function *f, u8 at);

/* Sends the vector's message, or keeps it while it is masked. */
void msix_raise(struct msix *x, const struct pci_function *f, u8 at, u32 vector);

/* After a change of masks: sends what became free. */
void msix_update(struct msix *x, const struct pci_function *f, u8 at);

/* Accesses to the table and to the pending bits, by offset in them. */
void msix_access_table(struct msix *x, struct access *a);
void msix_access_pending(struct msix *x, struct access *a);

#endif
