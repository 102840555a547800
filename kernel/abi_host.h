/* The part of abi.h that tells the monitor of the host: SYS_HOST_INFO and SYS_CPU_INFO. */
#ifndef KERNEL_ABI_HOST_H
#define KERNEL_ABI_HOST_H

#include "kernel/lib/types.h"

struct cpu_info {
	u32 apic_id;
	u32 core, cache, package, node; /* CPUs with an equal number share it: its threads, the last-level cache */
	u32 guest;          /* number of the guest that has it for itself, 0: none */
	u64 busy_ns, idle_ns;
	u64 switches, interrupts; /* counts */
	u32 ready;          /* threads that wait for this CPU */
	s64 tsc_ns;         /* its TSC against the first CPU's, when it started */
	u64 tsc_error_ns;   /* and at most so much away from that */
};

#define HOST_NODES 8

/* What a core's hardware threads are for. */
enum host_smt {
	SMT_AUTO, /* SMT_CORE if the processor lets one thread see what another does, else SMT_ON */
	SMT_ON,   /* each is a CPU like any other */
	SMT_CORE, /* they run one guest at a time */
	SMT_OFF,  /* one of them is started */
};

struct host_info {
	char version[48];
	char processor[64];      /* brand string */
	char backend[16];        /* "SVM" or "VMX" */
	char features[128];      /* of the back end, by name */
	char branches[16];       /* what protects ring 0's indirect branches, by name */
	char barriers[32];       /* what the processor is told to forget between guests, by name */
	u32 cpu_count;
	u64 tsc_hz;
	u64 clock_ns;
	u64 memory_total;        /* bytes that Quire manages */
	u64 memory_free;
	u64 node_free[HOST_NODES]; /* by NUMA node; nodes from HOST_NODES on are counted with the first */
	u64 memory_kernel;       /* image, frame table, heap, tables that are no guest's */
	u64 memory_files;
	u64 memory_guests;       /* RAM and overhead of all guests */
	u64 memory_processes;    /* of it, ring-3 processes */
	u64 memory_large;        /* of guests' RAM: mapped by pages of 2 MiB; such pages that were made, made without a
				  * copy, given up half copied, and split, in all; and the time for it */
	u64 large_made, large_in_place, large_abandoned, large_split, large_ns;
	char large_pages[64];    /* "on", or "off" and why */
	/* boot report, clock ns from efi_main; firmware_ns is time spent in the firmware's I/O */
	u64 boot_firmware_ns, boot_exit_ns, boot_cpus_ns, boot_monitor_ns;
	u32 log_level;           /* enum log_level that reaches the console */
	u32 smt;                 /* enum host_smt, decided; SMT_AUTO: there are no cores of several threads */
};

#endif
