/* A guest's and its vCPUs' figures.  They are read without stopping anybody: each is right, together they are
 * of about the same moment. */
#include "kernel/clock.h"
#include "kernel/guest.h"
#include "kernel/guest_cpus.h"
#include "kernel/guest_sched.h"
#include "kernel/lib/string.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

u64 guest_overhead(struct guest *g)
{
	u64 bytes = sizeof(*g) + DEFINITION_MAX + g->output.size + g->input.size + g->gmem.tables * PAGE_SIZE;

	spin_lock(&g->lock);
	if (g->process)
		bytes += (g->process->frames + g->process->tables + 1) * PAGE_SIZE + sizeof(struct process) +
			g->process->thread_count * sizeof(struct thread);
	spin_unlock(&g->lock);
	/* a vCPU: its struct, its page, its VMCB or VMCS and its vector registers */
	return bytes + g->vcpu_count * (ALIGN_UP(sizeof(struct vcpu), PAGE_SIZE) + 3 * PAGE_SIZE);
}

struct saved {
	const struct guest *but;
	u64 frames;
};

static void add_saved(struct guest *g, void *argument)
{
	struct saved *s = argument;

	if (g != s->but)
		s->frames += g->gmem.shared_pages - MIN(g->gmem.zero_pages, g->gmem.shared_pages);
}

u64 guest_saved_frames(const struct guest *but)
{
	struct saved s = { but, 0 };

	guest_each(add_saved, &s);
	return s.frames;
}

/* By the monitor, which alone lets a guest die: what is not dying keeps its vCPUs while its call lasts. */
void guest_info(struct guest *g, struct guest_info *info)
{
	bool is_there;

	memset(info, 0, sizeof(*info));
	spin_lock(&g->lock);
	info->id = g->id;
	str_copy(info->name, sizeof(info->name), g->name);
	info->state = g->state;
	info->stop_reason = g->stop_reason;
	str_copy(info->stop_text, sizeof(info->stop_text), g->stop_text);
	info->starts = g->starts;
	info->starved = g->state == GUEST_RUNNING && g->hold & HOLD_MEMORY;
	info->weight = g->params.weight;
	info->cap = g->params.cap;
	info->dedicated = g->params.dedicated;
	info->node = g->node;
	info->memory = g->params.memory;
	info->memory_min = g->params.memory_min;
	info->memory_max = g->params.memory_max;
	info->memory_shares = g->params.memory_shares;
	info->vcpus_wanted = g->vcpu_wish;
	spin_unlock(&g->lock);
	is_there = info->state != GUEST_OFF && info->state != GUEST_DYING;
	info->vcpu_count = g->vcpu_count;
	for (u32 i = 0; is_there && i < g->vcpu_count; i++)
		info->vcpus_present += guest_vcpu(g, i) != NULL;
	if (is_there)
		info->vcpus_wanted = guest_vcpu_target(g);
	info->memory_used = (g->gmem.private_pages + g->gmem.store.frames) * PAGE_SIZE;
	info->memory_shared = g->gmem.shared_pages * PAGE_SIZE;
	info->memory_large = g->gmem.large_leaves * table_span(1);
	info->overhead = guest_overhead(g);
	info->stage2 = g->gmem.root.v;
	info->run_ns = clock_duration_ns(is_there ? guest_run_cycles(g) : g->ended_cycles);
	info->start_clock = g->start_clock;
	info->first_insn_clock = g->first_insn_clock;
	info->first_output_clock = g->first_output_clock;
	info->output_end = g->output.head;
}

static u32 run_state(const struct vcpu *v, const struct thread *t)
{
	if (!guest_vcpu(v->guest, v->index))
		return VCPU_ABSENT;
	if (v->activity == ACTIVITY_WAIT_SIPI)
		return VCPU_WAIT_SIPI;
	if (!t)
		return VCPU_WAITING;
	if (t->state == THREAD_RUNNING || t->state == THREAD_WOKEN)
		return VCPU_RUNNING;
	if (t->state == THREAD_READY)
		return VCPU_READY;
	return v->activity == ACTIVITY_HALT && !v->parked ? VCPU_HALTED : VCPU_WAITING;
}

void vcpu_info(struct vcpu *v, struct vcpu_info *info)
{
	const struct thread *t = v->thread;

	memset(info, 0, sizeof(*info));
	info->run_state = run_state(v, t);
	info->cpu = v->cpu;
	info->apic_id = v->index;
	info->guest_ns = clock_duration_ns(v->guest_cycles);
	info->guest_cycles = v->guest_cycles;
	info->directed = v->directed;
	info->pv_eois = v->pv_eois;
	info->pv_flushes = v->pv_flushes;
	memcpy(info->exits, v->exits, sizeof(info->exits));
	for (u32 r = 0; r < REASON_COUNT; r++)
		info->exit_cycles += info->exits[r].cycles;
	info->capped_ns = clock_duration_ns(v->capped_cycles);
	info->halted_ns = clock_duration_ns(v->halted_cycles);
	memcpy(info->latency, v->latency, sizeof(info->latency));
	for (u32 i = 0; i < host_cpu_count; i++)
		if (guest_vcpu_may_use(v, i))
			info->pins.word[i / 64] |= BIT(i % 64);
	if (!t)
		return;
	info->run_ns = clock_duration_ns(t->sched.run_cycles);
	info->ready_ns = clock_duration_ns(t->sched.ready_cycles);
	info->wakeups = t->wakeups;
	info->migrations = t->migrations;
}
