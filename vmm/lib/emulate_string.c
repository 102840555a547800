/* MOVS, CMPS, STOS, LODS, SCAS, INS and OUTS, with REP.  Each iteration ends with its registers updated, so a
 * fault or the end of the budget in the middle leaves a state from which the instruction goes on. */
#include "vmm/lib/emulate_alu.h"
#include "vmm/lib/emulate_parts.h"

#define BYTES_PER_RUN 4096 /* then interrupts get their turn */

enum kind { INS = 0x6c, OUTS = 0x6e, MOVS = 0xa4, CMPS = 0xa6, STOS = 0xaa, LODS = 0xac, SCAS = 0xae };

static enum kind string_kind(const struct emulate *e)
{
	return e->insn.opcode & 0xfe;
}

/* INS and OUTS have no 64-bit form. */
static u32 string_size(const struct emulate *e)
{
	enum kind kind = string_kind(e);
	u32 size = emulate_operand_size(e);

	return kind == INS || kind == OUTS ? MIN(size, 4) : size;
}

/* rSI, rDI or rCX plus delta, within the address size. */
static void register_add(struct emulate *e, u32 reg, s64 delta)
{
	u32 size = e->insn.address_size;

	emulate_register_set(e, reg, size, emulate_register(e, reg, size) + delta);
}

/* The element at DS:rSI (or the override) and the one at ES:rDI, which has no override. */
static int element(struct emulate *e, bool destination, u32 access, struct emulate_operand *o)
{
	u64 offset = emulate_register(e, destination ? GPR_RDI : GPR_RSI, e->insn.address_size);

	*o = (struct emulate_operand){
		.memory = true,
		.size = string_size(e),
		.access = access | emulate_segment_user(e),
	};
	return emulate_segment_linear(e, destination ? SEG_ES : e->insn.segment, offset, o->size, access,
				      &o->linear);
}

static int element_read(struct emulate *e, bool destination, u64 *value)
{
	struct emulate_operand o;
	int error = element(e, destination, ACCESS_READ, &o);

	return error ? error : emulate_operand_read(e, &o, value);
}

/* The place for a value that a device will be asked for: a fault afterwards would lose it. */
static int element_prepare(struct emulate *e, struct emulate_operand *o)
{
	int error = element(e, true, ACCESS_WRITE, o);

	return error ? error : e->ops->probe(e->ctx, o->linear, o->size, o->access);
}

static int iterate_movs(struct emulate *e)
{
	struct emulate_operand to;
	u64 value;
	int error = element_prepare(e, &to);

	if (!error)
		error = element_read(e, false, &value);
	return error ? error : emulate_operand_write(e, &to, value);
}

static int iterate_ins(struct emulate *e)
{
	struct emulate_operand to;
	int error = element_prepare(e, &to);

	if (error)
		return error;
	return emulate_operand_write(e, &to, e->ops->port_in(e->ctx, e->page->exit.io.port, to.size));
}

static int iterate_compare(struct emulate *e)
{
	u32 size = string_size(e);
	u64 a = emulate_register(e, GPR_RAX, size), b;
	int error = 0;

	if (string_kind(e) == CMPS)
		error = element_read(e, false, &a);
	if (!error)
		error = element_read(e, true, &b);
	if (!error)
		emulate_alu_binary(ALU_CMP, size, a, b, &e->page->rflags);
	return error;
}

/* One element, without the registers' step. */
static int iterate(struct emulate *e)
{
	u32 size = string_size(e);
	struct emulate_operand to;
	u64 value;
	int error;

	switch (string_kind(e)) {
	case INS:
		return iterate_ins(e);
	case OUTS:
		error = element_read(e, false, &value);
		if (!error)
			e->ops->port_out(e->ctx, e->page->exit.io.port, size, value);
		return error;
	case MOVS:
		return iterate_movs(e);
	case STOS:
		error = element(e, true, ACCESS_WRITE, &to);
		return error ? error : emulate_operand_write(e, &to, emulate_register(e, GPR_RAX, size));
	case LODS:
		error = element_read(e, false, &value);
		if (!error)
			emulate_register_set(e, GPR_RAX, size, value);
		return error;
	default:
		return iterate_compare(e);
	}
}

static void step(struct emulate *e)
{
	enum kind kind = string_kind(e);
	s64 delta = e->page->rflags & RFLAGS_DF ? -(s64)string_size(e) : string_size(e);

	if (kind == MOVS || kind == CMPS || kind == LODS || kind == OUTS)
		register_add(e, GPR_RSI, delta);
	if (kind != LODS && kind != OUTS)
		register_add(e, GPR_RDI, delta);
}

/* REPE and REPNE end CMPS and SCAS by ZF, too. */
static bool is_found(const struct emulate *e)
{
	enum kind kind = string_kind(e);

	return (kind == CMPS || kind == SCAS) && !(e->page->rflags & RFLAGS_ZF) == (e->insn.rep == 0xf3);
}

static int repeat(struct emulate *e)
{
	u32 budget = e->page->rflags & RFLAGS_TF ? 1 : BYTES_PER_RUN / string_size(e);
	u32 size = e->insn.address_size;

	while (emulate_register(e, GPR_RCX, size)) {
		int error;

		if (budget-- == 0)
			return EMULATE_AGAIN;
		error = iterate(e);
		if (error)
			return error;
		step(e);
		register_add(e, GPR_RCX, -1);
		if (is_found(e))
			break;
	}
	return 0;
}

int emulate_string(struct emulate *e)
{
	int error;

	if (e->insn.rep)
		return repeat(e);
	error = iterate(e);
	if (!error)
		step(e);
	return error;
}
