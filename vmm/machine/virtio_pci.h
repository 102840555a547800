/* Virtio's modern PCI transport (VIRTIO 1.2 §4.1): a function with one BAR and MSI-X or INTA#. */
#ifndef VMM_MACHINE_VIRTIO_PCI_H
#define VMM_MACHINE_VIRTIO_PCI_H

#include "vmm/machine/virtio.h"

/* For a device's attach and reset. */
void virtio_pci_attach(struct machine *m, const struct virtio_type *type);
void virtio_pci_reset(struct machine *m, const struct virtio_type *type);

#endif
