/* Which node a guest is at home in, decided once, when it starts: memory is not moved later. */
#include "kernel/guest_node.h"

#include "kernel/guest.h"
#include "kernel/host_cpu.h"

/* Is a better than b? */
static bool is_better(const struct node_state *a, const struct node_state *b, u64 frames, u32 vcpus)
{
	bool fits = a->free >= frames, other_fits = b->free >= frames;
	u64 load = (u64)(a->vcpus + vcpus) * b->cpus, other_load = (u64)(b->vcpus + vcpus) * a->cpus;

	if (!b->cpus || !a->cpus)
		return a->cpus;
	if (fits != other_fits)
		return fits;
	if (fits && load != other_load)
		return load < other_load;
	return a->free > b->free;
}

u32 guest_node_choose(const struct node_state nodes[FRAME_NODES], u64 frames, u32 vcpus)
{
	u32 best = 0;

	for (u32 n = 1; n < FRAME_NODES; n++)
		if (is_better(&nodes[n], &nodes[best], frames, vcpus))
			best = n;
	return best;
}

u32 guest_node(u64 frames, u32 vcpus)
{
	struct node_state nodes[FRAME_NODES] = { 0 };

	for (u32 i = 0; i < host_cpu_count; i++)
		nodes[host_cpus[i]->place.node % FRAME_NODES].cpus += !host_cpus[i]->dedicated;
	for (u32 n = 0; n < FRAME_NODES; n++)
		nodes[n].free = frame_free_near(n);
	for (u32 id = 0; (id = guest_next(id));) {
		const struct guest *g = guest_find(id);

		nodes[g->node].vcpus += g->vcpu_count;
	}
	return guest_node_choose(nodes, frames, vcpus);
}
