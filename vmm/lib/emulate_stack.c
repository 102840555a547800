/* PUSH, POP and near CALL, RET and JMP: either their operand or their stack is where there is no RAM. */
#include "vmm/lib/emulate_parts.h"

#define ATTR_BIG BIT(10)

/* The stack pointer's width: 64-bit code, or SS.B. */
static u32 stack_size(struct emulate *e)
{
	if (e->page->exit.mode == MODE_LONG)
		return 8;
	return e->ops->state(e->ctx)->seg[SEG_SS].attr & ATTR_BIG ? 4 : 2;
}

/* These default to 64 bits in 64-bit mode even where the decoder's table cannot say so (FF). */
static u32 transfer_size(const struct emulate *e)
{
	if (e->insn.mode != INSN_64)
		return e->insn.operand_size;
	return e->insn.opsize && !(e->insn.rex & 8) ? 2 : 8;
}

static int push(struct emulate *e, u64 value)
{
	u32 width = stack_size(e), size = transfer_size(e);
	u64 sp = (e->page->gpr[GPR_RSP] - size) & emulate_operand_mask(width);
	u64 linear;
	int error = emulate_segment_linear(e, SEG_SS, sp, size, ACCESS_WRITE, &linear);

	if (!error)
		error = e->ops->write(e->ctx, linear, &value, size, ACCESS_WRITE | emulate_segment_user(e));
	if (!error)
		emulate_register_set(e, GPR_RSP, width, sp);
	return error;
}

/* Reads the top of the stack; *sp is the stack pointer afterwards, which the caller commits. */
static int pop(struct emulate *e, u64 *value, u64 *sp)
{
	u32 width = stack_size(e), size = transfer_size(e);
	u64 top = e->page->gpr[GPR_RSP] & emulate_operand_mask(width), linear;
	int error = emulate_segment_linear(e, SEG_SS, top, size, ACCESS_READ, &linear);

	*value = 0;
	*sp = top + size;
	if (!error)
		error = e->ops->read(e->ctx, linear, value, size, ACCESS_READ | emulate_segment_user(e));
	return error;
}

static int call(struct emulate *e, u64 target)
{
	u64 return_to = e->next_rip;
	int error = emulate_segment_jump(e, target, transfer_size(e));

	return error ? error : push(e, return_to);
}

/* C2, C3 */
static int ret(struct emulate *e)
{
	u64 target, sp;
	int error = pop(e, &target, &sp);

	if (!error)
		error = emulate_segment_jump(e, target, transfer_size(e));
	if (!error)
		emulate_register_set(e, GPR_RSP, stack_size(e), sp + (u16)e->insn.immediate);
	return error;
}

/* 8F /0: an address by rSP counts from after the pop (APM 3 POP). */
static int pop_rm(struct emulate *e)
{
	u64 value, sp, before = e->page->gpr[GPR_RSP];
	struct emulate_operand rm;
	int error = pop(e, &value, &sp);

	if (error)
		return error;
	emulate_register_set(e, GPR_RSP, stack_size(e), sp);
	error = emulate_operand_rm(e, transfer_size(e), ACCESS_WRITE, &rm);
	if (!error)
		error = emulate_operand_write(e, &rm, value);
	if (error)
		e->page->gpr[GPR_RSP] = before;
	return error;
}

static int pop_register(struct emulate *e, u32 reg)
{
	u64 value, sp;
	int error = pop(e, &value, &sp);

	if (error)
		return error;
	emulate_register_set(e, GPR_RSP, stack_size(e), sp);
	emulate_register_set(e, reg, transfer_size(e), value);
	return 0;
}

/* FF /2, /4, /6 */
static int group5(struct emulate *e)
{
	struct emulate_operand rm;
	u64 value;
	int error;

	switch (e->insn.reg & 7) {
	case 2: case 4: case 6: break;
	default: return ERR_UNSUPPORTED; /* far transfers */
	}
	error = emulate_operand_load(e, transfer_size(e), ACCESS_READ, &rm, &value);
	if (error)
		return error;
	switch (e->insn.reg & 7) {
	case 2: return call(e, value);
	case 4: return emulate_segment_jump(e, value, transfer_size(e));
	default: return push(e, value);
	}
}

int emulate_stack(struct emulate *e)
{
	const struct insn *i = &e->insn;
	u32 reg = (i->opcode & 7) | (i->rex & 1) << 3;

	switch (i->opcode) {
	case 0x50 ... 0x57: return push(e, e->page->gpr[reg]);
	case 0x58 ... 0x5f: return pop_register(e, reg);
	case 0x68: case 0x6a: return push(e, i->immediate);
	case 0x8f: return pop_rm(e);
	case 0xc2: case 0xc3: return ret(e);
	case 0xe8: return call(e, e->next_rip + i->immediate);
	case 0xff: return group5(e);
	default: return ERR_UNSUPPORTED;
	}
}
