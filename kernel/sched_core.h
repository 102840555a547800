/* Core scheduling (smt = core): the hardware threads of a core run one guest at a time; what is nobody's, the monitor's
 * and the kernel's threads, may run beside it.  Who enters counts, so that there is no moment with two. */
#ifndef KERNEL_SCHED_CORE_H
#define KERNEL_SCHED_CORE_H

#include "kernel/host_cpu.h"
#include "kernel/thread.h"

/* Could a thread of the guest (number, 0: nobody's) run on cpu now?  A hint: no lock. */
bool sched_core_has_room(const struct host_cpu *cpu, u32 guest);

/* cpu's queue locked, nothing runs: as sched_queue_pick, of those that may run beside what runs on the core; the one
 * that is returned has entered.  Where the first of the queue had to stand back and is owed more than a request, or
 * woke, the core is kept free for its guest, and what is in its way is told to go. */
struct sched_entity *sched_core_pick(struct host_cpu *cpu, u64 now);

/* A thread of the guest that was picked does not run here any more.  Nothing on other cores, and for nobody's. */
void sched_core_leave(struct host_cpu *cpu, u32 guest);

/* Was another guest on the core, on whichever thread, since this was asked last on cpu, which a guest's thread entered?
 * Then what it left is to be forgotten. */
bool sched_core_turned(struct host_cpu *cpu);

/* Must a thread of the guest that runs on cpu give way, as the core is kept free for another guest? */
bool sched_core_is_closed(const struct host_cpu *cpu, u32 guest, u64 now);

#endif
