/* A host CPU as the kernel sees it: the processor's own struct, its run queue and its timers. */
#ifndef KERNEL_HOST_CPU_H
#define KERNEL_HOST_CPU_H

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/topology.h"
#include "arch/x86_64/tsc_sync.h"
#include "kernel/lib/list.h"
#include "kernel/lock.h"
#include "kernel/sched_queue.h"

struct thread;
struct timer;
struct vcpu;

/* Of a core whose hardware threads run one guest at a time: sched_core.c's. */
struct sched_core {
	u64 use;        /* a */
	u64 since;      /* a: host TSC when it came */
	u32 next;       /* a: the guest for which it is kept free, 0: none ... */
	u64 next_until; /* a: ... until this host TSC */
};

struct host_cpu {
	struct cpu arch;         /* first: GS points at it */
	struct host_cpu *sibling; /* c: the next of its core's hardware threads, all round; NULL: it is the only one */
	struct cpu_place place;  /* c: known when it runs; before, a guess by the first CPU's answers */
	struct tsc_sync tsc;     /* c: its TSC against the boot CPU's */

	struct spinlock queue_lock; /* LOCK_RUN_QUEUE */
	struct sched_queue queue; /* q */
	struct thread *current;  /* o */
	u64 slice_end;           /* o: host TSC */
	u32 resched;             /* a: look at the run queue before the next step */
	u32 idle;                /* a: 1 while it waits for work */
	u32 dedicated;           /* a: number of the guest whose alone it is, 0: everybody's */
	struct sched_core *core; /* c: NULL: its hardware threads know nothing of each other */
	struct sched_core own_core; /* the first thread's is the core's */
	u32 turn;                /* o: the core's, when it was here last */
	bool moves;              /* o: what runs is to go to a better CPU */

	struct spinlock timer_lock; /* LOCK_TIMER */
	struct link timers;      /* t: by deadline */
	struct timer *expiring;  /* a: its callback runs */
	struct apic_timer apic_timer; /* o */

	u64 root;                /* a: the page tables that CR3 holds, 0: the first */
	struct vcpu *loaded;     /* o: whose state is in the processor */
	u32 guest;               /* o: number of the guest that ran here last, 0: none yet */

	u64 started_at;          /* c: host TSC */
	u64 idle_cycles, switches, interrupts; /* o, read by others as figures */
};

extern struct host_cpu **host_cpus; /* c: host_cpu_count of them, by index */
extern u32 host_cpu_count;
extern struct cpu_set sched_dedicated; /* a: CPUs that are a guest's alone */

static inline struct host_cpu *host_cpu(void)
{
	return (struct host_cpu *)cpu_self();
}

/* Does any thread wait for a processor?  A moment's answer, for threads that stand back then. */
static inline bool host_is_busy(void)
{
	for (u32 i = 0; i < host_cpu_count; i++)
		if (host_cpus[i]->queue.count)
			return true;
	return false;
}

/* Makes CPU index look at its queue and its requests, by an interrupt if it is another one. */
void host_cpu_kick(u32 index);

/* And makes its thread's step end, so that it finds out what it is to do next. */
void host_cpu_resched(u32 index);

#endif
