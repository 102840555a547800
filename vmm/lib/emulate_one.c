/* The one-byte opcode map, but for strings and the stack.  A function for each group of opcodes that shares
 * its shape; memory is written before any register, so that a fault leaves nothing behind. */
#include "vmm/lib/emulate_alu.h"
#include "vmm/lib/emulate_parts.h"

/* rm = rm op b; CMP only sets the flags. */
static int alu_to_rm(struct emulate *e, u32 op, u64 b)
{
	u32 size = emulate_operand_size(e);
	u64 a, r, flags = e->page->rflags;
	struct emulate_operand rm;
	int error = emulate_operand_load(e, size, op == ALU_CMP ? ACCESS_READ : ACCESS_WRITE, &rm, &a);

	if (error)
		return error;
	r = emulate_alu_binary(op, size, a, b & emulate_operand_mask(size), &flags);
	if (op != ALU_CMP)
		return emulate_operand_finish(e, &rm, r, flags);
	e->page->rflags = flags;
	return 0;
}

/* reg = reg op b, for a register number. */
static int alu_to_register(struct emulate *e, u32 op, u32 reg, u64 b)
{
	u32 size = emulate_operand_size(e);
	u64 r = emulate_alu_binary(op, size, emulate_register(e, reg, size), b & emulate_operand_mask(size),
				   &e->page->rflags);

	if (op != ALU_CMP)
		emulate_register_set(e, reg, size, r);
	return 0;
}

/* 00 to 3D: ADD OR ADC SBB AND SUB XOR CMP in six forms each. */
static int one_alu(struct emulate *e)
{
	const struct insn *i = &e->insn;
	u32 op = (i->opcode >> 3) & 7, size = emulate_operand_size(e);
	struct emulate_operand rm;
	u64 b;
	int error;

	switch (i->opcode & 7) {
	case 0: case 1:
		return alu_to_rm(e, op, emulate_register(e, i->reg, size));
	case 2: case 3:
		error = emulate_operand_load(e, size, ACCESS_READ, &rm, &b);
		return error ? error : alu_to_register(e, op, i->reg, b);
	case 4: case 5:
		return alu_to_register(e, op, GPR_RAX, i->immediate);
	default:
		return ERR_UNSUPPORTED;
	}
}

/* 84, 85, A8, A9, F6 /0, F7 /0 */
static int one_test(struct emulate *e, u64 b)
{
	u32 size = emulate_operand_size(e);
	struct emulate_operand rm;
	u64 a;
	int error = emulate_operand_load(e, size, ACCESS_READ, &rm, &a);

	if (!error)
		emulate_alu_binary(ALU_AND, size, a, b & emulate_operand_mask(size), &e->page->rflags);
	return error;
}

static int one_xchg(struct emulate *e)
{
	u32 size = emulate_operand_size(e), reg = e->insn.reg;
	struct emulate_operand rm;
	u64 a;
	int error = emulate_operand_load(e, size, ACCESS_WRITE, &rm, &a);

	if (!error)
		error = emulate_operand_write(e, &rm, emulate_register(e, reg, size));
	if (!error)
		emulate_register_set(e, reg, size, a);
	return error;
}

static int store(struct emulate *e, u32 size, u64 value)
{
	struct emulate_operand rm;
	int error = emulate_operand_rm(e, size, ACCESS_WRITE, &rm);

	return error ? error : emulate_operand_write(e, &rm, value);
}

/* 8A, 8B, A0, A1, 63: the value of from bytes is sign extended to size bytes. */
static int load(struct emulate *e, u32 from, u32 size)
{
	struct emulate_operand rm;
	u64 value;
	int error = emulate_operand_load(e, from, ACCESS_READ, &rm, &value);

	if (!error)
		emulate_register_set(e, e->insn.reg, size, emulate_alu_signed(from, value));
	return error;
}

/* 8C: a register gets its whole operand size, memory always 16 bits. */
static int one_mov_from_segment(struct emulate *e)
{
	u32 seg = e->insn.reg & 7;

	if (seg > SEG_GS)
		return emulate_inject(e->page, VECTOR_UD, 0);
	return store(e, e->insn.memory ? 2 : e->insn.operand_size, e->ops->state(e->ctx)->seg[seg].selector);
}

/* C0, C1, D0 to D3 */
static int one_shift(struct emulate *e, u8 count)
{
	u32 size = emulate_operand_size(e);
	u64 a, flags = e->page->rflags;
	struct emulate_operand rm;
	int error = emulate_operand_load(e, size, ACCESS_WRITE, &rm, &a);

	if (error)
		return error;
	a = emulate_alu_shift(e->insn.reg & 7, size, a, count, &flags);
	return emulate_operand_finish(e, &rm, a, flags);
}

/* 69, 6B */
static int one_imul(struct emulate *e)
{
	u32 size = e->insn.operand_size;
	struct emulate_operand rm;
	u64 a, high;
	int error = emulate_operand_load(e, size, ACCESS_READ, &rm, &a);

	if (error)
		return error;
	a = emulate_alu_multiply(true, size, a, e->insn.immediate, &high, &e->page->rflags);
	emulate_register_set(e, e->insn.reg, size, a);
	return 0;
}

/* F6 and F7 /4, /5: MUL and IMUL of the accumulator. */
static int one_multiply(struct emulate *e, bool is_signed)
{
	u32 size = emulate_operand_size(e);
	struct emulate_operand rm;
	u64 a, high;
	int error = emulate_operand_load(e, size, ACCESS_READ, &rm, &a);

	if (error)
		return error;
	a = emulate_alu_multiply(is_signed, size, a, emulate_register(e, GPR_RAX, size), &high,
				 &e->page->rflags);
	if (size == 1) {
		emulate_register_set(e, GPR_RAX, 2, high << 8 | a);
	} else {
		emulate_register_set(e, GPR_RAX, size, a);
		emulate_register_set(e, GPR_RDX, size, high);
	}
	return 0;
}

/* F6 and F7.  DIV and IDIV are left out: nobody divides by a device's register. */
static int one_group3(struct emulate *e)
{
	u32 size = emulate_operand_size(e), op = e->insn.reg & 7;
	u64 a, flags = e->page->rflags;
	struct emulate_operand rm;
	int error;

	if (op < 2)
		return one_test(e, e->insn.immediate);
	if (op > 3)
		return op < 6 ? one_multiply(e, op == 5) : ERR_UNSUPPORTED;
	error = emulate_operand_load(e, size, ACCESS_WRITE, &rm, &a);
	if (error)
		return error;
	if (op == 2)
		a = ~a;
	else
		a = emulate_alu_binary(ALU_SUB, size, 0, a, &flags);
	return emulate_operand_finish(e, &rm, a, flags);
}

/* FE, FF: INC, DEC; the rest of FF uses the stack or jumps. */
static int one_group45(struct emulate *e)
{
	u32 size = emulate_operand_size(e), op = e->insn.reg & 7;
	u64 a, flags = e->page->rflags;
	struct emulate_operand rm;
	int error;

	if (op > 1)
		return e->insn.opcode == 0xff ? emulate_stack(e) : ERR_UNSUPPORTED;
	error = emulate_operand_load(e, size, ACCESS_WRITE, &rm, &a);
	if (error)
		return error;
	a = emulate_alu_step(op == 1, size, a, &flags);
	return emulate_operand_finish(e, &rm, a, flags);
}

/* D7: AL = [rBX + AL] */
static int one_xlat(struct emulate *e)
{
	u64 offset = emulate_register(e, GPR_RBX, 8) + emulate_register(e, GPR_RAX, 1), linear;
	u8 value;
	int error;

	offset &= emulate_operand_mask(e->insn.address_size);
	error = emulate_segment_linear(e, e->insn.segment, offset, 1, ACCESS_READ, &linear);
	if (!error)
		error = e->ops->read(e->ctx, linear, &value, 1, ACCESS_READ | emulate_segment_user(e));
	if (!error)
		emulate_register_set(e, GPR_RAX, 1, value);
	return error;
}

int emulate_one(struct emulate *e)
{
	const struct insn *i = &e->insn;
	u32 size = emulate_operand_size(e);

	switch (i->opcode) {
	case 0x00 ... 0x3f: return one_alu(e);
	case 0x63: return i->mode == INSN_64 ? load(e, MIN(4, size), size) : ERR_UNSUPPORTED; /* else ARPL */
	case 0x69: case 0x6b: return one_imul(e);
	case 0x80 ... 0x83: return alu_to_rm(e, i->reg & 7, i->immediate);
	case 0x84: case 0x85: return one_test(e, emulate_register(e, i->reg, size));
	case 0x86: case 0x87: return one_xchg(e);
	case 0x88: case 0x89:
	case 0xa2: case 0xa3: return store(e, size, emulate_register(e, i->reg, size));
	case 0x8a: case 0x8b:
	case 0xa0: case 0xa1: return load(e, size, size);
	case 0x8c: return one_mov_from_segment(e);
	case 0xc6: case 0xc7: return (i->reg & 7) == 0 ? store(e, size, i->immediate) : ERR_UNSUPPORTED;
	case 0xc0: case 0xc1: return one_shift(e, i->immediate);
	case 0xd0: case 0xd1: return one_shift(e, 1);
	case 0xd2: case 0xd3: return one_shift(e, emulate_register(e, GPR_RCX, 1));
	case 0xd7: return one_xlat(e);
	case 0xf6: case 0xf7: return one_group3(e);
	case 0xfe: case 0xff: return one_group45(e);
	case 0x6c ... 0x6f:
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf: return emulate_string(e);
	default: return emulate_stack(e);
	}
}
