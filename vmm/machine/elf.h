/* ELF executables as boot loaders load them: by physical address. */
#ifndef VMM_MACHINE_ELF_H
#define VMM_MACHINE_ELF_H

#include "vmm/machine/load.h"

/* True if image is an ELF file for i386 or x86-64, little endian. */
bool elf_check(struct load *l, const struct image *image);

/* Places its PT_LOAD segments and gives the physical address of its entry and the end of the highest
 * segment.  0 or an error with l->reason filled. */
int elf_load(struct load *l, const struct image *image, u64 *entry, u64 *end) must_check;

#endif
