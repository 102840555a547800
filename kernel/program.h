/* The two ring-3 programs, embedded in the image, and how one is put into an address space. */
#ifndef KERNEL_PROGRAM_H
#define KERNEL_PROGRAM_H

#include "kernel/lib/types.h"

struct process;

extern const u8 program_machine[], program_monitor[]; /* programs.asm */

/* Fills the page that every process reads its clock from; once. */
int program_init(void) must_check;
hpa_t program_abi_page(void);

/* Maps the ELF image: text and constants are the image's own pages, data is copied.  0 with *entry, or
 * ERR_NOMEM.  The image is ours: it is not checked like a stranger's. */
int program_load(struct process *p, const u8 *elf, u64 *entry) must_check;

#endif
