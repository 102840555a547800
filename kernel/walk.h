/* The guest's own page tables, walked in software: for instruction fetches and for ring 3's emulator. */
#ifndef KERNEL_WALK_H
#define KERNEL_WALK_H

#include "kernel/abi.h"
#include "kernel/lib/types.h"

struct vcpu;

#define WALK_FAULT BIT(31) /* in a result: the rest is a page fault's error code */

/* The guest-physical address of a linear one, for an access (enum access_bits).  0; WALK_FAULT | error code as
 * the processor would push it; ERR_FAULT when a table lies outside of memory.  Sets accessed and dirty bits. */
s64 walk_translate(struct vcpu *v, u64 gva, u32 access, u64 *gpa);

#endif
