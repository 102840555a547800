/* Which CPUs become a guest's alone.  The scheduler keeps others off by sched_dedicated; the vCPU's thread keeps to
 * its own by thread.own_cpu.  Taken by the monitor's calls, which come one after the other. */
#include "kernel/guest_cpus.h"

#include "kernel/frame.h"
#include "kernel/host_cpu.h"
#include "kernel/thread.h"
#include "kernel/vcpu.h"

static bool is_everybodys(u32 index)
{
	return !cpu_set_has(&sched_dedicated, index);
}

/* Has some pinned vCPU no other? */
static bool is_last_of_pins(u32 index)
{
	for (u32 id = 0; (id = guest_next(id));) {
		const struct guest *g = guest_find(id);

		for (u32 i = 0; i < g->vcpu_count; i++) {
			const struct vcpu *v = g->vcpus[i];
			u32 others = 0;

			if (!v->pinned || !cpu_set_has(&v->pins, index))
				continue;
			for (u32 k = 0; k < host_cpu_count; k++)
				others += k != index && is_everybodys(k) && cpu_set_has(&v->pins, k);
			if (!others)
				return true;
		}
	}
	return false;
}

static bool is_free_to_take(u32 index)
{
	return index && is_everybodys(index) && !is_last_of_pins(index);
}

static bool is_used(const struct guest *g, u32 index)
{
	for (u32 i = 0; i < g->vcpu_count; i++)
		if (g->vcpus[i]->own_cpu == index + 1)
			return true;
	return false;
}

/* May g's next vCPU have it?  Where a core runs one guest at a time it is taken with all of its threads. */
static bool is_for(const struct guest *g, u32 index)
{
	const struct host_cpu *cpu = host_cpus[index];

	if (cpu->dedicated == g->id)
		return !is_used(g, index);
	for (const struct host_cpu *s = cpu->sibling; cpu->core && s && s != cpu; s = s->sibling)
		if (!is_free_to_take(s->arch.index))
			return false;
	return is_free_to_take(index);
}

/* Near its memory before all; then a core that nobody else uses; then near the CPU that was taken before. */
static u32 cost(const struct guest *g, const struct host_cpu *cpu, const struct host_cpu *before)
{
	u32 sum = before ? topology_distance(&before->place, &cpu->place) : 0;

	for (const struct host_cpu *s = cpu->sibling; s && s != cpu; s = s->sibling)
		if (s->dedicated != g->id && !is_free_to_take(s->arch.index))
			sum += 8;
	return cpu->place.node % FRAME_NODES == g->node ? sum : sum + BIT(16);
}

static struct host_cpu *choose(const struct guest *g, const struct host_cpu *before)
{
	struct host_cpu *best = NULL;

	for (u32 i = 0; i < host_cpu_count; i++)
		if (is_for(g, i) && (!best || cost(g, host_cpus[i], before) < cost(g, best, before)))
			best = host_cpus[i];
	return best;
}

static void give(struct host_cpu *cpu, u32 guest)
{
	u64 *word = &sched_dedicated.word[cpu->arch.index / 64], bit = BIT(cpu->arch.index % 64);

	__atomic_store_n(&cpu->dedicated, guest, __ATOMIC_RELAXED);
	if (guest)
		__atomic_or_fetch(word, bit, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(word, ~bit, __ATOMIC_SEQ_CST);
	host_cpu_resched(cpu->arch.index); /* who is there and may not be goes after his step */
}

int guest_take_cpus(struct guest *g, struct admission *admission)
{
	struct host_cpu *before = NULL;

	for (u32 i = 0; g->params.dedicated && i < g->vcpu_count; i++) {
		struct host_cpu *cpu = choose(g, before);

		if (!cpu) {
			guest_release_cpus(g);
			admission->verdict = ADMIT_CPUS;
			admission->cpus = i;
			return ERR_NOMEM;
		}
		give(cpu, g->id);
		for (struct host_cpu *s = cpu->sibling; cpu->core && s && s != cpu; s = s->sibling)
			give(s, g->id);
		g->vcpus[i]->own_cpu = cpu->arch.index + 1;
		before = cpu;
	}
	return 0;
}

void guest_release_cpus(struct guest *g)
{
	for (u32 i = 0; i < host_cpu_count; i++)
		if (host_cpus[i]->dedicated == g->id)
			give(host_cpus[i], 0);
	for (u32 i = 0; i < g->vcpu_count; i++)
		g->vcpus[i]->own_cpu = 0;
}

bool guest_vcpu_may_use(const struct vcpu *v, u32 index)
{
	if (v->own_cpu)
		return index == v->own_cpu - 1;
	return is_everybodys(index) && (!v->pinned || cpu_set_has(&v->pins, index));
}
