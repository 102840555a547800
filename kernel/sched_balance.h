/* Which CPU: where a thread wakes, what an idle CPU takes, and who is moved so that everybody has his share of
 * all CPUs together.  Decisions only: sched.c carries them out. */
#ifndef KERNEL_SCHED_BALANCE_H
#define KERNEL_SCHED_BALANCE_H

#include "kernel/host_cpu.h"
#include "kernel/thread.h"

/* Where t, which does not run, is to run: a free CPU whose core is free, near its last and its memory, if there is
 * one.  No lock. */
struct host_cpu *sched_choose(const struct thread *t);

/* t runs on cpu alone; would sched_choose find it a better place?  No lock. */
bool sched_is_better_elsewhere(const struct host_cpu *cpu, const struct thread *t);

/* The CPUs that others wait for, nearest first, one a call; *at begins with 0.  NULL: no more.  No lock. */
struct host_cpu *sched_victim(const struct host_cpu *idle, u32 *at);

/* cpu's queue locked: a ready thread of cpu that should go to *to, NULL if there is none, or it is not yet time
 * for a comparison. */
struct thread *sched_surplus(struct host_cpu *cpu, u64 now, struct host_cpu **to);

/* from's queue locked: a ready thread that an idle CPU may take. */
struct thread *sched_spare(const struct host_cpu *from, const struct host_cpu *idle);

#endif
