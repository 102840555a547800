/* A vCPU's life, state and what others ask of it. */
#include "kernel/vcpu.h"

#include "arch/x86_64/registers.h"
#include "kernel/clock.h"
#include "kernel/frame.h"
#include "kernel/guest.h"
#include "kernel/heap.h"
#include "kernel/lib/string.h"
#include "kernel/process.h"
#include "kernel/walk.h"

_Static_assert(offsetof(struct vcpu, lapic.hw.page) == 0 && sizeof(struct vcpu) >= PAGE_SIZE,
	       "the heap aligns what is larger than a page to pages");

static void timer_expired(struct timer *t)
{
	vcpu_request(CONTAINER_OF(t, struct vcpu, timer), REQUEST_TIMER);
}

static void synthetic_expired(struct timer *t)
{
	vcpu_request(CONTAINER_OF(t, struct vcpu, synthetic), REQUEST_SYNTHETIC);
}

#define SHOW_NS 1000000 /* a thread that is not scheduled has left its state behind; no reason to wait longer */

/* Power-on and INIT state: APM 2 §14.1.3. */
static void reset_registers(struct vcpu *v, bool power_on)
{
	static const struct vcpu_segment data = { .limit = 0xffff, .attr = 0x93 };
	struct vcpu_state s = { .cr0 = CR0_ET | CR0_NW | CR0_CD, .dr6 = 0xffff0ff0, .dr7 = 0x400, .xcr0 = 1 };

	for (u32 i = 0; i < SEG_LDTR; i++)
		s.seg[i] = data;
	s.seg[SEG_CS] = (struct vcpu_segment){ .base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .attr = 0x9b };
	s.seg[SEG_LDTR] = (struct vcpu_segment){ .limit = 0xffff, .attr = 0x82 };
	s.seg[SEG_TR] = (struct vcpu_segment){ .limit = 0xffff, .attr = 0x8b };
	s.gdtr.limit = s.idtr.limit = 0xffff;
	virt->set(v->hw, &s, VIRT_SEGMENTS | VIRT_CONTROL | VIRT_DEBUG | (power_on ? VIRT_XCR0 : 0));
	vcpu_flush(v);
	memset(v->page->gpr, 0, sizeof(v->page->gpr));
	v->page->rip = 0xfff0;
	v->page->rflags = RFLAGS_FIXED;
	v->event.valid = false;
	v->nmi_pending = v->unhalted = false;
}

void vcpu_power_on(struct vcpu *v)
{
	reset_registers(v, true);
	msr_reset(v);
	lapic_reset(v, true);
	hyperv_reset(v);
	v->activity = v->index ? ACTIVITY_WAIT_SIPI : ACTIVITY_RUN;
	v->steal_marked = v->steal_due = false;
	v->tsc_offset = v->guest->tsc_offset;
	virt->set_tsc_offset(v->hw, v->tsc_offset);
}

struct vcpu *vcpu_create(struct guest *g, u32 index)
{
	static const u16 no_code;
	struct vcpu *v = heap_alloc(sizeof(*v));

	if (!v)
		return NULL;
	for (u32 i = 0; i < ARRAY_SIZE(v->seen); i++)
		v->seen[i].code = &no_code;
	v->guest = g;
	v->index = index;
	v->timer.expired = timer_expired;
	v->synthetic.expired = synthetic_expired;
	v->page = hpa_pointer(frame_alloc_zero(0, FRAME_PROCESS));
	v->lapic.hw.live = !guest_hyperv(g); /* AutoEOI is the kernel's alone */
	if (!v->page || virt->vcpu_create(&v->hw, cpuid_guest_cr4(v), &v->lapic.hw)) {
		vcpu_put(v);
		return NULL;
	}
	vcpu_power_on(v);
	return v;
}

void vcpu_put(struct vcpu *v)
{
	if (!v)
		return;
	timer_cancel(&v->timer);
	timer_cancel(&v->synthetic);
	virt->vcpu_put(v->hw);
	if (v->page)
		frame_put(pointer_hpa(v->page));
	heap_free(v, sizeof(*v));
}

void vcpu_init_reset(struct vcpu *v)
{
	reset_registers(v, false);
	lapic_reset(v, false);
	hyperv_reset(v);
	v->activity = v->index ? ACTIVITY_WAIT_SIPI : ACTIVITY_RUN;
}

void vcpu_startup(struct vcpu *v, u8 vector)
{
	struct vcpu_state s;

	if (v->activity != ACTIVITY_WAIT_SIPI || !guest_vcpu(v->guest, v->index))
		return;
	virt->get(v->hw, &s, VIRT_SEGMENTS);
	s.seg[SEG_CS].selector = (u16)(vector << 8);
	s.seg[SEG_CS].base = (u64)vector << 12;
	virt->set(v->hw, &s, VIRT_SEGMENTS);
	v->page->rip = 0;
	v->activity = ACTIVITY_RUN;
}

void vcpu_get_state(struct vcpu *v, struct vcpu_state *s)
{
	virt->get(v->hw, s, VIRT_ALL);
	memcpy(s->gpr, v->page->gpr, sizeof(s->gpr));
	s->rip = v->page->rip;
	s->rflags = v->page->rflags;
	s->apic_base = v->lapic.base;
	s->activity = v->activity;
}

void vcpu_show_state(struct vcpu *v, struct vcpu_state *s)
{
	u64 end = rdtsc() + clock_cycles(SHOW_NS);
	u32 before = __atomic_load_n(&v->shown, __ATOMIC_SEQ_CST);

	vcpu_request(v, REQUEST_SHOW);
	while (__atomic_load_n(&v->shown, __ATOMIC_ACQUIRE) == before && rdtsc() < end)
		pause();
	vcpu_get_state(v, s);
}

/* APM 3, XSETBV: x87 always, AVX needs SSE, the three AVX-512 parts go together. */
bool vcpu_xcr0_valid(const struct vcpu *v, u64 value)
{
	u64 avx512 = value & 0xe0;

	if (!(value & 1) || value & ~(cpuid_guest_xcr0(v) | 1)) /* a processor without XSAVE has x87 all the same */
		return false;
	if (value & 4 && !(value & 2))
		return false;
	return !avx512 || (avx512 == 0xe0 && value & 4);
}

/* PAE paging's four pointers come into the processor by MOV to CR3 only: another tree under it cannot be set. */
static bool changes_pae(struct vcpu *v, const struct vcpu_state *s)
{
	struct vcpu_state now;

	if (!(s->cr0 & CR0_PG) || !(s->cr4 & CR4_PAE) || s->efer & EFER_LME)
		return false;
	virt->get(v->hw, &now, VIRT_CONTROL);
	return now.cr0 != s->cr0 || now.cr3 != s->cr3 || now.cr4 != s->cr4 || now.efer != s->efer;
}

int vcpu_set_state(struct vcpu *v, const struct vcpu_state *s)
{
	if (s->cr4 & ~cpuid_guest_cr4(v) || s->efer & ~(cpuid_guest_efer(v) | EFER_LMA) ||
	    !vcpu_xcr0_valid(v, s->xcr0) || s->activity > ACTIVITY_WAIT_SIPI || changes_pae(v, s))
		return ERR_INVAL;
	virt->set(v->hw, s, VIRT_ALL);
	memcpy(v->page->gpr, s->gpr, sizeof(s->gpr));
	v->page->rip = s->rip;
	v->page->rflags = s->rflags;
	v->activity = s->activity;
	return 0;
}

void vcpu_request(struct vcpu *v, u32 requests)
{
	struct thread *t;

	__atomic_or_fetch(&v->requests, requests, __ATOMIC_SEQ_CST);
	t = __atomic_load_n(&v->thread, __ATOMIC_SEQ_CST); /* afterwards: one that comes later sees the request */
	if (!t || t == sched_current())
		return;
	if (__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
		host_cpu_kick(v->cpu);
	else
		thread_wake(t);
}

/* A vCPU that is in the guest under an older generation is thrown out and waited for; one that is outside
 * looks at the generation before it enters. */
void vcpu_shootdown(struct gmem *m)
{
	struct guest *g = CONTAINER_OF(m, struct guest, gmem);
	u64 generation = __atomic_add_fetch(&m->generation, 1, __ATOMIC_SEQ_CST);

	for (u32 i = 0; i < g->vcpu_count; i++) {
		struct vcpu *v = g->vcpus[i];

		if (__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
			host_cpu_kick(v->cpu);
	}
	for (u32 i = 0; i < g->vcpu_count; i++) {
		struct vcpu *v = g->vcpus[i];

		while (__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST) &&
		       __atomic_load_n(&v->generation, __ATOMIC_SEQ_CST) < generation)
			pause();
	}
}

/* Once it has taken the request it has been outside. */
void vcpu_flush_other(struct vcpu *v)
{
	__atomic_or_fetch(&v->requests, REQUEST_FLUSH, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
		host_cpu_kick(v->cpu);
	while (__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & REQUEST_FLUSH)
		pause();
}

void vcpu_inject_fault(struct vcpu *v, u8 vector, bool has_error, u32 error)
{
	v->event = (struct virt_event){ .valid = true, .type = INJECT_EXCEPTION, .vector = vector,
					.has_error = has_error, .error = error };
}

void vcpu_stepped(struct vcpu *v)
{
	virt->single_step(v->hw, &v->event);
}

/* ---- instruction bytes ---- */

static u32 fetch_slot(u64 rip)
{
	return rip >> PAGE_SHIFT & (VCPU_FETCHES - 1);
}

/* Remembers where a page of the walk that f tells is, and what of it may be relied on.  gmem locked. */
static void remember(struct vcpu_fetch *f, struct gmem *m, u64 gpa)
{
	f->generation = m->generation;
	f->host = gmem_peek(m, gpa & PAGE_MASK);
	for (u32 i = 0; i < f->trace.count && i < ARRAY_SIZE(f->trace.step); i++) {
		f->trace.step[i].host = (const u64 *)gmem_peek(m, f->trace.step[i].gpa);
		if (!f->trace.step[i].host)
			f->trace.count = 5;
	}
}

/* Translates a code page anew, remembers how, and copies up to len bytes of it: under one lock, since another
 * vCPU or the host may replace the page at any time.  How many; 0 if it cannot be translated. */
static u32 translate_page(struct vcpu *v, const struct virt_code *code, u64 address, u8 *bytes, u32 len)
{
	struct vcpu_fetch *f = &v->fetches[fetch_slot(v->page->rip + (address - code->address))];
	struct gmem *m = &v->guest->gmem;
	u32 user = code->cpl == 3 ? ACCESS_USER : 0;
	u64 gpa;

	f->host = NULL;
	f->trace.count = 0;
	if (walk_traced(v, address, ACCESS_FETCH | user, &gpa, &f->trace))
		return 0;
	f->code = *code;
	f->page = address & PAGE_MASK;
	f->rip_page = v->page->rip - (code->address - f->page);
	len = (u32)MIN(len, PAGE_SIZE - address % PAGE_SIZE);
	spin_lock(&m->lock);
	remember(f, m, gpa);
	if (f->host)
		memcpy(bytes, f->host + address % PAGE_SIZE, len);
	spin_unlock(&m->lock);
	if (!f->host && gmem_read(m, gpa, bytes, len)) /* compressed, and no memory to change that */
		return 0;
	return len;
}

/* Does the remembered translation still hold?  gmem locked: its frames cannot go. */
static bool still_there(const struct vcpu *v, const struct vcpu_fetch *f, const struct virt_code *code)
{
	if ((code->address & PAGE_MASK) != f->page || code->cr3 != f->code.cr3 || code->mode != f->code.mode ||
	    code->cpl != f->code.cpl || f->generation != v->guest->gmem.generation || !f->host ||
	    f->trace.count > ARRAY_SIZE(f->trace.step))
		return false;
	for (u32 i = 0; i < f->trace.count; i++)
		if (*(volatile const u64 *)f->trace.step[i].host != f->trace.step[i].value)
			return false;
	return true;
}

static u32 fetch_slowly(struct vcpu *v, const struct virt_code *code, u8 *bytes)
{
	u32 n = translate_page(v, code, code->address, bytes, 15);

	return n && n < 15 ? n + translate_page(v, code, code->address + n, bytes + n, 15 - n) : n;
}

u32 vcpu_fetch(struct vcpu *v, struct virt_code *code, u8 *bytes)
{
	const struct vcpu_fetch *f = &v->fetches[fetch_slot(v->page->rip)];
	struct gmem *m = &v->guest->gmem;
	bool hit;

	virt->code(v->hw, v->page, code);
	spin_lock(&m->lock);
	hit = code->address % PAGE_SIZE <= PAGE_SIZE - 16 && still_there(v, f, code);
	if (hit) {
		const u64 *from = (const u64 *)(f->host + code->address % PAGE_SIZE);
		u64 *to = (u64 *)bytes;

		to[0] = from[0];
		to[1] = from[1];
	}
	spin_unlock(&m->lock);
	return hit ? 15 : fetch_slowly(v, code, bytes);
}

bool vcpu_code_is(struct vcpu *v, u16 opcode)
{
	u64 rip = v->page->rip;
	const struct vcpu_fetch *f = &v->fetches[fetch_slot(rip)];
	u64 offset = rip - f->rip_page;
	struct vcpu_seen *s = vcpu_seen(v);

	if (offset >= PAGE_SIZE - 1 || f->generation != v->guest->gmem.generation || !f->host)
		return false;
	*s = (struct vcpu_seen){ rip, f->generation, (const u16 *)(f->host + offset) };
	return *s->code == opcode;
}

/* ---- what cpuid.c, msr.c and lapic.c need ---- */

u64 vcpu_tsc(const struct vcpu *v)
{
	return rdtsc() + v->tsc_offset;
}

u64 vcpu_tsc_hz(void)
{
	return clock_hz();
}

u64 vcpu_cr4(const struct vcpu *v)
{
	return virt->cr4(v->hw);
}

u64 vcpu_xcr0(const struct vcpu *v)
{
	return virt->xcr0(v->hw);
}

void vcpu_move_tsc(struct vcpu *v, u64 delta)
{
	v->tsc_offset += delta;
	virt->set_tsc_offset(v->hw, v->tsc_offset);
}

void vcpu_timer_arm(struct vcpu *v, u64 host_tsc)
{
	timer_arm(&v->timer, host_tsc);
}

void vcpu_synthetic_arm(struct vcpu *v, u64 host_tsc)
{
	timer_arm(&v->synthetic, host_tsc);
}

struct vcpu *guest_vcpu(struct guest *g, u32 index)
{
	_Static_assert(VCPU_MAX <= 64, "bits of present");
	return index < VCPU_MAX && __atomic_load_n(&g->present, __ATOMIC_ACQUIRE) >> index & 1 ? g->vcpus[index] : NULL;
}

u32 guest_vcpu_count(const struct guest *g)
{
	return g->vcpu_count;
}

struct hyperv_guest *guest_hyperv(struct guest *g)
{
	return g->hyperv.mode == HYPERV_OFF ? NULL : &g->hyperv;
}

int guest_phys_write(struct guest *g, gpa_t gpa, const void *from, size_t len)
{
	return gmem_write(&g->gmem, gpa.v, from, len) ? ERR_FAULT : 0;
}

int guest_phys_read(struct guest *g, gpa_t gpa, void *to, size_t len)
{
	return gmem_read(&g->gmem, gpa.v, to, len) ? ERR_FAULT : 0;
}

void guest_lapic_left(struct guest *g)
{
	gmem_apic_end(&g->gmem, LAPIC_ADDRESS);
}

int guest_phys_swap32(struct guest *g, gpa_t gpa, u32 old, u32 fresh)
{
	return gmem_swap(&g->gmem, gpa.v, sizeof(old), old, fresh);
}

void guest_clock(u64 host_tsc, u64 *ns, u64 *wall_s, u32 *wall_ns)
{
	*ns = clock_ns_at(host_tsc);
	*wall_s = clock_epoch();
	*wall_ns = 0;
}
