/* From exit codes to the neutral exit: APM 2 §15.7 to §15.14. */
#include "arch/x86_64/svm/svm.h"

#define IOIO_IN BIT(0) /* APM 2 §15.10.2 */
#define IOIO_STRING BIT(2)
#define IOIO_REP BIT(3)

/* Exceptions that push an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX (APM 2 §8.2) */
#define WITH_ERROR (BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17) | BIT(21) | BIT(29) | BIT(30))

#define NPF_PRESENT BIT(0) /* APM 2 §15.25.6 */
#define NPF_WRITE BIT(1)
#define NPF_FETCH BIT(4)
#define NPF_TABLE_WALK BIT(33)

static enum vcpu_reason reason_of(u64 code)
{
	switch (code) {
	case SVM_INTR: return REASON_INTERRUPT;
	case SVM_NMI: return REASON_NMI;
	case SVM_INIT: return REASON_INTERRUPT;
	case SVM_VINTR:
	case SVM_IRET: return REASON_WINDOW;
	case SVM_CPUID: return REASON_CPUID;
	case SVM_INVD:
	case SVM_WBINVD: return REASON_WBINVD;
	case SVM_PAUSE: return REASON_PAUSE;
	case SVM_HLT: return REASON_HLT;
	case SVM_IOIO: return REASON_IO;
	case SVM_SHUTDOWN: return REASON_SHUTDOWN;
	case SVM_VMMCALL: return REASON_HYPERCALL;
	case SVM_INVLPGA:
	case SVM_VMRUN:
	case SVM_VMLOAD:
	case SVM_VMSAVE:
	case SVM_STGI:
	case SVM_CLGI:
	case SVM_SKINIT:
	case SVM_MONITOR:
	case SVM_MWAIT:
	case SVM_MWAIT_ARMED:
	case SVM_RDPRU: return REASON_INVALID_OPCODE;
	case SVM_XSETBV: return REASON_XSETBV;
	case SVM_NPF: return REASON_STAGE2;
	}
	if (code < SVM_DR_READ)
		return REASON_CR;
	if (code < SVM_EXCEPTION)
		return REASON_DR;
	if (code < SVM_INTR || code == SVM_RDPMC)
		return REASON_EXCEPTION;
	return REASON_OTHER;
}

static void decode_io(const struct vmcb *b, struct virt_exit *e)
{
	u64 info = b->exit_info1;

	e->io.port = (u16)(info >> 16);
	e->io.size = info >> 4 & 7;
	e->io.in = info & IOIO_IN;
	e->io.string = info & IOIO_STRING;
	e->io.rep = info & IOIO_REP;
	e->io.next_rip = b->exit_info2;
}

static void decode_fault(const struct vmcb *b, struct virt_exit *e)
{
	u64 info = b->exit_info1;

	e->fault.gpa = b->exit_info2;
	e->fault.gva = 0;
	e->fault.present = info & NPF_PRESENT;
	e->fault.write = info & NPF_WRITE;
	e->fault.fetch = info & NPF_FETCH;
	e->fault.table_walk = info & NPF_TABLE_WALK;
	if (svm_features.decode_assists && b->insn_count) {
		e->insn_count = b->insn_count & 15;
		for (u32 i = 0; i < 15; i++)
			e->insn[i] = b->insn[i];
	}
}

/* What the exit cut short.  Software interrupts and INT3/INTO are executed again instead of being injected:
 * RIP still points at them (without NRIP save that is the only way). */
static void decode_interrupted(const struct vmcb *b, struct virt_exit *e)
{
	u64 info = b->exit_int_info;
	u8 type = info >> EVENT_TYPE_SHIFT & 7, vector = (u8)info;

	e->interrupted.valid = info & EVENT_VALID && type != INJECT_SOFTWARE &&
			       !(type == INJECT_EXCEPTION && (vector == 3 || vector == 4));
	e->interrupted.type = type;
	e->interrupted.vector = vector;
	e->interrupted.has_error = info & EVENT_HAS_ERROR;
	e->interrupted.error = (u32)(info >> 32);
	e->interrupted.insn_len = 0;
}

/* RDPMC is hidden: #GP(0). */
static void decode_exception(const struct vmcb *b, struct virt_exit *e)
{
	bool rdpmc = b->exit_code == SVM_RDPMC;
	u8 vector = rdpmc ? 13 : (u8)(b->exit_code - SVM_EXCEPTION);

	e->exception = (struct virt_event){ .valid = true, .type = INJECT_EXCEPTION, .vector = vector,
					    .has_error = WITH_ERROR >> vector & 1,
					    .error = rdpmc ? 0 : (u32)b->exit_info1 };
}

void svm_decode_exit(struct virt_vcpu *v, struct virt_exit *e)
{
	const struct vmcb *b = v->vmcb;
	u64 code = b->exit_code;

	e->reason = reason_of(code);
	e->code = code;
	e->info1 = b->exit_info1;
	e->info2 = b->exit_info2;
	e->insn_count = 0;
	e->refusal = NULL;
	e->insn_len = svm_features.next_rip && b->next_rip > b->rip && b->next_rip - b->rip <= 15
		? (u8)(b->next_rip - b->rip) : 0;
	decode_interrupted(b, e);
	switch (e->reason) {
	case REASON_IO:
		decode_io(b, e);
		break;
	case REASON_STAGE2:
		decode_fault(b, e);
		break;
	case REASON_CR:
		e->cr.number = code & 15;
		e->cr.write = code >= SVM_CR_WRITE;
		e->cr.decoded = e->cr.done = false;
		break;
	case REASON_EXCEPTION:
		decode_exception(b, e);
		break;
	default:
		break;
	}
	if (code == SVM_MSR)
		e->reason = b->exit_info1 ? REASON_MSR_WRITE : REASON_MSR_READ;
}
