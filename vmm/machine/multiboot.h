/* Multiboot 1 (the GNU Multiboot Specification 0.6.96): ELF32, ELF64 and flat ("a.out kludge") kernels. */
#ifndef VMM_MACHINE_MULTIBOOT_H
#define VMM_MACHINE_MULTIBOOT_H

#include "vmm/machine/load.h"

/* Loads the kernel, the initrd and the settings' modules, and sets vCPU 0 to the entry.
 * 0; ERR_NOENT if the file has no Multiboot header; another error with l->reason filled. */
int multiboot_load(struct load *l, const struct image *kernel) must_check;

#endif
