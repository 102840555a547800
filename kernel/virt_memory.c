/* The back ends' memory is the kernel heap's. */
#include "arch/x86_64/virt_memory.h"

#include "kernel/heap.h"

void *virt_memory_alloc(size_t size)
{
	return heap_alloc(size);
}

void virt_memory_free(void *p, size_t size)
{
	heap_free(p, size);
}
