/* Operands: registers by size (APM 1 §3.1.2), effective addresses (APM 1 §2.2), loads and stores. */
#include "kernel/lib/string.h"
#include "vmm/lib/emulate_parts.h"

/* AH, CH, DH, BH: byte registers 4 to 7 of an instruction without REX. */
static bool is_high_byte(const struct emulate *e, u32 reg, u32 size)
{
	return size == 1 && reg >= 4 && reg < 8 && !e->insn.rex;
}

u64 emulate_register(const struct emulate *e, u32 reg, u32 size)
{
	if (is_high_byte(e, reg, size))
		return (u8)(e->page->gpr[reg - 4] >> 8);
	return e->page->gpr[reg] & emulate_operand_mask(size);
}

void emulate_register_set(struct emulate *e, u32 reg, u32 size, u64 value)
{
	u64 *gpr = e->page->gpr, mask = emulate_operand_mask(size);

	if (is_high_byte(e, reg, size))
		gpr[reg - 4] = (gpr[reg - 4] & ~0xff00ull) | (value & 0xff) << 8;
	else if (size >= 4)
		gpr[reg] = value & mask; /* 32 bits clear the upper half */
	else
		gpr[reg] = (gpr[reg] & ~mask) | (value & mask);
}

u64 emulate_operand_offset(const struct emulate *e)
{
	const struct insn *i = &e->insn;
	u64 offset = i->displacement;

	if (i->base < GPR_COUNT)
		offset += e->page->gpr[i->base];
	else if (i->base == INSN_REG_RIP)
		offset += e->page->rip + i->length;
	if (i->index < GPR_COUNT)
		offset += e->page->gpr[i->index] << i->shift;
	return offset & emulate_operand_mask(i->address_size);
}

/* Tells the memory the translation that the exit came with, if it can only be this operand's: the same offset
 * in the page, the same direction (so the processor has checked the rights, too) and no second page. */
static void hint_translation(struct emulate *e, const struct emulate_operand *o)
{
	const struct vcpu_exit *exit = &e->page->exit;
	bool write = o->access & ACCESS_WRITE;

	if (exit->kind == EXIT_MMIO && exit->mmio.write == write &&
	    ((exit->mmio.gpa ^ o->linear) & ~PAGE_MASK) == 0 && (o->linear & ~PAGE_MASK) + o->size <= PAGE_SIZE)
		e->ops->hint(e->ctx, o->linear, exit->mmio.gpa);
}

int emulate_operand_rm(struct emulate *e, u32 size, u32 access, struct emulate_operand *o)
{
	const struct insn *i = &e->insn;
	int error;

	*o = (struct emulate_operand){
		.memory = i->memory,
		.reg = i->rm,
		.size = size,
		.access = access | emulate_segment_user(e),
	};
	if (!i->memory)
		return 0;
	error = emulate_segment_linear(e, i->segment, emulate_operand_offset(e), size, access, &o->linear);
	if (!error)
		hint_translation(e, o);
	return error;
}

int emulate_operand_read(struct emulate *e, const struct emulate_operand *o, u64 *value)
{
	*value = 0;
	if (o->memory)
		return e->ops->read(e->ctx, o->linear, value, o->size, o->access);
	*value = emulate_register(e, o->reg, o->size);
	return 0;
}

int emulate_operand_write(struct emulate *e, const struct emulate_operand *o, u64 value)
{
	if (o->memory)
		return e->ops->write(e->ctx, o->linear, &value, o->size, o->access);
	emulate_register_set(e, o->reg, o->size, value);
	return 0;
}

int emulate_operand_load(struct emulate *e, u32 size, u32 access, struct emulate_operand *o, u64 *value)
{
	int error = emulate_operand_rm(e, size, access, o);

	return error ? error : emulate_operand_read(e, o, value);
}

int emulate_operand_finish(struct emulate *e, const struct emulate_operand *o, u64 value, u64 flags)
{
	int error = emulate_operand_write(e, o, value);

	if (!error)
		e->page->rflags = flags;
	return error;
}
