/* Threads of a process that wait for each other: they should run at the same time. */
#ifndef KERNEL_SCHED_GANG_H
#define KERNEL_SCHED_GANG_H

#include "kernel/host_cpu.h"
#include "kernel/thread.h"

/* caller, which runs here, waits for t, of the same process: if t is ready it goes next unless it had its share, on
 * another CPU for as long as the caller, on this one in its place.  True: it runs soon, beside the caller.  now: TSC.
 * No lock; t may be any thread that ever was, as below. */
bool sched_call(const struct thread *caller, struct thread *t, u64 now);

/* If t is ready behind caller, it goes to another CPU on which nobody of its process runs, in exchange for one like
 * it. */
void sched_part(const struct thread *caller, struct thread *t);

#endif
