/* The exit dispatcher and the exits that ring 0 answers itself. */
#include "kernel/vcpu_exit.h"

#include "arch/x86_64/registers.h"
#include "kernel/cpuid.h"
#include "kernel/guest.h"
#include "kernel/hypercall.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/spin.h"
#include "kernel/vcpu_report.h"
#include "kernel/vcpu_run.h"

#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_MC 18

static enum insn_mode insn_mode_of(u32 mode)
{
	return mode == MODE_LONG ? INSN_64 : mode == MODE_PROT32 ? INSN_32 : INSN_16;
}

/* Fills the parts of the page's exit that an emulator starts from. */
static void tell_instruction(struct vcpu *v, const struct virt_exit *exit)
{
	struct vcpu_exit *out = &v->page->exit;
	struct virt_code code;

	if (exit->insn_count) {
		virt->code(v->hw, v->page, &code);
		memcpy(out->insn, exit->insn, sizeof(exit->insn));
		out->insn_len = exit->insn_count;
	} else {
		out->insn_len = (u8)vcpu_fetch(v, &code, out->insn);
	}
	out->mode = code.mode;
	out->cpl = code.cpl;
}

/* The two opcode bytes of instructions that exit, in the order of memory. */
enum opcode { OPCODE_CPUID = 0xa20f, OPCODE_RDMSR = 0x320f, OPCODE_WRMSR = 0x300f, OPCODE_WBINVD = 0x090f };

static __attribute__((noinline)) u32 fetched_length(struct vcpu *v, u16 opcode)
{
	struct virt_code code;
	u8 bytes[16];
	u32 n;
	int length;

	if (vcpu_code_is(v, opcode))
		return 2;
	n = vcpu_fetch(v, &code, bytes);
	if (n >= 2 && (bytes[0] | bytes[1] << 8) == opcode)
		return 2;
	length = insn_length(bytes, n, insn_mode_of(code.mode));
	return length > 0 ? (u32)length : 0;
}

/* The length of the instruction at RIP, which has that opcode: told by the processor, or seen here before without
 * prefixes; 0: neither. */
static inline u32 known_length(struct vcpu *v, const struct virt_exit *exit, u16 opcode)
{
	const struct vcpu_seen *s = vcpu_seen(v);

	if (exit->insn_len)
		return exit->insn_len;
	return s->rip == v->page->rip && s->generation == v->guest->gmem.generation && *s->code == opcode ? 2 : 0;
}

/* The same, decoded if need be.  0: it cannot be fetched, since another vCPU changed the code or memory is short: then
 * nothing may have been done for it, and it is executed again as it is now. */
static inline __attribute__((always_inline)) u32 length_of(struct vcpu *v, const struct virt_exit *exit, u16 opcode)
{
	u32 length = known_length(v, exit, opcode);

	return length ? length : fetched_length(v, opcode);
}

static enum step fault(struct vcpu *v, u8 vector)
{
	vcpu_inject_fault(v, vector, vector == VECTOR_GP, 0);
	return STEP_AGAIN;
}

static inline void set_cpuid(struct vcpu *v, const struct cpuid *r, u32 length)
{
	u64 *gpr = v->page->gpr;

	gpr[GPR_RAX] = r->eax, gpr[GPR_RBX] = r->ebx, gpr[GPR_RCX] = r->ecx, gpr[GPR_RDX] = r->edx;
	vcpu_advance(v, length);
}

static __attribute__((noinline)) enum step cpuid_slowly(struct vcpu *v, const struct virt_exit *exit)
{
	u64 *gpr = v->page->gpr;
	u32 length = length_of(v, exit, OPCODE_CPUID);
	struct cpuid r;

	if (!length)
		return STEP_AGAIN;
	r = cpuid_guest(v, (u32)gpr[GPR_RAX], (u32)gpr[GPR_RCX]);
	set_cpuid(v, &r, length);
	return STEP_AGAIN;
}

static enum step exit_cpuid(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	u32 leaf = (u32)v->page->gpr[GPR_RAX], length = known_length(v, exit, OPCODE_CPUID);

	if (!length || !cpuid_is_plain(leaf))
		return cpuid_slowly(v, exit);
	set_cpuid(v, &cpuid_policy.basic[leaf], length);
	return STEP_AGAIN;
}

/* (What must outlive a call is read from v again: fewer registers are to be saved.) */
static enum step exit_msr_read(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	u32 length = length_of(v, exit, OPCODE_RDMSR);
	u64 *gpr, value;

	if (!length)
		return STEP_AGAIN;
	v->exit.insn_len = (u8)length;
	if (msr_guest_read(v, (u32)v->page->gpr[GPR_RCX], &value))
		return fault(v, VECTOR_GP);
	gpr = v->page->gpr;
	gpr[GPR_RAX] = (u32)value;
	gpr[GPR_RDX] = value >> 32;
	vcpu_advance(v, v->exit.insn_len);
	return STEP_AGAIN;
}

/* What was written to the local APIC may have ended a level-triggered interrupt: the IOAPIC's, in ring 3. */
static __attribute__((noinline)) enum step tell_eoi(struct thread *t, struct vcpu *v)
{
	int vector = lapic_take_eoi(v);

	if (vector < 0)
		return STEP_AGAIN;
	v->page->exit.kind = EXIT_EOI;
	v->page->exit.vector = (u8)vector;
	return vcpu_return(t, 0);
}

static enum step exit_msr_write(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	u32 length = length_of(v, exit, OPCODE_WRMSR);
	const u64 *gpr = v->page->gpr;

	if (!length)
		return STEP_AGAIN;
	v->exit.insn_len = (u8)length;
	if (msr_guest_write(v, (u32)gpr[GPR_RCX], (u32)gpr[GPR_RAX] | gpr[GPR_RDX] << 32))
		return fault(v, VECTOR_GP);
	vcpu_advance(v, v->exit.insn_len);
	return v->lapic.eoi_words ? tell_eoi(v->thread, v) : STEP_AGAIN;
}

/* Memory is coherent: nothing is to be written back. */
static enum step exit_wbinvd(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	u32 length = length_of(v, exit, OPCODE_WBINVD);

	if (length)
		vcpu_advance(v, length);
	return STEP_AGAIN;
}

static enum step exit_io(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	struct vcpu_exit *out = &v->page->exit;

	out->kind = EXIT_IO;
	out->io.port = exit->io.port;
	out->io.size = exit->io.size;
	out->io.in = exit->io.in;
	out->io.string = exit->io.string;
	out->io.rep = exit->io.rep;
	out->io.next_rip = exit->io.next_rip;
	if (exit->io.string)
		tell_instruction(v, exit);
	if (v->page->rflags & RFLAGS_TF)
		vcpu_stepped(v);
	return vcpu_return(t, 0);
}

/* The instruction at RIP, whose first n bytes are there (room for 16, aligned by 8); NULL: it is none. */
static const struct insn *decode(struct vcpu *v, const u8 *bytes, u32 n, u32 mode)
{
	struct vcpu_decoded *d = &v->decoded[v->page->rip & (VCPU_FETCHES - 1)];

	return insn_decode_again(&d->key, &d->insn, bytes, n, insn_mode_of(mode)) ? NULL : &d->insn;
}

/* The local APIC's page: a plain 32-bit MOV is done here; false: ring 3's emulator does it. */
static bool lapic_move(struct vcpu *v, const struct virt_exit *exit, u32 offset)
{
	const struct vcpu_exit *out = &v->page->exit;
	const struct insn *insn;
	struct insn_move move;

	tell_instruction(v, exit);
	insn = decode(v, out->insn, out->insn_len, out->mode);
	if (!insn || !insn_plain_move(insn, &move))
		return false;
	if (move.size != 4 || offset & 3 || move.store != exit->fault.write)
		return false;
	if (move.store)
		lapic_write(v, offset, move.immediate ? (u32)move.value : (u32)v->page->gpr[move.reg]);
	else
		v->page->gpr[move.reg] = lapic_read(v, offset);
	vcpu_advance(v, insn->length);
	return true;
}

/* The exit turned out to be one of a finer reason. */
static void count_as(struct vcpu *v, enum vcpu_reason reason)
{
	v->last->count--;
	v->last = &v->exits[reason];
	v->last->count++;
}

static enum step exit_mmio(struct thread *t, struct vcpu *v, const struct virt_exit *exit, bool lapic)
{
	struct vcpu_exit *out = &v->page->exit;

	count_as(v, REASON_MMIO);
	tell_instruction(v, exit);
	out->kind = EXIT_MMIO;
	out->mmio.gpa = exit->fault.gpa;
	out->mmio.gva = exit->fault.gva;
	out->mmio.write = exit->fault.write;
	out->mmio.fetch = exit->fault.fetch;
	out->mmio.lapic = lapic;
	return vcpu_return(t, 0);
}

/* Is it the processor's from now on that a vCPU reaches its local APIC here? */
static bool leave_lapic(struct vcpu *v)
{
	const struct virt_apic *a = &v->lapic.hw;

	return a->live && a->mode == VIRT_APIC_MMIO && !gmem_apic_map(&v->guest->gmem, LAPIC_ADDRESS, a->frame);
}

static enum step stage2_fault(struct thread *t, struct vcpu *v, const struct virt_exit *exit)
{
	u64 gpa = exit->fault.gpa, lapic;
	struct guest *g = v->guest;
	int error;

	if (lapic_mmio(v, &lapic) && (gpa & PAGE_MASK) == lapic && !exit->fault.table_walk) {
		count_as(v, REASON_LAPIC);
		if (leave_lapic(v))
			return STEP_AGAIN;
		return lapic_move(v, exit, (u32)(gpa % PAGE_SIZE)) ? STEP_AGAIN : exit_mmio(t, v, exit, true);
	}
	error = gmem_fault(&g->gmem, gpa, exit->fault.write);
	if (!error)
		return STEP_AGAIN;
	if (error == ERR_FAULT && !exit->fault.table_walk)
		return exit_mmio(t, v, exit, false);
	if (error == ERR_FAULT) {
		vcpu_report(v, exit);
		guest_stop(g, STOP_CRASH, "its page tables at %lx are not in memory, RIP %lx", (unsigned long)gpa,
			   (unsigned long)v->page->rip);
		return STEP_AGAIN;
	}
	guest_wait_memory(g);
	return STEP_AGAIN;
}

/* The register of MOV to a control register, from the instruction: the processor does not tell it. */
static bool decode_cr(struct vcpu *v, struct virt_exit *exit)
{
	const struct insn *insn;
	struct virt_code code;
	u8 bytes[16] __attribute__((aligned(8)));
	u32 n = vcpu_fetch(v, &code, bytes);

	insn = decode(v, bytes, n, code.mode);
	if (!insn || insn->map != INSN_MAP_0F || insn->opcode != 0x22)
		return false;
	exit->cr.gpr = insn->rm & 15;
	exit->cr.wide = insn->mode == INSN_64;
	exit->insn_len = insn->length;
	return true;
}

/* MOV to CR4, and CR8 while that keeps an interrupt away or the processor does not virtualise it. */
static enum step exit_cr(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	u64 *gpr, value;

	if (exit->cr.done)
		return STEP_AGAIN;
	if (!exit->cr.decoded && !decode_cr(v, exit))
		return vcpu_exit_refused(v, exit, NULL);
	gpr = &v->page->gpr[exit->cr.gpr & 15];
	value = exit->cr.wide ? *gpr : (u32)*gpr;
	if (exit->cr.number == 8 && !exit->cr.write)
		*gpr = lapic_tpr(v) >> 4;
	else if (exit->cr.number == 8 ? value & ~15ull : value & ~cpuid_guest_cr4(v) || virt->set_cr4(v->hw, value))
		return fault(v, VECTOR_GP);
	else if (exit->cr.number == 8)
		lapic_set_tpr(v, (u32)value << 4);
	vcpu_advance(v, exit->insn_len);
	return STEP_AGAIN;
}

static enum step exit_xsetbv(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	u64 *gpr = v->page->gpr, value = (u32)gpr[GPR_RAX] | gpr[GPR_RDX] << 32;
	struct vcpu_state s;

	virt->get(v->hw, &s, VIRT_SEGMENTS | VIRT_CONTROL);
	if (!(s.cr4 & CR4_OSXSAVE))
		return fault(v, VECTOR_UD);
	if ((u32)gpr[GPR_RCX] || s.seg[SEG_SS].attr & 0x60 || !vcpu_xcr0_valid(v, value))
		return fault(v, VECTOR_GP);
	s.xcr0 = value;
	virt->set(v->hw, &s, VIRT_XCR0);
	vcpu_advance(v, exit->insn_len ? exit->insn_len : 3);
	return STEP_AGAIN;
}

static enum step exit_halt(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	v->activity = ACTIVITY_HALT;
	vcpu_advance(v, exit->insn_len ? exit->insn_len : 1);
	return STEP_AGAIN;
}


enum step vcpu_exit_refused(struct vcpu *v, const struct virt_exit *exit, const char *why)
{
	vcpu_report(v, exit);
	if (why) {
		guest_stop(v->guest, STOP_CRASH, "the processor refuses its state: %s", why);
		return STEP_AGAIN;
	}
	guest_stop(v->guest, STOP_CRASH, "exit %lx (%lx, %lx) at RIP %lx cannot be handled", (unsigned long)exit->code,
		   (unsigned long)exit->info1, (unsigned long)exit->info2, (unsigned long)v->page->rip);
	return STEP_AGAIN;
}

/* Intercepted so that the guest cannot hang the processor in its delivery (#DB, #AC), and #MC. */
static enum step exit_exception(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	if (exit->exception.vector == VECTOR_MC)
		guest_stop(v->guest, STOP_CRASH, "a machine check hit vCPU %u", v->index);
	v->event = exit->exception;
	return STEP_AGAIN;
}

static enum step exit_shutdown(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	vcpu_report(v, exit);
	guest_stop(v->guest, STOP_CRASH, "triple fault on vCPU %u", v->index);
	return STEP_AGAIN;
}

/* Intel's processors leave all of it to us; nothing in use today does it in 32-bit mode, but for old debuggers. */
static enum step exit_task_switch(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	vcpu_report(v, exit);
	guest_stop(v->guest, STOP_CRASH, "task switch to TSS %x at RIP %lx: not emulated on Intel",
		   (u32)exit->info1 & 0xffff, (unsigned long)v->page->rip);
	return STEP_AGAIN;
}

static enum step exit_stage2(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	enum step s = stage2_fault(t, v, exit);

	return s == STEP_AGAIN && v->lapic.eoi_words ? tell_eoi(t, v) : s;
}

/* The processor has ended it, and another waits for that. */
static enum step exit_eoi(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	lapic_ended(v, exit->ended);
	return tell_eoi(t, v);
}

static enum step exit_lapic(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	lapic_written(v, exit->apic_offset);
	return STEP_AGAIN;
}

static enum step exit_interrupt(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	cpu_interrupt_window();
	return STEP_AGAIN;
}

/* Nothing is left to do: a window for an event opened, or the back end has loaded debug registers. */
static enum step exit_done(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	return STEP_AGAIN;
}

static enum step exit_pause(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	cpu_interrupt_window();
	return spin_wait(v) ? STEP_AGAIN : STEP_YIELD;
}

static enum step exit_hypercall(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	bool spins = false;

	if (!hyperv_calls(v))
		v->page->gpr[GPR_RAX] = (u64)hypercall(v);
	else if (hyperv_call(v, &spins))
		return fault(v, VECTOR_UD);
	vcpu_advance(v, exit->insn_len ? exit->insn_len : 3);
	return spins ? exit_pause(t, v, exit) : STEP_AGAIN;
}

static enum step exit_invalid_opcode(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	return fault(v, VECTOR_UD);
}

static enum step exit_other(struct thread *t, struct vcpu *v, struct virt_exit *exit)
{
	return vcpu_exit_refused(v, exit, NULL);
}

enum step (*const vcpu_exits[REASON_COUNT])(struct thread *, struct vcpu *, struct virt_exit *) = {
	[REASON_INTERRUPT] = exit_interrupt, [REASON_NMI] = exit_interrupt, [REASON_IO] = exit_io,
	[REASON_CPUID] = exit_cpuid, [REASON_MSR_READ] = exit_msr_read, [REASON_MSR_WRITE] = exit_msr_write,
	[REASON_HLT] = exit_halt, [REASON_LAPIC] = exit_lapic, [REASON_MMIO] = exit_other,
	[REASON_STAGE2] = exit_stage2, [REASON_CR] = exit_cr, [REASON_DR] = exit_done,
	[REASON_WINDOW] = exit_done, [REASON_PAUSE] = exit_pause, [REASON_HYPERCALL] = exit_hypercall,
	[REASON_EXCEPTION] = exit_exception, [REASON_XSETBV] = exit_xsetbv,
	[REASON_INVALID_OPCODE] = exit_invalid_opcode, [REASON_WBINVD] = exit_wbinvd,
	[REASON_TASK_SWITCH] = exit_task_switch, [REASON_SHUTDOWN] = exit_shutdown,
	[REASON_EOI] = exit_eoi, [REASON_OTHER] = exit_other,
};
