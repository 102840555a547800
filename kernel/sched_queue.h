/* One CPU's run queue: EEVDF (Stoica and Abdel-Wahab 1995; docs/scheduling.md).  Pure: no hardware, no lock of
 * its own; the caller holds the queue's lock (LOCK_RUN_QUEUE of its CPU) wherever nothing else is said.
 *
 * Virtual time advances for an entity by cycles * WEIGHT_DEFAULT / weight.  The queue's clock is the
 * weighted mean of the virtual times of all that are ready or running: who is not past it has not had more than
 * its share and may run; of those the earliest deadline goes first. */
#ifndef KERNEL_SCHED_QUEUE_H
#define KERNEL_SCHED_QUEUE_H

#include "kernel/lib/list.h"
#include "kernel/lib/shares.h"
#include "kernel/lib/types.h"

/* All in TSC cycles. */
struct sched_times {
	u64 slice;    /* what an entity asks for at a time */
	u64 wake;     /* what it gets at once when it wakes */
	u64 min_run;  /* nobody is preempted earlier */
	u64 alone;    /* slice of one that nobody waits for: a look at the watchdog */
	u64 apart;    /* virtual: how far queues' clocks drift before a thread is moved */
	u64 limit;    /* virtual: no queue and no newcomer counts as further behind */
	u64 balance;  /* how often a CPU compares clocks */
};

extern struct sched_times sched_times; /* c */
void sched_times_init(u64 ms);         /* cycles of a millisecond */

/* q: guarded by the lock of the queue that it is in; o while it is in none. */
struct sched_entity {
	struct link queued;   /* q */
	u64 vruntime;         /* q: virtual time */
	u64 deadline;         /* q: virtual; 0: it woke and goes first */
	s64 lag;              /* o: virtual time that it was behind the clock when it left its queue */
	const struct sched_queue *home; /* o: that queue */
	u32 weight;           /* q: WEIGHT_MIN to WEIGHT_MAX */
	u32 next_weight;      /* a: taken over at the next occasion */
	u64 run_cycles;       /* q */
	u64 ready_cycles;     /* q: spent ready, behind others */
	u64 ready_since;      /* q: TSC */
	u64 waited;           /* q: ready time before it ran last */
	bool woken;           /* q: ready since a wake-up, not since a preemption or a move */
	bool called;          /* q: ready, and one that waits for it runs elsewhere: its deadline preempts */
};

struct sched_queue {
	struct link ready;            /* by deadline */
	u32 count;                    /* of ready; read by others as a hint, as are weight, clock, since */
	u64 weight;                   /* sum over ready and running */
	u64 clock;                    /* the mean's whole part */
	s64 rest;                     /* sum of weight * (vruntime - clock): less than weight */
	struct sched_entity *running;
	u64 since;                    /* TSC up to which running's time is counted */
	u64 started;                  /* TSC when it began */
	bool free;                    /* running had its share, and runs as no other may: nobody pays for that time */
	u64 balanced;                 /* TSC of the last comparison with the others' clocks */
};

/* Why an entity comes: after its sleep, or from another queue. */
enum sched_join { JOIN_WOKEN, JOIN_MOVED };

/* Why what runs stops: others are next; it gives way; it is not ready any more. */
enum sched_stop { SCHED_PREEMPTED, SCHED_YIELDED, SCHED_LEAVES };

/* a: the furthest clock of all queues, to within one comparison: where a queue begins that was empty. */
extern u64 sched_front;

#define SCHED_FIRST_CLOCK BIT(40) /* room below it for any lag */

static inline void sched_queue_init(struct sched_queue *q)
{
	*q = (struct sched_queue){ .clock = SCHED_FIRST_CLOCK };
	list_init(&q->ready);
}

void sched_entity_init(struct sched_entity *e, u32 weight);

/* Counts running's time up to now. */
void sched_queue_account(struct sched_queue *q, u64 now);

/* Makes e ready here; it is in no queue.  True: the CPU should look. */
bool sched_queue_join(struct sched_queue *q, struct sched_entity *e, enum sched_join how, u64 now) must_check;

/* Something came for e, which is ready here: unless it had its share it goes first, as after a sleep.  True: the
 * CPU should look. */
bool sched_queue_boost(struct sched_queue *q, struct sched_entity *e) must_check;

/* Virtual: what is left of running's request. */
s64 sched_queue_left(struct sched_queue *q, u64 now);

/* e, ready here, is waited for by one that runs elsewhere, with so much left of its request: e is to end with it.
 * True: unless it had its share it goes as soon as what runs here has run its minimum. */
bool sched_queue_call(struct sched_queue *q, struct sched_entity *e, s64 left, u64 now) must_check;

/* e, ready here, is waited for by what runs here, of the same weight: they swap their virtual times if that lets e run
 * sooner, so that together they have what they had. */
void sched_queue_swap(struct sched_queue *q, struct sched_entity *e, u64 now);

/* A ready one leaves for another queue. */
void sched_queue_remove(struct sched_queue *q, struct sched_entity *e);

/* Nothing runs: what is to run, made running; NULL when nothing is ready. */
struct sched_entity *sched_queue_pick(struct sched_queue *q, u64 now);

/* The same of those that may; one that had its share, if none of the others may, for nothing and until the next look.
 * may is asked until it says yes, and takes that for done. */
struct sched_entity *sched_queue_pick_of(struct sched_queue *q,
					 bool (*may)(const struct sched_entity *e, void *argument), void *argument, u64 now);

/* What sched_queue_pick would pick; NULL.  Did it wake, or was it boosted, so that it goes before all? */
const struct sched_entity *sched_queue_first(const struct sched_queue *q);
bool sched_queue_is_urgent(const struct sched_entity *e);

/* Ends what either began. */
void sched_queue_stop(struct sched_queue *q, enum sched_stop how, u64 now);

/* Is another to run instead of what runs? */
bool sched_queue_yields(struct sched_queue *q, u64 now);

/* TSC at which to look again. */
u64 sched_queue_look(const struct sched_queue *q);

/* The clock brought forward to `to` with everybody in the queue: what they are behind is forgiven. */
void sched_queue_forgive(struct sched_queue *q, u64 to);

/* Without the lock: about what its clock is at now. */
u64 sched_queue_clock(const struct sched_queue *q, u64 now);

#endif
