/* What the CPUs did lately, for the operator: a ring of records for each. */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include "arch/x86_64/registers.h"
#include "kernel/abi.h"
#include "kernel/lib/types.h"

#define TRACE_RECORDS 2048 /* kept of each CPU; a power of two */

extern bool trace_on; /* a */

/* Keeps a record on this CPU. */
void trace_keep(enum trace_kind kind, u8 detail, u32 guest, u32 vcpu, u64 from, u64 until);

static inline void trace(enum trace_kind kind, u8 detail, u32 guest, u32 vcpu, u64 from, u64 until)
{
	if (__builtin_expect(trace_on, false))
		trace_keep(kind, detail, guest, vcpu, from, until);
}

/* When something begins that may be kept at its end; 0 when nothing is. */
static inline u64 trace_begin(void)
{
	return __builtin_expect(trace_on, false) ? rdtsc() : 0;
}

static inline void trace_end(enum trace_kind kind, u8 detail, u32 guest, u64 from)
{
	if (__builtin_expect(from != 0, false))
		trace_keep(kind, detail, guest, TRACE_NO_VCPU, from, rdtsc());
}

/* By the monitor alone.  Start forgets what was kept; ERR_NOMEM. */
int trace_start(void) must_check;
void trace_stop(void);

/* Copies a CPU's records from an absolute position on, at most count, and moves the position (forward too over
 * what was overwritten); how many.  Exact once tracing is stopped. */
u64 trace_read(u32 cpu, u64 *position, struct trace_record *to, u64 count);

#endif
