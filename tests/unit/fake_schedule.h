/* The scheduler's algorithm on simulated CPUs, in nanoseconds: bodies burn, or work and sleep in turns. */
#ifndef TESTS_UNIT_FAKE_SCHEDULE_H
#define TESTS_UNIT_FAKE_SCHEDULE_H

#include "kernel/sched_balance.h"

#define US 1000ull
#define MS 1000000ull
#define NEVER UINT64_MAX
#define SIM_CPUS 16
#define SIM_THREADS 80
#define SIM_LATENCIES 400000

struct body {
	struct thread t;
	u64 work, sleep;    /* ns at a time; work NEVER: it never sleeps */
	u64 left;           /* of its work */
	u64 wakes_at;
	bool asleep;
	u64 at_begin;       /* run_cycles when measuring began */
};

extern struct host_cpu sim_cpus[SIM_CPUS];
extern struct body sim_bodies[SIM_THREADS];
extern u32 sim_count;
extern u64 sim_now, sim_seed;
extern u64 sim_idle_with_work; /* ns during which a CPU was idle while somebody waited */
extern u64 sim_mixed;          /* ns, of each CPU, beside another guest of the core */
extern u64 sim_far_moves;      /* to another node */
extern u32 sim_latencies[SIM_LATENCIES], sim_latency_count; /* us, of wake-ups */

/* So many idle CPUs, each a core, and nobody; then their topology: threads of a core, cores of a cache, caches of a
 * package, which is a node. */
void sim_begin(u32 cpu_count);
void sim_shape(u32 threads, u32 cores, u32 caches);

/* smt = core. */
void sim_one_guest_a_core(void);

/* One more, which wakes within 5 ms on CPU 0; times are means. */
struct body *sim_add(u32 weight, u64 work, u64 sleep);

u64 sim_random(u64 n); /* below n */
void sim_run_until(u64 end);
void sim_go_on(u32 cpu);  /* as after an interrupt */

/* Measuring begins; and what was run since, what it should have been, and the difference. */
void sim_mark(void);
u64 sim_ran(const struct body *b);
u64 sim_share(const struct body *b, u64 length);
s64 sim_off(const struct body *b, u64 length);

/* Microseconds within which `percent` of all wake-ups ran. */
u32 sim_latency(u32 percent);

#endif
