/* The only thing that is scheduled.  A thread has no kernel stack: each step leaves ring 0 (to ring 3 or to a
 * guest) or does a bounded piece of kernel work, and what it waits for is told by its state.
 *
 * state is atomic and changes only along these edges:
 *   READY -> RUNNING (picked)   RUNNING -> READY (preempted)   RUNNING -> BLOCKED (nothing to do)
 *   RUNNING -> WOKEN (a wake-up came while it ran: it will not block)   WOKEN -> RUNNING, READY
 *   BLOCKED -> READY (woken)
 * A thread before its start and after its end is READY too: a late wake-up does nothing to it. */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "arch/x86_64/cpu.h"
#include "kernel/host_cpu.h"
#include "kernel/lib/list.h"
#include "kernel/sched_queue.h"
#include "kernel/timer.h"

struct process;
struct vcpu;

enum thread_state { THREAD_READY /* 0, as in fresh memory */, THREAD_BLOCKED, THREAD_RUNNING, THREAD_WOKEN };

/* What a step asks of the scheduler. */
enum step { STEP_AGAIN, STEP_BLOCK, STEP_YIELD, STEP_EXIT };

struct thread {
	struct user_regs regs;         /* o: ring-3 registers */
	struct process *process;       /* c: NULL for kernel threads */
	enum step (*step)(struct thread *t); /* o: what it does next: ring 3, a vCPU, kernel work */
	struct vcpu *vcpu;             /* o: the vCPU that it runs, NULL before SYS_VCPU_RUN */
	u32 state;                     /* a: enum thread_state */
	u32 cpu;                       /* a: index of the CPU that it is on or was on last */
	struct sched_entity sched;     /* its place among the others, and its times */
	const struct cpu_set *pins;    /* a: CPUs that it may use, NULL: all */
	u32 guest;                     /* c: number of the guest that it works for, 0: nobody's */
	u32 own_cpu;                   /* a: index + 1 of the CPU that is its alone, 0: none */
	u32 node;                      /* c: where its guest's memory is, NUMA node + 1; 0: anywhere */
	u64 silent_since;              /* o: sched.run_cycles at its last system call */
	u64 wakeups, migrations;       /* a, o: counts */

	void (*resume)(struct thread *t); /* o: finishes the system call that it waits in */
	struct timer timer;            /* o: deadline of that wait */
	struct link waiting;           /* process lock: among the futex waiters */
	u64 wait_address;              /* process lock */
	struct link siblings;          /* process lock: threads of the process */
};

/* May t run on CPU index? */
static inline bool thread_may_use(const struct thread *t, u32 index)
{
	const struct cpu_set *pins = __atomic_load_n(&t->pins, __ATOMIC_RELAXED);

	if (t->own_cpu)
		return index == t->own_cpu - 1;
	return !cpu_set_has(&sched_dedicated, index) && (!pins || cpu_set_has(pins, index));
}

/* A thread that waits for thread_start (once); NULL without memory. */
struct thread *thread_create(struct process *process, enum step (*step)(struct thread *t), u32 weight);
void thread_start(struct thread *t);
void thread_free(struct thread *t);

/* Makes it run, or not block the next time; from any CPU, under any lock below LOCK_RUN_QUEUE. */
void thread_wake(struct thread *t);

/* Something came for t, or somebody waits for it: if it is ready and had no more than its share it goes first.  Did it
 * help?  From any CPU, with any thread that ever was. */
bool thread_boost(struct thread *t);

/* ---- the scheduler (sched.c) ---- */

/* Fills in cpu's queue; afterwards sched_loop runs threads on it for ever. */
void sched_init(struct host_cpu *cpu);
_Noreturn void sched_loop(void *unused);

/* Puts t, which is in no queue, into cpu's and makes the CPU look if it should. */
void sched_enqueue(struct host_cpu *cpu, struct thread *t, enum sched_join how);

/* Once, when the clock runs. */
void sched_start(void);

/* The current thread of this CPU. */
struct thread *sched_current(void);

/* The log's callback: the monitor is told at the next step of this CPU. */
void sched_log_changed(void);

/* Brings the run_cycles of cpu's current thread up to date. */
void sched_account(struct host_cpu *cpu);

/* ---- what the scheduler asks of process.c: t comes to this CPU, leaves it (ready: it could
 * go on), is at its end ---- */
void thread_activate(struct thread *t);
void thread_deactivate(struct thread *t, bool ready);
void thread_exited(struct thread *t);

#endif
