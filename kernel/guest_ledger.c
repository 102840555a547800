/* A guest's terms in the ledger: what its parameters mean in frames, at its start and when an operator changes
 * them.  What its machine process may take after the start is counted here and nowhere else. */
#include "kernel/frame.h"
#include "kernel/gmem_uniform.h"
#include "kernel/guest.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

#define MACHINE_HEAP (128 * KIB) /* of a machine process, and for each vCPU: */
#define MACHINE_HEAP_VCPU (32 * KIB)
#define OWN_TABLES 4   /* page tables for its heap */
#define LIMIT_ROOM 16  /* this part of memory-max is made free when a guest had all of it: */
#define LIMIT_MOST (4 * MIB) /* ... at most: it waits meanwhile */
#define UNPACKING 1    /* a compressed page has its frame again before its compressed bytes go */
#define WRITE_BUFFER 8 /* frames that its writes may draw before a vCPU waits for memory, and for each vCPU: */
#define WRITE_VCPU 8

/* What a start takes of the host's reserve before its guest is in the ledger.  Each vCPU: its struct; its page, VMCB
 * or VMCS and what belongs to that, APIC page, vector registers.  Besides, the machine process: data, stack, tables. */
#define VCPU_FRAMES (4 + 5)
#define MACHINE_FRAMES 64

_Static_assert(sizeof(struct vcpu) <= 4 * PAGE_SIZE, "VCPU_FRAMES");

bool guest_may_build(u32 vcpus, struct admission *admission)
{
	u64 frames = MACHINE_FRAMES + (u64)vcpus * VCPU_FRAMES;
	struct ledger_info i;

	ledger_info(&i);
	*admission = (struct admission){ .verdict = ADMIT_BUILD, .needs = frames * PAGE_SIZE,
					 .free = frame_count(FRAME_FREE) * PAGE_SIZE,
					 .reserve = i.reserve + i.machines, .promised = i.promised };
	return ledger_host_may_take(frames);
}

u64 guest_heap_max(const struct guest *g)
{
	return MACHINE_HEAP + g->vcpu_count * MACHINE_HEAP_VCPU;
}

static struct ledger_terms terms_of(const struct guest *g, const struct guest_params *p)
{
	u64 most = p->memory_max ? MIN(p->memory_max, p->memory) : p->memory;

	return (struct ledger_terms){
		.full = (most >> PAGE_SHIFT) + gmem_tables_max(p->memory) + UNPACKING + (p->uniform ? UNIFORM_EXTRA : 0),
		.room = most < p->memory && !p->uniform ? MIN(most / LIMIT_ROOM, LIMIT_MOST) >> PAGE_SHIFT : 0,
		.min = p->memory_min >> PAGE_SHIFT,
		.shares = p->memory_shares,
		.own = ((guest_heap_max(g) + GUEST_STATE_MAX) >> PAGE_SHIFT) + OWN_TABLES,
		.buffer = WRITE_BUFFER + g->vcpu_count * WRITE_VCPU,
	};
}

int guest_admit(struct guest *g, struct admission *admission)
{
	const struct ledger_terms terms = terms_of(g, &g->params);

	return ledger_admit(&g->account, g->id, &terms, guest_saved_frames(g), admission);
}

bool guest_memory_valid(const struct guest_params *p)
{
	u64 most = p->memory_max ? MIN(p->memory_max, p->memory) : p->memory;

	return p->memory_shares && p->memory_shares <= MEMORY_SHARES_MAX && p->memory_min <= most &&
	       (!p->memory_max || p->memory_max >= MEMORY_LEAST);
}

int guest_tune(struct guest *g, const struct guest_tune *tune, struct admission *admission)
{
	struct guest_params params;
	struct ledger_terms terms;
	u64 saved = guest_saved_frames(g); /* the list's lock goes before a guest's */
	int error = ERR_STATE;

	spin_lock(&g->lock);
	params = g->params;
	params.memory_min = tune->min;
	params.memory_max = tune->max;
	params.memory_shares = tune->shares;
	if (!guest_memory_valid(&params)) {
		error = ERR_INVAL;
	} else if (guest_is_alive(g)) {
		terms = terms_of(g, &params);
		error = ledger_tune(&g->account, &terms, saved, admission);
	}
	if (!error) {
		g->params = params;
		if (g->process)
			process_raise(g->process, EVENT_MEMORY); /* memory-max is a target, too */
	}
	spin_unlock(&g->lock);
	if (!error)
		pressure_look();
	return error;
}
