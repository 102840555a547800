/* What crosses between ring 0 and ring 3 of tracing (kernel/abi.h). */
#ifndef KERNEL_ABI_TRACE_H
#define KERNEL_ABI_TRACE_H

#include "kernel/lib/types.h"

enum trace_kind {
	TRACE_RUN,    /* a thread had the CPU; detail: 1 if it could have gone on */
	TRACE_EXIT,   /* a vCPU was out of the guest; detail: enum vcpu_reason */
	TRACE_INJECT, /* a vCPU was given an event at its entry; detail: its vector; takes no time */
	TRACE_MERGE,  /* the merger replaced pages of a guest by equals; detail: how many */
	TRACE_UNSHARE, /* a guest's page that was mapped read only was written; detail: 1 if it was copied */
	TRACE_KINDS,
};

#define TRACE_NO_VCPU 0xffff

struct trace_record {
	u64 tsc;    /* host TSC at its beginning */
	u64 cycles; /* how long it took */
	u32 guest;  /* number, 0: the monitor or kernel work */
	u16 vcpu;   /* index, TRACE_NO_VCPU: another thread */
	u8 kind;    /* enum trace_kind */
	u8 detail;
};

#endif
