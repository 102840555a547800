/* From exit reasons to the neutral exit: SDM 3C §28.2, §25.9 and appendix C. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/vmx.h"

#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_DF 8
#define VECTOR_GP 13
#define EXIT_EXCEPTION 0
#define EXIT_RDPMC 15
#define EXIT_APIC_ACCESS 44
#define APIC_ADDRESS 0xfee00000u /* the only place where its page is recognised */
#define EXIT_REASON 0xffffu
#define EXIT_ENTRY_FAILED BIT(31)

#define IO_IN BIT(3) /* table 28-5 */
#define IO_STRING BIT(4)
#define IO_REP BIT(5)

#define FAULT_WRITE BIT(1) /* table 28-7 */
#define FAULT_FETCH BIT(2)
#define FAULT_PRESENT (7 << 3)
#define FAULT_LINEAR BIT(7)
#define FAULT_FINAL BIT(8)
#define FAULT_NMI_UNBLOCKED BIT(12)

#define DEBUG_BITS 0xfu /* table 28-1: B0 to B3 */
#define DEBUG_BD BIT(13)
#define DEBUG_BS BIT(14)
#define DR7_GD BIT(13)

/* insn: an instruction did it: its length is told, and no event was being delivered. */
static const struct reason { u8 reason; bool known, insn; } reasons[] = {
	[0] = { REASON_EXCEPTION, true, false },
	[1] = { REASON_INTERRUPT, true, false },
	[2] = { REASON_SHUTDOWN, true, false },
	[3] = { REASON_INTERRUPT, true, false }, /* INIT: nobody sends one */
	[7] = { REASON_WINDOW, true, false },
	[8] = { REASON_WINDOW, true, false },
	[9] = { REASON_TASK_SWITCH, true, true },
	[10] = { REASON_CPUID, true, true },
	[11] = { REASON_INVALID_OPCODE, true, true }, /* GETSEC */
	[12] = { REASON_HLT, true, true },
	[13] = { REASON_WBINVD, true, true }, /* INVD */
	[15] = { REASON_EXCEPTION, true, true }, /* RDPMC */
	[18] = { REASON_HYPERCALL, true, true },
	[19] = { REASON_INVALID_OPCODE, true, true }, /* VMCLEAR to VMXON */
	[20] = { REASON_INVALID_OPCODE, true, true },
	[21] = { REASON_INVALID_OPCODE, true, true },
	[22] = { REASON_INVALID_OPCODE, true, true },
	[23] = { REASON_INVALID_OPCODE, true, true },
	[24] = { REASON_INVALID_OPCODE, true, true },
	[25] = { REASON_INVALID_OPCODE, true, true },
	[26] = { REASON_INVALID_OPCODE, true, true },
	[27] = { REASON_INVALID_OPCODE, true, true },
	[28] = { REASON_CR, true, true },
	[29] = { REASON_DR, true, true },
	[30] = { REASON_IO, true, true },
	[31] = { REASON_MSR_READ, true, true },
	[32] = { REASON_MSR_WRITE, true, true },
	[36] = { REASON_INVALID_OPCODE, true, true }, /* MWAIT */
	[39] = { REASON_INVALID_OPCODE, true, true }, /* MONITOR */
	[40] = { REASON_PAUSE, true, true },
	[43] = { REASON_WINDOW, true, false }, /* TPR below threshold */
	[44] = { REASON_STAGE2, true, false }, /* the APIC's page, but nothing that the processor does */
	[45] = { REASON_EOI, true, false },
	[48] = { REASON_STAGE2, true, false },
	[50] = { REASON_INVALID_OPCODE, true, true }, /* INVEPT */
	[52] = { REASON_INTERRUPT, true, false }, /* the preemption timer: so that others get their turn */
	[53] = { REASON_INVALID_OPCODE, true, true }, /* INVVPID */
	[54] = { REASON_WBINVD, true, true },
	[55] = { REASON_XSETBV, true, true },
	[56] = { REASON_LAPIC, true, false }, /* a write that the processor left in the page */
	[59] = { REASON_INVALID_OPCODE, true, true }, /* VMFUNC */
};

static void decode_io(struct virt_exit *e, u64 rip)
{
	u64 info = e->info1;

	e->io.port = (u16)(info >> 16);
	e->io.size = (info & 7) + 1;
	e->io.in = info & IO_IN;
	e->io.string = info & IO_STRING;
	e->io.rep = info & IO_REP;
	e->io.next_rip = rip + e->insn_len;
}

/* A walk of the guest's page tables is the access to memory that is not the final one. */
static void decode_fault(struct virt_exit *e)
{
	u64 info = e->info1;

	e->fault.gpa = e->info2 = vmcs_read(VMCS_GUEST_PHYSICAL);
	e->fault.gva = info & FAULT_LINEAR ? vmcs_read(VMCS_GUEST_LINEAR) : 0;
	e->fault.present = info & FAULT_PRESENT;
	e->fault.write = info & FAULT_WRITE;
	e->fault.fetch = info & FAULT_FETCH;
	e->fault.table_walk = !(info & FAULT_LINEAR) || !(info & FAULT_FINAL);
}

/* SDM 3C table 28-6; types beyond the first three are deliveries of events and walks of page tables. */
static void decode_apic_access(struct virt_exit *e)
{
	u32 type = e->info1 >> 12 & 15;

	e->fault.gpa = e->info2 = APIC_ADDRESS | (e->info1 & 0xfff);
	e->fault.gva = 0;
	e->fault.present = true;
	e->fault.write = type == 1;
	e->fault.fetch = type == 2;
	e->fault.table_walk = type > 2;
}

/* An exit on #DB leaves DR6 and DR7 as they were; what they would have got is told (SDM 3C §28.2.1).  It cleared the
 * pending single step too, which an entry with TF in a shadow demands (§27.3.1.5): after STI, say. */
static void follow_debug(struct virt_vcpu *v, u64 info)
{
	if (v->rflags & RFLAGS_TF && vmx_blocking(v) & (SHADOW_STI | SHADOW_MOV_SS))
		vmcs_write(VMCS_GUEST_PENDING_DEBUG, DEBUG_BS);
	vmx_dr6_trap(v, info & (DEBUG_BITS | DEBUG_BD | DEBUG_BS));
	if (info & DEBUG_BD)
		vmcs_write(VMCS_GUEST_DR7, vmcs_read(VMCS_GUEST_DR7) & ~DR7_GD);
}

static void decode_exception(struct virt_vcpu *v, struct virt_exit *e, u32 word)
{
	u8 type = word >> EVENT_TYPE_SHIFT & 7, vector = (u8)word;

	if (type == INJECT_NMI) {
		e->reason = REASON_NMI;
		return;
	}
	e->exception = (struct virt_event){ .valid = true, .type = type, .vector = vector,
		.has_error = word & EVENT_ERROR,
		.error = word & EVENT_ERROR ? (u32)vmcs_read(VMCS_EXIT_ERROR) : 0,
		.insn_len = type >= INJECT_SOFTWARE ? (u8)vmcs_read(VMCS_EXIT_INSN_LEN) : 0 };
	if (vector == VECTOR_DB && type == INJECT_EXCEPTION)
		follow_debug(v, e->info1);
}

/* Bochs 2.7 names the event before when the delivery of a virtual interrupt is cut short.  It is known by its state:
 * in service, with interrupts on as they are before its delivery; handlers keep them off until their EOI. */
static bool is_virtual_interrupt(const struct virt_vcpu *v)
{
	return vmx_features.stale_vectoring && v->lapic && v->interrupt_status >> 8 && v->rflags & RFLAGS_IF;
}

/* Software events are executed again, since RIP still points at them. */
static void decode_interrupted(const struct virt_vcpu *v, struct virt_exit *e)
{
	u32 word = (u32)vmcs_read(VMCS_VECTORING_EVENT);
	u8 type;

	if (word & EVENT_VALID && is_virtual_interrupt(v))
		word = EVENT_VALID | INJECT_EXTERNAL << EVENT_TYPE_SHIFT | v->interrupt_status >> 8;
	type = word >> EVENT_TYPE_SHIFT & 7;
	if (!(word & EVENT_VALID) || type >= INJECT_SOFTWARE)
		return;
	e->interrupted = (struct virt_event){ .valid = true, .type = type, .vector = (u8)word,
		.has_error = word & EVENT_ERROR,
		.error = word & EVENT_ERROR ? (u32)vmcs_read(VMCS_VECTORING_ERROR) : 0 };
}

/* An IRET that faulted let NMIs in already: they are kept out again until it succeeds (SDM 3C §28.2.3). */
static void follow_iret(struct virt_vcpu *v, const struct virt_exit *e, u32 event)
{
	bool unblocked = e->info1 & FAULT_NMI_UNBLOCKED;

	if (e->code == EXIT_EXCEPTION)
		unblocked = event & EVENT_NMI_UNBLOCKED && (u8)event != VECTOR_DF;
	if (unblocked && !e->interrupted.valid)
		vmx_set_blocking(v, vmx_blocking(v) | SHADOW_NMI);
}

/* Of those by instructions: does the qualification tell more? */
static bool is_qualified(u8 reason)
{
	return reason == REASON_IO || reason == REASON_CR || reason == REASON_TASK_SWITCH;
}

void vmx_decode_exit(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *e)
{
	u32 code = (u32)vmcs_read(VMCS_EXIT_REASON), number = code & EXIT_REASON, event = 0;
	struct reason r = { REASON_OTHER, false, false };

	if (!(code & EXIT_ENTRY_FAILED) && number < ARRAY_SIZE(reasons) && reasons[number].known)
		r = reasons[number];
	e->code = code;
	e->reason = r.reason;
	e->info1 = !r.insn || is_qualified(r.reason) ? vmcs_read(VMCS_QUALIFICATION) : 0;
	e->info2 = 0;
	e->refusal = NULL;
	e->insn_count = 0;
	e->insn_len = r.insn ? vmcs_read(VMCS_EXIT_INSN_LEN) & 15 : 0;
	if (!r.insn)
		decode_interrupted(v, e);
	switch (r.reason) {
	case REASON_IO:
		decode_io(e, page->rip);
		break;
	case REASON_STAGE2:
		if (number == EXIT_APIC_ACCESS) {
			decode_apic_access(e);
			break;
		}
		decode_fault(e);
		follow_iret(v, e, 0);
		break;
	case REASON_CR:
		vmx_cr_exit(v, page, e);
		break;
	case REASON_EXCEPTION:
		event = number == EXIT_RDPMC ? VECTOR_GP | INJECT_EXCEPTION << EVENT_TYPE_SHIFT
					     : (u32)vmcs_read(VMCS_EXIT_EVENT);
		e->info2 = event;
		decode_exception(v, e, event);
		e->exception.has_error |= number == EXIT_RDPMC;
		if (number == EXIT_EXCEPTION)
			follow_iret(v, e, event);
		break;
	case REASON_EOI:
		e->ended = (u8)e->info1;
		break;
	case REASON_LAPIC:
		e->apic_offset = e->info1 & 0xfff;
		break;
	default:
		break;
	}
}
