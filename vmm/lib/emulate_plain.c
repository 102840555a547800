/* The short way for what nearly every MMIO exit is: a move between a register or an immediate and a device.
 * The processor has done the segment's checks and the page walk, and the exit tells the physical address, so
 * there is nothing to compute and nothing to ask the kernel. */
#include "vmm/lib/emulate_parts.h"

/* True if exit.mmio.gpa is where the operand begins, and all of it is in that page. */
static bool is_whole(const struct emulate *e, u32 size)
{
	u64 gpa = e->page->exit.mmio.gpa;

	if (gpa & (size - 1))
		return false;
	if (gpa & ~PAGE_MASK)
		return true;
	/* The first byte of a page: the operand may have begun in RAM, on the page before. */
	return e->page->exit.mode == MODE_LONG && e->insn.segment < SEG_FS &&
	       (emulate_operand_offset(e) & ~PAGE_MASK) == 0;
}

bool emulate_plain(struct emulate *e)
{
	const struct vcpu_exit *exit = &e->page->exit;
	const struct insn *i = &e->insn;
	u32 size = emulate_operand_size(e);
	bool write;
	u64 value;

	if (i->map != INSN_MAP_1 || !i->memory || exit->kind != EXIT_MMIO || !is_whole(e, size))
		return false;
	switch (i->opcode) {
	case 0x88: case 0x89: case 0xa2: case 0xa3:
		value = emulate_register(e, i->reg, size);
		write = true;
		break;
	case 0xc6: case 0xc7:
		value = i->immediate & emulate_operand_mask(size);
		write = true;
		break;
	case 0x8a: case 0x8b: case 0xa0: case 0xa1:
		value = 0;
		write = false;
		break;
	default:
		return false;
	}
	if (exit->mmio.write != write)
		return false;
	if (write)
		e->ops->device_write(e->ctx, exit->mmio.gpa, size, value);
	else
		emulate_register_set(e, i->reg, size, e->ops->device_read(e->ctx, exit->mmio.gpa, size));
	return true;
}
