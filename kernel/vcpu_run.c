/* The way into a guest and out of it: what must be true before an entry, the entry itself, and the figures.
 * What an exit means is vcpu_exit.c's. */
#include "kernel/vcpu_run.h"

#include "arch/x86_64/barrier.h"
#include "kernel/clock.h"
#include "kernel/guest.h"
#include "kernel/kvmclock.h"
#include "kernel/pv_eoi.h"
#include "kernel/spin.h"
#include "kernel/steal.h"
#include "kernel/trace.h"
#include "kernel/vcpu_exit.h"

#define OPCODE_HLT 0xf4
#define SOON_NS 20000 /* long enough for an instruction, short for a delay of an interrupt */
#define ENTER ((enum step)-1) /* prepare's answer: nothing hinders the entry */

/* Its first time on a processor.  The way to its first entry is no exit's cost. */
static void begin(struct vcpu *v)
{
	v->exited_at = rdtsc();
	v->last = &v->exits[REASON_COUNT];
	if (!v->guest->first_insn_clock)
		v->guest->first_insn_clock = clock_ns();
}

static void vcpu_load(struct host_cpu *cpu, struct vcpu *v)
{
	if (!v->exited_at)
		begin(v);
	if (cpu->loaded)
		virt->leave(cpu->loaded->hw);
	virt->load(v->hw, v->guest->gmem.root, v->msrs.tsc_aux);
	if (cpu->guest != v->guest->id)
		barrier_pass();
	cpu->guest = v->guest->id;
	cpu->loaded = v;
	v->cpu = cpu->arch.index;
}

void vcpu_off_cpu(struct host_cpu *cpu, struct thread *t, bool ready)
{
	if (cpu->loaded)
		virt->leave(cpu->loaded->hw);
	cpu->loaded = NULL;
	if (!t->vcpu)
		return;
	t->vcpu->left_at = rdtsc();
	t->vcpu->ready_before = t->sched.ready_cycles;
	if (ready)
		steal_preempted(t->vcpu);
}

static u32 bucket_of(u64 cycles)
{
	return MIN(63 - (u32)__builtin_clzll(cycles | 1), VCPU_BUCKETS - 1);
}

void vcpu_on_cpu(struct thread *t)
{
	struct vcpu *v = t->vcpu;
	u64 away, ready, asleep;

	if (!v)
		return;
	away = rdtsc() - v->left_at;
	ready = t->sched.ready_cycles - v->ready_before;
	asleep = away - MIN(away, ready);
	v->stolen_cycles += ready + (v->capped ? asleep : 0);
	if (v->capped)
		v->capped_cycles += asleep;
	else if (v->activity == ACTIVITY_HALT)
		v->halted_cycles += asleep;
	if (t->sched.woken)
		v->latency[bucket_of(t->sched.waited)]++;
	if (v->exited_at)
		v->exited_at += away;
	if (v->msrs.kvm_steal && (v->steal_marked || v->stolen_cycles != v->steal_told))
		__atomic_or_fetch(&v->requests, REQUEST_STEAL, __ATOMIC_RELAXED);
	spin_gather(v);
}

static void unpark(struct vcpu *v)
{
	v->parked = v->capped = false;
	__atomic_sub_fetch(&v->guest->parked, 1, __ATOMIC_SEQ_CST);
}

void vcpu_detach(struct thread *t)
{
	struct vcpu *v = t->vcpu;

	if (!v)
		return;
	if (v->parked)
		unpark(v);
	__atomic_store_n(&v->thread, NULL, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&v->guest->ended_cycles, t->sched.run_cycles, __ATOMIC_RELAXED);
	t->vcpu = NULL;
	t->pins = NULL;
	t->own_cpu = 0;
}

enum step vcpu_return(struct thread *t, s64 result)
{
	t->regs.rax = (u64)result;
	t->step = user_step;
	return VCPU_RING3;
}

static void show(struct vcpu *v)
{
	struct vcpu_state s;

	virt->get(v->hw, &s, VIRT_ALL); /* here, where it is loaded: others get the same from now on */
	__atomic_add_fetch(&v->shown, 1, __ATOMIC_RELEASE);
}

static void take_requests(struct vcpu *v)
{
	u32 requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_SEQ_CST);

	if (requests & REQUEST_UNPLUG)
		vcpu_power_on(v);
	if (requests & REQUEST_INIT)
		vcpu_init_reset(v);
	if (requests & REQUEST_SIPI)
		vcpu_startup(v, (u8)__atomic_load_n(&v->sipi_vector, __ATOMIC_RELAXED));
	if (requests & REQUEST_NMI)
		v->nmi_pending = true;
	if (requests & REQUEST_TIMER)
		lapic_timer(v);
	if (requests & REQUEST_SYNTHETIC)
		hyperv_timers(v);
	if (requests & REQUEST_RESUMED)
		kvmclock_resumed(v);
	if (requests & REQUEST_SHOW)
		show(v);
	if (requests & REQUEST_STEAL)
		v->steal_due = true;
	if (requests & REQUEST_FLUSH)
		vcpu_flush(v);
	if (requests & REQUEST_UNHALT)
		v->unhalted = true;
}

/* Who saw in_guest set only kicked, and the kick is spent: its request must be seen now.  The fence keeps the
 * processor from looking at requests before in_guest is seen cleared. */
static enum step may_block(struct vcpu *v)
{
	mfence();
	return v->requests ? STEP_AGAIN : STEP_BLOCK;
}

/* Waits at the kernel's door while the guest is held. */
static enum step park(struct vcpu *v)
{
	if (!v->parked) {
		v->parked = true;
		guest_parked(v->guest);
	}
	v->capped = v->guest->hold == HOLD_CAP;
	return may_block(v);
}

/* A fault that ring 3's emulation found. */
static void take_fault(struct vcpu *v)
{
	struct vcpu_page *page = v->page;

	page->inject.valid = 0;
	if (page->inject.vector == 14)
		virt->set_cr2(v->hw, page->inject.cr2);
	vcpu_inject_fault(v, page->inject.vector & 31, page->inject.has_error != 0, page->inject.error);
}

static void take_intack(struct vcpu *v)
{
	s32 vector = v->page->intack;

	v->awaiting_intack = false;
	if (vector >= 0 && vector < 256)
		v->event = (struct virt_event){ .valid = true, .type = INJECT_EXTERNAL, .vector = (u8)vector };
}

static bool pic_waits(struct vcpu *v)
{
	return v->extint && lapic_wants_extint(v);
}

/* Does anything end HLT?  (An interrupt does so only with IF set: APM 3, HLT.) */
static bool wakes_halt(struct vcpu *v)
{
	if (v->nmi_pending || v->event.valid || v->unhalted)
		return true;
	if (!(v->page->rflags & RFLAGS_IF))
		return false;
	return lapic_pending(v) >= 0 || pic_waits(v);
}

/* The guest is left soon, since nothing will tell when what waits can be delivered. */
static void leave_soon(struct host_cpu *cpu)
{
	u64 end = rdtsc() + clock_cycles(SOON_NS);

	if (end >= cpu->slice_end)
		return;
	cpu->slice_end = end;
	spin_lock(&cpu->timer_lock);
	timer_program(cpu);
	spin_unlock(&cpu->timer_lock);
}

/* STI's shadow exists for STI; HLT: an interrupt between the two is a wake-up that is lost.  QEMU 7.2 forgets
 * the shadow at VMRUN, so that HLT is completed here (CPL 0: others' fault). */
static void halt_in_shadow(struct vcpu *v)
{
	struct virt_code code;
	u8 bytes[16];

	if (v->event.valid || !vcpu_fetch(v, &code, bytes) || code.cpl || bytes[0] != OPCODE_HLT)
		return;
	v->activity = ACTIVITY_HALT;
	vcpu_advance(v, 1);
}

static void inject(struct vcpu *v, const struct virt_event *e)
{
	u64 now = trace_on ? rdtsc() : 0;

	trace(TRACE_INJECT, e->vector, v->guest->id, v->index, now, now);
	virt->inject(v->hw, e);
}

/* Chooses what the next entry delivers; EXIT_INTACK needs ring 3 first. */
static enum step deliver(struct thread *t, struct vcpu *v)
{
	bool nmi_waits = false;
	enum virt_window interrupt_waits = WINDOW_NONE;
	int vector;

	if (v->lapic.eoi_offered && v->lapic.hw.irr_words | v->lapic.hw.posted_any)
		pv_eoi_withdraw(v);
	if (v->event.valid) {
		inject(v, &v->event);
		v->event.valid = false;
		if (lapic_to_inject(v) >= 0 || v->nmi_pending || pic_waits(v))
			leave_soon(host_cpu());
		return ENTER;
	}
	vector = lapic_to_inject(v);
	if (v->nmi_pending) {
		if (virt->can_nmi(v->hw, v->page)) {
			inject(v, &(struct virt_event){ .valid = true, .type = INJECT_NMI, .vector = 2 });
			v->nmi_pending = false;
			if (vector >= 0 || pic_waits(v))
				leave_soon(host_cpu());
			return ENTER;
		}
		nmi_waits = true;
	}
	if (vector >= 0) {
		if (virt->can_interrupt(v->hw, v->page)) {
			lapic_accept(v, (u8)vector);
			hyperv_accepted(v, &v->hyperv, (u8)vector);
			inject(v, &(struct virt_event){ .valid = true, .type = INJECT_EXTERNAL,
							.vector = (u8)vector });
			pv_eoi_offer(v);
			vector = lapic_to_inject(v); /* one more behind it wants a window */
		}
		interrupt_waits = vector >= 0 ? WINDOW_ANY : WINDOW_NONE;
	} else if (pic_waits(v)) {
		if (virt->can_interrupt(v->hw, v->page)) {
			v->page->exit.kind = EXIT_INTACK;
			v->page->intack = -1;
			v->awaiting_intack = true;
			return vcpu_return(t, 0);
		}
		interrupt_waits = WINDOW_ANY;
	} else if (v->lapic.hw.irr_words && lapic_masked_class(v)) {
		interrupt_waits = WINDOW_CR8;
	}
	if (virt->window(v->hw, v->page, interrupt_waits, nmi_waits))
		leave_soon(host_cpu());
	return ENTER;
}

/* Is there anything to look at before an entry?  (A hold comes with a request.) */
static inline bool anything_waits(const struct vcpu *v)
{
	return v->asked | v->due | v->lapic.hw.arrived | v->event.valid | v->guest->account.drawn;
}

static enum step prepare(struct thread *t, struct vcpu *v)
{
	if (v->requests)
		take_requests(v);
	if (__atomic_load_n(&v->guest->hold, __ATOMIC_SEQ_CST))
		return park(v);
	if (v->guest->account.drawn && ledger_refill(&v->guest->account)) {
		guest_wait_memory(v->guest);
		return STEP_AGAIN;
	}
	if (v->parked)
		unpark(v);
	if (v->steal_due && steal_update(v)) {
		guest_wait_memory(v->guest);
		return STEP_AGAIN;
	}
	if (v->page->rflags & RFLAGS_IF && virt->shadow(v->hw, v->page))
		halt_in_shadow(v);
	if (v->activity != ACTIVITY_RUN) {
		if (v->activity == ACTIVITY_WAIT_SIPI || !wakes_halt(v))
			return may_block(v);
		v->activity = ACTIVITY_RUN;
		v->unhalted = false;
	}
	return deliver(t, v);
}

/* The last exit's cost is known when the guest is entered again. */
static void count_entry(struct vcpu *v, u64 now)
{
	u64 cycles = now - v->exited_at;
	struct exit_counter *last = v->last;

	v->entered_at = now;
	trace(TRACE_EXIT, (u8)(last - v->exits), v->guest->id, v->index, v->exited_at, now);
	last->cycles += cycles;
	last->histogram[bucket_of(cycles)]++;
}

static void count_exit(struct vcpu *v, enum vcpu_reason reason)
{
	u64 now = rdtsc();

	v->exited_at = now;
	v->guest_cycles += now - v->entered_at;
	v->last = &v->exits[reason];
	v->last->count++;
}

static void take_interrupted(struct vcpu *v, struct virt_exit *exit)
{
	v->event = exit->interrupted;
	exit->interrupted.valid = false;
}

/* One entry and its exit.  in_guest is published before requests and generation are read: whoever changes
 * them afterwards sees it and kicks. */
static enum step enter(struct thread *t, struct vcpu *v)
{
	struct gmem *m = &v->guest->gmem;
	struct virt_exit *exit = &v->exit;
	u64 generation;
	int error;

	__atomic_store_n(&v->in_guest, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST)) {
		v->in_guest = 0;
		return virt->cancel(v->hw, &v->event), STEP_AGAIN;
	}
	generation = __atomic_load_n(&m->generation, __ATOMIC_SEQ_CST);
	if (generation != v->generation) {
		__atomic_store_n(&v->generation, generation, __ATOMIC_SEQ_CST);
		virt->flush(v->hw);
	}
	count_entry(v, rdtsc());
	error = virt->run(v->hw, v->page, exit);
	__atomic_store_n(&v->in_guest, 0, __ATOMIC_RELEASE);
	if (exit->cr8 != lapic_class(&v->lapic))
		lapic_set_tpr(v, (u32)exit->cr8 << 4);
	count_exit(v, exit->reason);
	if (exit->interrupted.valid)
		take_interrupted(v, exit);
	if (v->lapic.eoi_offered)
		pv_eoi_settle(v);
	return error ? vcpu_exit_refused(v, exit, exit->refusal) : vcpu_exits[exit->reason](t, v, exit);
}

enum step vcpu_step(struct thread *t)
{
	struct vcpu *v = t->vcpu;
	struct host_cpu *cpu = host_cpu();
	enum step s;
	bool look;

	if (t->process->dying)
		return STEP_EXIT;
	if (cpu->loaded != v)
		vcpu_load(cpu, v);
	t->silent_since = t->sched.run_cycles;
	if (v->page->inject.valid)
		take_fault(v);
	if (v->awaiting_intack)
		take_intack(v);
	look = v->parked || v->guest->hold;
	do {
		s = look || anything_waits(v) ? prepare(t, v) : ENTER;
		look = false;
		if (s == ENTER)
			s = enter(t, v);
	} while (s == STEP_AGAIN && !cpu->resched);
	return s == VCPU_RING3 ? STEP_AGAIN : s;
}
