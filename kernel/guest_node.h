/* A guest's home: the NUMA node where its memory goes and where its threads would rather run. */
#ifndef KERNEL_GUEST_NODE_H
#define KERNEL_GUEST_NODE_H

#include "kernel/frame.h"

/* What a node has. */
struct node_state {
	u32 cpus;    /* host CPUs that are not a guest's alone */
	u32 vcpus;   /* of guests that are at home there */
	u64 free;    /* frames */
};

/* Where a guest of so many frames and vCPUs (all that it can have) should be: with CPUs, its memory free, and the
 * fewest vCPUs for each CPU; if no node has so much memory, where there is most.  0 if no node has CPUs. */
u32 guest_node_choose(const struct node_state nodes[FRAME_NODES], u64 frames, u32 vcpus);

/* The same as the host is now.  The monitor's calls only. */
u32 guest_node(u64 frames, u32 vcpus);

#endif
