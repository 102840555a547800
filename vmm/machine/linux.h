/* Linux's boot protocol (Documentation/arch/x86/boot.rst), which memtest86+ and others speak as well. */
#ifndef VMM_MACHINE_LINUX_H
#define VMM_MACHINE_LINUX_H

#include "vmm/machine/load.h"

/* Loads a bzImage with the settings' initrd and command line and sets vCPU 0 to its entry; rsdp: where the
 * ACPI tables begin.  0; ERR_NOENT if the file is none; another error with l->reason filled. */
int linux_load(struct load *l, const struct image *kernel, u64 rsdp) must_check;

#endif
