/* What exit codes mean: APM 2 §15.7 to §15.14. */
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

const u8 svm_reasons[SVM_RDPRU + 1] = {
	[SVM_CR_READ ... SVM_DR_READ - 1] = REASON_CR,
	[SVM_DR_READ ... SVM_EXCEPTION - 1] = REASON_DR,
	[SVM_EXCEPTION ... SVM_INTR - 1] = REASON_EXCEPTION,
	[SVM_INTR] = REASON_INTERRUPT, [SVM_NMI] = REASON_NMI, [SVM_SMI] = REASON_OTHER,
	[SVM_INIT] = REASON_INTERRUPT, [SVM_VINTR] = REASON_WINDOW,
	[SVM_VINTR + 1 ... SVM_RDPMC - 1] = REASON_OTHER,
	[SVM_RDPMC] = REASON_EXCEPTION, [SVM_RDPMC + 1 ... SVM_CPUID - 1] = REASON_OTHER,
	[SVM_CPUID] = REASON_CPUID, [SVM_RSM] = REASON_OTHER, [SVM_IRET] = REASON_WINDOW,
	[SVM_SWINT] = REASON_OTHER, [SVM_INVD] = REASON_WBINVD, [SVM_PAUSE] = REASON_PAUSE,
	[SVM_HLT] = REASON_HLT, [SVM_INVLPG] = REASON_OTHER, [SVM_INVLPGA] = REASON_INVALID_OPCODE,
	[SVM_IOIO] = REASON_IO, [SVM_MSR] = REASON_MSR_READ, [SVM_TASK_SWITCH] = REASON_TASK_SWITCH,
	[SVM_FERR] = REASON_OTHER, [SVM_SHUTDOWN] = REASON_SHUTDOWN, [SVM_VMRUN] = REASON_INVALID_OPCODE,
	[SVM_VMMCALL] = REASON_HYPERCALL, [SVM_VMLOAD ... SVM_SKINIT] = REASON_INVALID_OPCODE,
	[SVM_RDTSCP ... SVM_ICEBP] = REASON_OTHER, [SVM_WBINVD] = REASON_WBINVD,
	[SVM_MONITOR ... SVM_MWAIT_ARMED] = REASON_INVALID_OPCODE, [SVM_XSETBV] = REASON_XSETBV,
	[SVM_RDPRU] = REASON_INVALID_OPCODE,
};

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
void svm_take_interrupted(const struct vmcb *b, struct virt_exit *e)
{
	u64 info = b->exit_int_info;
	u8 type = info >> EVENT_TYPE_SHIFT & 7, vector = (u8)info;

	e->interrupted.valid = type != INJECT_SOFTWARE &&
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

int svm_take_details(struct virt_vcpu *v, struct virt_exit *e)
{
	const struct vmcb *b = v->vmcb;
	u64 code = e->code;

	e->info1 = b->exit_info1;
	e->info2 = b->exit_info2;
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
	case REASON_DR:
		if (!v->dr_loaded)
			svm_dr_load(v);
		break;
	default:
		e->refusal = NULL;
		return code == SVM_INVALID ? ERR_STATE : 0;
	}
	return 0;
}
