/* The guest's own page tables, walked in software: for instruction fetches and for ring 3's emulator. */
#ifndef KERNEL_WALK_H
#define KERNEL_WALK_H

#include "kernel/abi.h"
#include "kernel/lib/types.h"

struct vcpu;

#define WALK_FAULT BIT(31) /* in a result: the rest is a page fault's error code */

/* The entries that a walk went through, as the host sees them; 8-byte entries only. */
struct walk_trace {
	u32 count;
	struct { u64 gpa; const u64 *host; u64 value; } step[4];
};

/* The guest-physical address of a linear one, for an access (enum access_bits).  0; WALK_FAULT | error code as
 * the processor would push it; ERR_FAULT when a table lies outside of memory.  Sets accessed and dirty bits. */
s64 walk_translate(struct vcpu *v, u64 gva, u32 access, u64 *gpa);

/* The same, and how: trace->count is 5 when it cannot be told. */
s64 walk_traced(struct vcpu *v, u64 gva, u32 access, u64 *gpa, struct walk_trace *trace);

#endif
