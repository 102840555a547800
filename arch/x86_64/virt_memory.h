/* Memory for back ends: an upward call to the kernel's heap (kernel/virt_memory.c). */
#ifndef ARCH_X86_64_VIRT_MEMORY_H
#define ARCH_X86_64_VIRT_MEMORY_H

#include "kernel/lib/types.h"

/* Zeroed, page aligned when size is a page or more; NULL when there is none. */
void *virt_memory_alloc(size_t size);
void virt_memory_free(void *p, size_t size);

#endif
