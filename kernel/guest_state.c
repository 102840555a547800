/* The life of a guest: the state machine that guest.h draws. */
#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/compress.h"
#include "kernel/guest.h"
#include "kernel/guest_cpus.h"
#include "kernel/guest_node.h"
#include "kernel/guest_sched.h"
#include "kernel/heap.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/merge.h"
#include "kernel/monitor.h"
#include "kernel/process.h"
#include "kernel/program.h"
#include "kernel/vcpu.h"

void guest_kick(struct guest *g, u32 requests)
{
	for (u32 i = 0; i < g->vcpu_count; i++)
		vcpu_request(g->vcpus[i], requests);
}

static void free_vcpus(struct guest *g)
{
	guest_cap_end(g);
	guest_release_cpus(g);
	for (u32 i = 0; g->vcpus && i < g->vcpu_count; i++)
		vcpu_put(g->vcpus[i]);
	heap_free(g->vcpus, VCPU_MAX * sizeof(g->vcpus[0]));
	g->vcpus = NULL;
	g->vcpu_count = 0;
	g->present = 0;
}

static int make_vcpus(struct guest *g, u32 count)
{
	g->vcpus = heap_alloc(VCPU_MAX * sizeof(g->vcpus[0]));
	if (!g->vcpus)
		return ERR_NOMEM;
	for (u32 i = 0; i < count; i++) {
		g->vcpus[i] = vcpu_create(g, i);
		if (!g->vcpus[i])
			return ERR_NOMEM;
		g->vcpu_count++;
	}
	g->present = 1;
	return 0;
}

static struct process *make_process(struct guest *g)
{
	struct process *p = process_create(PROCESS_MACHINE, g, program_machine);

	if (p)
		p->heap_max = guest_heap_max(g);
	for (u32 i = 0; p && i < g->vcpu_count; i++)
		if (process_map_frame(p, PROCESS_VCPU_PAGES + i * PAGE_SIZE, pointer_hpa(g->vcpus[i]->page), true)) {
			process_abandon(p);
			return NULL;
		}
	return p;
}

static void unbuild(struct guest *g)
{
	free_vcpus(g);
	while (!gmem_fini_step(&g->gmem))
		;
}

static u32 vcpus_possible(const struct guest_params *p)
{
	return MAX(p->vcpu_count, p->vcpu_max);
}

/* What a start must build, all or nothing. */
static int build(struct guest *g, const struct guest_params *params, struct process **process)
{
	int error = gmem_init(&g->gmem, virt->stage2, params->memory, &g->account, g->node, vcpu_shootdown);

	if (!error)
		error = make_vcpus(g, vcpus_possible(params));
	if (!error) {
		*process = make_process(g);
		error = *process ? 0 : ERR_NOMEM;
	}
	if (error)
		unbuild(g);
	return error;
}

static bool params_valid(const struct guest_params *p)
{
	return p->memory >= MIB && !(p->memory & ~PAGE_MASK) && p->memory < GMEM_TOP / 2 && p->vcpu_count &&
	       p->vcpu_count <= VCPU_MAX && p->vcpu_max <= VCPU_MAX && p->weight >= WEIGHT_MIN && p->weight <= WEIGHT_MAX &&
	       p->cap <= CAP_MAX && p->hyperv <= HYPERV_ONLY && guest_memory_valid(p);
}

/* The console keeps what earlier runs wrote; a line parts them. */
static void mark_run(struct guest *g)
{
	char line[64];
	int len = fmt_print(line, sizeof(line), "\r\n*** run %u ***\r\n", g->starts);

	if (g->output.head)
		ring_record(&g->output, (const u8 *)line, (u64)len);
}

/* Into its share group; only another mode than the group's is an error. */
static int join(struct guest *g)
{
	char *group = g->params.share_group;
	int error;

	group[NAME_MAX - 1] = 0;
	error = group[0] ? merge_join(&g->gmem, group, g->params.uniform) : 0;
	if (error == ERR_NOMEM)
		log_limited(&g->log_limit, LOG_WARN, "guest %u %s: no room for it among those that merge", g->id, g->name);
	return error == ERR_NOMEM ? 0 : error;
}

int guest_start(struct guest *g, const struct guest_params *params, struct admission *admission)
{
	struct process *p = NULL;
	int error;

	if (!params_valid(params))
		return ERR_INVAL;
	if (g->state != GUEST_OFF || g->process)
		return ERR_STATE;
	if (!guest_may_build(vcpus_possible(params), admission))
		return ERR_NOMEM;
	g->params = *params;
	g->hold = g->parked = 0;
	g->start_clock = clock_ns();
	g->tsc_offset = -rdtsc();
	g->hyperv = (struct hyperv_guest){ .mode = params->hyperv, .tsc_offset = g->tsc_offset };
	g->first_insn_clock = g->first_output_clock = 0;
	g->ended_cycles = 0;
	memset(&g->stats, 0, sizeof(g->stats));
	memset(&g->working_set, 0, sizeof(g->working_set));
	memset(&g->account, 0, sizeof(g->account));
	g->node = guest_node(params->memory / PAGE_SIZE, vcpus_possible(params));
	error = build(g, params, &p);
	if (error)
		return error;
	error = guest_take_cpus(g, admission);
	if (!error)
		error = guest_admit(g, admission);
	if (!error)
		error = join(g);
	if (error) {
		process_abandon(p);
		unbuild(g);
		ledger_remove(&g->account);
		return error;
	}
	spin_lock(&g->lock);
	g->state = GUEST_RUNNING;
	g->stop_reason = STOP_NONE;
	g->stop_text[0] = 0;
	g->starts++;
	g->process = p;
	spin_unlock(&g->lock);
	mark_run(g);
	log_limited(&g->log_limit, LOG_INFO, "guest %u %s: started", g->id, g->name);
	guest_cap(g, params->cap);
	process_start(p);
	return 0;
}

void guest_stop(struct guest *g, enum stop_reason reason, const char *format, ...)
{
	va_list args;
	bool stopped;

	spin_lock(&g->lock);
	stopped = guest_is_alive(g);
	if (stopped) {
		g->state = GUEST_STOPPED;
		g->stop_reason = reason;
		va_start(args, format);
		fmt_vprint(g->stop_text, sizeof(g->stop_text), format, args);
		va_end(args);
		__atomic_or_fetch(&g->hold, HOLD_STOP, __ATOMIC_SEQ_CST);
		if (g->process)
			process_kill(g->process, "the run ended");
		ledger_freeze(&g->account);
		guest_kick(g, REQUEST_KICK); /* still locked: once STOPPED is seen the vCPUs may be taken apart */
	}
	spin_unlock(&g->lock);
	if (!stopped)
		return;
	log_limited(&g->log_limit, LOG_INFO, "guest %u %s: %s", g->id, g->name, g->stop_text);
	monitor_raise(EVENT_GUEST);
}

/* RUNNING to PAUSED or back. */
static int set_paused(struct guest *g, bool paused)
{
	u32 from = paused ? GUEST_RUNNING : GUEST_PAUSED;
	bool ok;

	spin_lock(&g->lock);
	ok = g->state == from;
	if (ok) {
		g->state = paused ? GUEST_PAUSED : GUEST_RUNNING;
		if (paused)
			__atomic_or_fetch(&g->hold, HOLD_PAUSE, __ATOMIC_SEQ_CST);
		else
			__atomic_and_fetch(&g->hold, ~(u32)HOLD_PAUSE, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&g->lock);
	if (!ok)
		return ERR_STATE;
	guest_kick(g, paused ? REQUEST_KICK : REQUEST_RESUMED);
	monitor_raise(EVENT_GUEST);
	return 0;
}

int guest_pause(struct guest *g)
{
	return set_paused(g, true);
}

int guest_resume(struct guest *g)
{
	return set_paused(g, false);
}

int guest_raise(struct guest *g, u32 events)
{
	int error = ERR_STATE;

	spin_lock(&g->lock);
	if (g->process && g->state == GUEST_RUNNING) {
		process_raise(g->process, events);
		error = 0;
	}
	spin_unlock(&g->lock);
	return error;
}

/* All vCPUs wait at the kernel's door: the devices are at rest.  g locked. */
static void ask_for_save(struct guest *g)
{
	u32 parked = __atomic_load_n(&g->parked, __ATOMIC_SEQ_CST);

	if (!(g->hold & HOLD_SAVE) || g->save_asked || parked != g->vcpu_count || !g->process)
		return;
	g->save_asked = true; /* once: what is raised later is the next process's */
	process_raise(g->process, EVENT_SAVE);
}

int guest_replace(struct guest *g)
{
	bool ok;

	spin_lock(&g->lock);
	ok = g->state == GUEST_RUNNING && !g->replacing;
	if (ok && !g->saved)
		g->saved = heap_alloc(GUEST_STATE_MAX);
	ok = ok && g->saved;
	if (ok) {
		g->replacing = true;
		g->save_asked = false;
		__atomic_or_fetch(&g->hold, HOLD_SAVE, __ATOMIC_SEQ_CST);
		ask_for_save(g); /* they may all wait already */
	}
	spin_unlock(&g->lock);
	if (!ok)
		return ERR_STATE;
	guest_kick(g, REQUEST_KICK);
	return 0;
}

void guest_parked(struct guest *g)
{
	__atomic_add_fetch(&g->parked, 1, __ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&g->hold, __ATOMIC_SEQ_CST) & HOLD_SAVE))
		return;
	spin_lock(&g->lock);
	ask_for_save(g);
	spin_unlock(&g->lock);
}

/* The old process has left its state in g->saved: the next one takes over, with the events that the old one
 * did not see.  g->process is the old one until then, so that nobody takes the guest apart meanwhile. */
static bool follow(struct guest *g, struct process *old)
{
	struct process *p;
	bool goes_on;

	ledger_own_taken(&g->account, -(s64)process_frames(old)); /* they are free, and kept for the next */
	p = make_process(g);
	if (p)
		ledger_own_taken(&g->account, (s64)process_frames(p));
	spin_lock(&g->lock);
	goes_on = p && guest_is_alive(g);
	if (goes_on) {
		g->process = p;
		g->replacing = false;
		process_raise(p, old->events);
		__atomic_and_fetch(&g->hold, ~(u32)HOLD_SAVE, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&g->lock);
	if (goes_on) {
		log_info("guest %u %s: its machine process was replaced", g->id, g->name);
		process_start(p);
	} else if (p) {
		process_abandon(p);
	} else {
		guest_stop(g, STOP_CRASH, "no memory for its new machine process");
	}
	return goes_on;
}

static struct thread *reaper;

void guest_process_gone(struct guest *g, struct process *p)
{
	bool replaced;

	spin_lock(&g->lock);
	replaced = g->replacing && g->saved_len && guest_is_alive(g);
	spin_unlock(&g->lock);
	if (!replaced || !follow(g, p)) {
		guest_stop(g, STOP_CRASH, "machine process: %s", p->end_text[0] ? p->end_text : "it ended");
		spin_lock(&g->lock);
		g->process = NULL; /* the last that is done to g: now it can be taken apart */
		spin_unlock(&g->lock);
	}
	thread_wake(reaper);
	monitor_raise(EVENT_GUEST);
}

int guest_destroy(struct guest *g)
{
	bool ok;

	guest_stop(g, STOP_DESTROYED, "destroyed");
	spin_lock(&g->lock);
	ok = g->state == GUEST_STOPPED;
	if (ok)
		g->state = GUEST_DYING;
	spin_unlock(&g->lock);
	thread_wake(reaper);
	return ok ? 0 : ERR_STATE;
}

/* One bounded piece of taking g apart. */
static void reap_step(struct guest *g)
{
	if (!merge_leave(&g->gmem) || !compress_leave(&g->gmem) || !gmem_fini_step(&g->gmem))
		return;
	free_vcpus(g);
	ledger_remove(&g->account);
	pressure_look();
	heap_free(g->saved, GUEST_STATE_MAX);
	g->saved = NULL;
	g->saved_len = 0;
	g->replacing = false;
	spin_lock(&g->lock);
	g->state = GUEST_OFF;
	spin_unlock(&g->lock);
	monitor_raise(EVENT_GUEST);
}

enum step guest_reap(struct thread *t)
{
	struct guest *g = guest_dying();

	if (!g)
		return STEP_BLOCK;
	reap_step(g);
	cpu_interrupt_window();
	return STEP_AGAIN;
}

int guest_start_reaper(void)
{
	reaper = thread_create(NULL, guest_reap, WEIGHT_DEFAULT);
	if (!reaper)
		return ERR_NOMEM;
	thread_start(reaper);
	return 0;
}
