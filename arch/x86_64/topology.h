/* Where a CPU is in its machine, by the fields of its APIC ID (SDM 3A §9.9; APM 3, 8000001Eh and §E.5).  Pure: CPUID
 * is asked through a callback.  A hybrid machine's CPUs answer differently: each is asked for itself. */
#ifndef ARCH_X86_64_TOPOLOGY_H
#define ARCH_X86_64_TOPOLOGY_H

#include "kernel/lib/types.h"

struct cpuid;

/* How many of an APIC ID's low bits part those that share a thing; core <= cache <= package < 32. */
struct topology {
	u8 core, cache, package;
};

/* Two CPUs with an equal number share that thing.  All but the node are the least APIC ID that could be in it. */
struct cpu_place {
	u32 core;    /* hardware threads, of one core */
	u32 cache;   /* the last-level cache */
	u32 package;
	u32 node;    /* NUMA node, as memory's (struct boot_range) */
};

/* The two CPUs' distance: what they have in common. */
enum cpu_distance { SAME_CORE, SAME_CACHE, SAME_NODE /* and package */, FARTHER, CPU_DISTANCES };

/* Of a processor that answers so; where it tells nothing, each CPU is a package. */
void topology_read(struct cpuid (*leaf)(u32 leaf, u32 subleaf), struct topology *t);

struct cpu_place topology_place(const struct topology *t, u32 apic_id, u32 node);

static inline enum cpu_distance topology_distance(const struct cpu_place *a, const struct cpu_place *b)
{
	if (a->core == b->core)
		return SAME_CORE;
	if (a->cache == b->cache)
		return SAME_CACHE;
	return a->node == b->node && a->package == b->package ? SAME_NODE : FARTHER;
}

#endif
