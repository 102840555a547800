/* A ring-3 program at work: an address space, threads, an event word and futexes.
 *
 * All of its memory is resident.  Lock: LOCK_PROCESS (in the struct) guards threads, waiters and areas; the
 * last thread that leaves frees it. */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include "kernel/abi.h"
#include "kernel/lib/list.h"
#include "kernel/lock.h"
#include "kernel/thread.h"

struct guest;

enum process_kind { PROCESS_MONITOR, PROCESS_MACHINE };

#define PROCESS_AREAS 8
#define PROCESS_HEAP_MAX (4 * MIB)
#define PROCESS_THREADS_MAX (VCPU_MAX + 8)

/* Where things are in a process. */
#define PROCESS_HEAP 0x400100000000ull
#define PROCESS_VCPU_PAGES 0x400200000000ull
#define PROCESS_ABI 0x400300000000ull
#define PROCESS_STACK_TOP 0x400400000000ull
#define PROCESS_STACK_SIZE (32 * KIB)

struct area {
	u64 start, end;
	bool write;
	bool owned; /* its frames are the process's own, given back at its end */
};

struct process {
	enum process_kind kind;   /* c */
	struct guest *guest;      /* c: of a machine process */
	hpa_t root;               /* c */
	struct spinlock lock;
	struct area areas[PROCESS_AREAS]; /* p; only grow */
	u32 area_count;           /* p */
	u64 heap_size;            /* p: bytes */
	u64 heap_max;             /* c: bytes */
	struct link threads;      /* p */
	u32 thread_count;         /* p */
	struct link waiters;      /* p: threads in SYS_FUTEX_WAIT */
	u32 events;               /* a: enum event bits */
	struct thread *event_thread; /* a: in SYS_EVENT_WAIT, or was */
	u32 dying;                /* a: 1: its threads end at their next step */
	u64 tables, frames;       /* p: frames that it holds */
	char end_text[96];        /* p: why it ends, "" for an orderly exit */
};

/* A process that runs the program (an ELF image in ring 0's memory) with its first thread ready; guest: of a
 * machine process.  Nothing runs before process_start.  NULL without memory. */
struct process *process_create(enum process_kind kind, struct guest *guest, const u8 *elf);
void process_start(struct process *p);
void process_abandon(struct process *p); /* one that was never started */

/* Ends p: its threads leave at their next step.  The first text counts.  From any CPU. */
void process_kill(struct process *p, const char *format, ...) printf_like(2, 3);

/* Adds one more thread, ready to run; ERR_FAULT when entry is not in p's memory, ERR_NOMEM. */
int process_add_thread(struct process *p, u64 entry, u64 argument, u64 stack) must_check;

/* Maps owned, zeroed frames at [start, start+len); ERR_NOMEM when only a part of it could be mapped.  Under
 * p's lock once p runs. */
int process_map_new(struct process *p, u64 start, u64 len, bool write) must_check;

/* Maps a frame that belongs to somebody else who outlives p. */
int process_map_frame(struct process *p, u64 address, hpa_t frame, bool write) must_check;

/* Frames that it holds, or held: its memory is gone when process_gone is called. */
u64 process_frames(const struct process *p);

/* Wakes all of its threads, to look again at what they wait for. */
void process_wake(struct process *p);

/* Sets event bits and wakes the event thread. */
void process_raise(struct process *p, u32 events);

/* Adds len bytes (rounded up to pages) of zeroed heap: the address, or ERR_NOMEM. */
s64 process_grow(struct process *p, u64 len);

/* Copies from and to ring 3, checked against the areas: 0 or ERR_FAULT. */
int process_read(struct process *p, void *to, u64 from, u64 len) must_check;
int process_write(struct process *p, u64 to, const void *from, u64 len) must_check;

/* The kernel's view of [address, address+len) for use between cpu_user_access_begin and _end: NULL if any of
 * it is not the process's. */
void *process_pointer(struct process *p, u64 address, u64 len, bool write);

/* ---- upward calls: what happens when the last thread has gone (guest.c, monitor.c); p is freed after it ---- */
void process_gone(struct process *p);

/* Ring 3 as a step of a thread (user.c). */
enum step user_step(struct thread *t);

#endif
