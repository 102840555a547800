/* A guest: its definition, its run, and what remains between runs.
 *
 * State (enum guest_state) changes only in guest_state.c, under the guest's lock (LOCK_GUEST, g):
 *   OFF -> RUNNING (start)   RUNNING <-> PAUSED   RUNNING, PAUSED -> STOPPED (its run ended)
 *   RUNNING, PAUSED, STOPPED -> DYING (destroy) -> OFF (taken apart, in steps, by the reaper) */
#ifndef KERNEL_GUEST_H
#define KERNEL_GUEST_H

#include "kernel/abi.h"
#include "kernel/gmem.h"
#include "kernel/hyperv.h"
#include "kernel/ledger.h"
#include "kernel/lib/list.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/ring.h"
#include "kernel/timer.h"
#include "kernel/working_set.h"

struct process;
struct thread;
struct vcpu;

#define GUEST_INPUT_SIZE 4096
#define GUEST_STATE_MAX (64 * KIB) /* of serialised devices */

/* Why vCPUs may not enter: bits of guest.hold. */
enum guest_hold { HOLD_PAUSE = 1 << 0, HOLD_SAVE = 1 << 1, HOLD_STOP = 1 << 2, HOLD_MEMORY = 1 << 3,
		  HOLD_CAP = 1 << 4 };

struct guest {
	u32 id;                    /* c: never used again within a boot */
	char name[NAME_MAX];       /* c */
	char *definition;          /* g: the same while it is not off */
	u32 definition_len;        /* g: as above */
	struct link link;          /* guest list's lock */
	struct spinlock lock;
	u32 state;                 /* g */
	u32 stop_reason;           /* g */
	char stop_text[96];        /* g */
	u32 starts;                /* g: count */
	struct guest_params params; /* g: of the current run */
	struct process *process;   /* g: its machine process */
	u32 hook;                  /* g: enum test_hook */
	void *saved;               /* g: state between two machine processes, GUEST_STATE_MAX bytes */
	u32 saved_len;             /* g */
	bool replacing;            /* g: the process ends to be followed by another */
	bool save_asked;           /* g: and was told to save */

	u32 node;                  /* c while it is not OFF: NUMA node of its memory, below FRAME_NODES */
	struct gmem gmem;
	struct ledger_account account; /* the ledger's */
	struct vcpu **vcpus;       /* c while it is not OFF */
	u32 vcpu_count;            /* c while it is not OFF: those that it can have */
	u64 present;               /* a: of them, those that are plugged in */
	u32 vcpu_wish;             /* g: how many the operator wants it to have, 0: params.vcpu_count */
	u64 tsc_offset;            /* c while it is not OFF: all vCPUs' TSC begin with it */
	struct hyperv_guest hyperv;
	u32 hold;                  /* a: enum guest_hold */
	u32 parked;                /* a: vCPU threads that wait because of hold */
	struct ring output, input; /* what it wrote; what was typed to it */
	u64 start_clock, first_insn_clock, first_output_clock; /* o: ns */
	struct log_limit log_limit; /* of lines that it can provoke */
	u64 waits_since;            /* g: clock ns, of HOLD_MEMORY */
	struct {
		u64 since;          /* clock ns: it went on after that, 0: nothing is kept for it any more */
		u64 kept, taken;    /* frames: what was kept at the last look, and what it took of it till then */
	} settling;                 /* the keeper's */
	struct log_limit memory_log; /* of those about waiting for memory: noise does not use them up */
	u64 memory_wish;           /* g: struct guest_memory's, bytes, 0: none */
	u64 memory_pressure;       /* g: the same */
	u64 target_told;           /* the keeper's: clock ns when it was last told that it is asked for memory, 0: never */
	struct memory_stats stats; /* g: what it says of its memory in this run */
	struct working_set working_set; /* the keeper's */
	struct {
		u32 percent;       /* a: 0: none */
		struct timer timer;
		u64 due, looked, counted; /* its timer's */
	} cap;
	u64 ended_cycles;          /* a: run time of threads that ended, host TSC cycles */
};

/* ---- the list (guest.c) ---- */

/* 0 < id: the new guest's number; ERR_EXIST, ERR_INVAL, ERR_NOMEM. */
s64 guest_define(const char *name, const char *definition, u32 len);

/* ERR_STATE: it is not off. */
int guest_redefine(struct guest *g, const char *definition, u32 len) must_check;
int guest_undefine(struct guest *g) must_check; /* ERR_STATE unless it is OFF */
struct guest *guest_find(u32 id);               /* NULL */
u32 guest_next(u32 id);                         /* 0 */
struct gmem *guest_gmem_next(u32 *id);          /* of the next guest that has memory; NULL.  For the monitor's calls */

/* The memory of the first guest from *id on that has some, and its number; NULL and 0: none.  It is not taken apart
 * until it is released.  For kernel threads. */
struct gmem *guest_gmem_hold(u32 *id);
void guest_gmem_release(struct gmem *m);

bool guest_is_dying(void);                      /* any */
struct guest *guest_dying(void);                /* one to be taken apart, whose process has gone; NULL */
void guest_each(void (*look)(struct guest *g, void *argument), void *argument); /* the list is locked meanwhile */

/* ---- its runs (guest_state.c) ---- */

/* Has its run begun and not ended?  Unlocked: at this moment. */
static inline bool guest_is_alive(const struct guest *g)
{
	return g->state == GUEST_RUNNING || g->state == GUEST_PAUSED;
}

/* admission: what the ledger says, also when it is refused with ERR_NOMEM. */
int guest_start(struct guest *g, const struct guest_params *params, struct admission *admission) must_check;
int guest_pause(struct guest *g) must_check;
int guest_resume(struct guest *g) must_check;
int guest_destroy(struct guest *g) must_check;
int guest_replace(struct guest *g) must_check;

/* Ends its run, if it has one; the first reason counts. */
void guest_stop(struct guest *g, enum stop_reason reason, const char *format, ...) printf_like(3, 4);

/* Makes all vCPUs look at hold and at their process; g locked, or nobody can take it apart. */
void guest_kick(struct guest *g, u32 requests);

/* Raises events at its machine process, if there is one; ERR_STATE if not. */
int guest_raise(struct guest *g, u32 events) must_check;

/* The machine process's last thread has gone. */
void guest_process_gone(struct guest *g, struct process *p);

/* A vCPU thread waits because of hold; the last one tells who waits for that. */
void guest_parked(struct guest *g);

/* ---- which of its vCPUs are there (guest_vcpus.c) ---- */

/* The operator's wish, kept from run to run: 1 to VCPU_MAX, else ERR_INVAL.  The guest is asked each time. */
int guest_set_vcpu_wish(struct guest *g, u64 count) must_check;
u32 guest_vcpu_target(struct guest *g); /* what it should have, of those that it can */

/* ERR_INVAL: there is no such vCPU, or vCPU 0 should go. */
int guest_set_present(struct guest *g, u64 index, bool present) must_check;

/* ---- how much of its memory it should have (guest_memory.c) ---- */

/* The operator's wish and the host's, in bytes; 0: no wish.  The guest is asked for the least of both and of
 * its memory, and does it as fast as it likes, or not at all.  Kept from run to run. */
void guest_set_memory_wish(struct guest *g, u64 bytes);
void guest_set_memory_target(struct guest *g, u64 bytes); /* under memory pressure */

u64 guest_memory_target(struct guest *g);
void guest_set_memory_stats(struct guest *g, const struct memory_stats *stats);
void guest_memory(struct guest *g, struct guest_memory *memory);

/* Looks which part of its memory it uses, if that is wanted now. */
void guest_sample_memory(struct guest *g, bool wanted);

/* ---- its place in the ledger (guest_ledger.c) ---- */

/* May a start build so many vCPUs and a machine process out of the host's reserve?  admission: the arithmetic. */
bool guest_may_build(u32 vcpus, struct admission *admission);

/* g's vCPUs and its machine process are there: what they hold is not counted again. */
int guest_admit(struct guest *g, struct admission *admission) must_check;

/* While it runs or is paused: ERR_STATE, ERR_INVAL, or ERR_NOMEM, about which admission tells. */
int guest_tune(struct guest *g, const struct guest_tune *tune, struct admission *admission) must_check;
bool guest_memory_valid(const struct guest_params *params);
u64 guest_heap_max(const struct guest *g); /* bytes, of its machine process */

/* ---- memory pressure (pressure.c) ---- */

/* What comes and goes many times a second is told so seldom. */
#define PRESSURE_TELL_NS 10000000000ull

/* The ledger refused it a frame: it is held until it may go on. */
void guest_wait_memory(struct guest *g);

static inline bool guest_waits_memory(const struct guest *g)
{
	return __atomic_load_n(&g->hold, __ATOMIC_SEQ_CST) & HOLD_MEMORY && guest_is_alive(g);
}

/* A kernel thread that follows the level of pressure and lets waiting guests go on. */
int pressure_start(void) must_check;
void pressure_look(void); /* memory came back */

/* What balloons are asked for (targets.c): all of them together to take so many frames; 0: none. */
void targets_set(u64 frames);

/* ---- the end of its runs (guest_state.c) ---- */

/* A kernel thread's step: takes dying guests apart. */
enum step guest_reap(struct thread *t);
int guest_start_reaper(void) must_check;

/* ---- what the monitor sees (guest_info.c) ---- */
void guest_info(struct guest *g, struct guest_info *info);
u64 guest_overhead(struct guest *g); /* bytes of Quire's own for it */
u64 guest_saved_frames(const struct guest *but); /* pages of all other guests, mapped from frames not theirs alone */

#endif
