/* The memory balloon (VIRTIO 1.2 §5.5): a guest gives pages back, on request or because they are free. */
#ifndef VMM_MACHINE_BALLOON_H
#define VMM_MACHINE_BALLOON_H

#include "kernel/abi.h"
#include "vmm/machine/virtio.h"

#define BALLOON_DEVFN 0x08 /* 00:01.0 */
#define BALLOON_STATS_NS 5000000000ull /* between two questions for statistics */

struct balloon {
	struct virtio virtio;
	struct balloon_config {
		u32 num_pages;  /* that the guest should give, of 4 KiB */
		u32 actual;     /* that it has given */
		u32 hint_command;
		u32 poison;
	} config;
	u64 work_at, stats_at;  /* machine time of the next piece of work and of the next question, NEVER */
	u64 stats_time;         /* machine time at which values came, 0: not yet */
	u64 values[MEMORY_STAT_COUNT];
	u64 inflated, reported; /* bytes since power on */
	u64 done;               /* bytes of the chain at work that are done with */
	u16 head, stats_head;   /* the chain at work; the one that is kept to ask with */
	u8 busy, queue;         /* 1: a chain of queue is at work */
	u8 stats_held;
};

void balloon_attach(struct machine *m);
void balloon_reset(struct machine *m);
u64 balloon_deadline(const struct machine *m);
void balloon_tick(struct machine *m, u64 now);

/* EVENT_MEMORY: the host wants the guest to have more or less. */
void balloon_update_target(struct machine *m);

#endif
