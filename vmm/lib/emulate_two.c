/* The two-byte opcode map (0F) and MOVBE (0F 38).  SSE is not here: registers of that kind are not in the
 * vCPU's page, and drivers do not use them on device registers. */
#include "kernel/lib/string.h"
#include "vmm/lib/emulate_alu.h"
#include "vmm/lib/emulate_parts.h"

/* B6, B7, BE, BF: MOVZX, MOVSX. */
static int two_extend(struct emulate *e)
{
	u32 from = e->insn.opcode & 1 ? 2 : 1;
	struct emulate_operand rm;
	u64 value;
	int error = emulate_operand_load(e, from, ACCESS_READ, &rm, &value);

	if (error)
		return error;
	if (e->insn.opcode & 8)
		value = emulate_alu_signed(from, value);
	emulate_register_set(e, e->insn.reg, e->insn.operand_size, value);
	return 0;
}

/* 40 to 4F: the load happens, and a 32-bit register is extended, even if the condition is not met. */
static int two_cmov(struct emulate *e)
{
	u32 size = e->insn.operand_size;
	struct emulate_operand rm;
	u64 value;
	int error = emulate_operand_load(e, size, ACCESS_READ, &rm, &value);

	if (error)
		return error;
	if (!emulate_alu_condition(e->insn.opcode, e->page->rflags))
		value = emulate_register(e, e->insn.reg, size);
	emulate_register_set(e, e->insn.reg, size, value);
	return 0;
}

static int store(struct emulate *e, u32 size, u64 value)
{
	struct emulate_operand rm;
	int error = emulate_operand_rm(e, size, ACCESS_WRITE, &rm);

	return error ? error : emulate_operand_write(e, &rm, value);
}

/* The bit of a memory operand that a register numbers may be in another word: the address moves. */
static void bit_move(struct emulate *e, u32 size, s64 bit)
{
	if (e->insn.memory)
		e->insn.displacement += (u64)(bit >> (size == 2 ? 4 : size == 4 ? 5 : 6)) * size;
}

/* A3, AB, B3, BB with the number in a register; BA with an immediate. */
static int two_bit(struct emulate *e, enum emulate_bit op, bool in_register)
{
	u32 size = e->insn.operand_size;
	u64 a, flags = e->page->rflags;
	s64 bit = e->insn.immediate;
	struct emulate_operand rm;
	int error;

	if (in_register) {
		bit = emulate_alu_signed(size, emulate_register(e, e->insn.reg, size));
		bit_move(e, size, bit);
	}
	error = emulate_operand_load(e, size, op == BIT_TEST ? ACCESS_READ : ACCESS_WRITE, &rm, &a);
	if (error)
		return error;
	a = emulate_alu_bit(op, size, a, bit & 63, &flags);
	if (op != BIT_TEST)
		return emulate_operand_finish(e, &rm, a, flags);
	e->page->rflags = flags;
	return 0;
}

/* A4, A5, AC, AD */
static int two_shift_double(struct emulate *e)
{
	u32 size = e->insn.operand_size;
	u8 count = e->insn.opcode & 1 ? emulate_register(e, GPR_RCX, 1) : (u8)e->insn.immediate;
	u64 a, flags = e->page->rflags;
	struct emulate_operand rm;
	int error = emulate_operand_load(e, size, ACCESS_WRITE, &rm, &a);

	if (error)
		return error;
	a = emulate_alu_double(e->insn.opcode & 8, size, a, emulate_register(e, e->insn.reg, size), count,
			       &flags);
	return emulate_operand_finish(e, &rm, a, flags);
}

/* AF */
static int two_imul(struct emulate *e)
{
	u32 size = e->insn.operand_size;
	struct emulate_operand rm;
	u64 a, high;
	int error = emulate_operand_load(e, size, ACCESS_READ, &rm, &a);

	if (error)
		return error;
	a = emulate_alu_multiply(true, size, a, emulate_register(e, e->insn.reg, size), &high,
				 &e->page->rflags);
	emulate_register_set(e, e->insn.reg, size, a);
	return 0;
}

/* B0, B1: the operand is written in either case, as the processor does (APM 3 CMPXCHG). */
static int two_cmpxchg(struct emulate *e)
{
	u32 size = emulate_operand_size(e);
	u64 a, accumulator, flags = e->page->rflags;
	struct emulate_operand rm;
	int error = emulate_operand_load(e, size, ACCESS_WRITE, &rm, &a);

	if (error)
		return error;
	accumulator = emulate_register(e, GPR_RAX, size);
	emulate_alu_binary(ALU_CMP, size, accumulator, a, &flags);
	if (a == accumulator)
		return emulate_operand_finish(e, &rm, emulate_register(e, e->insn.reg, size), flags);
	error = rm.memory ? emulate_operand_write(e, &rm, a) : 0;
	if (error)
		return error;
	emulate_register_set(e, GPR_RAX, size, a);
	e->page->rflags = flags;
	return 0;
}

/* C7 /1: CMPXCHG8B.  CMPXCHG16B is left out: device registers are 8 bytes at most. */
static int two_cmpxchg8b(struct emulate *e)
{
	u64 a, expected, *gpr = e->page->gpr;
	struct emulate_operand rm;
	bool equal;
	int error;

	if ((e->insn.reg & 7) != 1 || !e->insn.memory || e->insn.operand_size == 8)
		return ERR_UNSUPPORTED;
	error = emulate_operand_load(e, 8, ACCESS_WRITE, &rm, &a);
	if (error)
		return error;
	expected = (u64)(u32)gpr[GPR_RDX] << 32 | (u32)gpr[GPR_RAX];
	equal = a == expected;
	error = emulate_operand_write(e, &rm, equal ? (u64)(u32)gpr[GPR_RCX] << 32 | (u32)gpr[GPR_RBX] : a);
	if (error)
		return error;
	e->page->rflags = (e->page->rflags & ~RFLAGS_ZF) | (equal ? RFLAGS_ZF : 0);
	if (!equal) {
		emulate_register_set(e, GPR_RAX, 4, a);
		emulate_register_set(e, GPR_RDX, 4, a >> 32);
	}
	return 0;
}

/* C0, C1: the sum goes to rm last when both are one register. */
static int two_xadd(struct emulate *e)
{
	u32 size = emulate_operand_size(e);
	u64 a, sum, reg, flags = e->page->rflags;
	struct emulate_operand rm;
	int error = emulate_operand_load(e, size, ACCESS_WRITE, &rm, &a);

	if (error)
		return error;
	reg = emulate_register(e, e->insn.reg, size);
	sum = emulate_alu_binary(ALU_ADD, size, a, reg, &flags);
	if (!rm.memory)
		emulate_register_set(e, e->insn.reg, size, a);
	error = emulate_operand_finish(e, &rm, sum, flags);
	if (!error && rm.memory)
		emulate_register_set(e, e->insn.reg, size, a);
	return error;
}

static u64 byte_swap(u32 size, u64 value)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

/* 0F 38 F0 and F1 without F2 (that is CRC32). */
static int two_movbe(struct emulate *e)
{
	u32 size = e->insn.operand_size;
	struct emulate_operand rm;
	u64 value;
	int error;

	if ((e->insn.opcode & 0xfe) != 0xf0 || e->insn.rep || !e->insn.memory)
		return ERR_UNSUPPORTED;
	if (e->insn.opcode == 0xf1)
		return store(e, size, byte_swap(size, emulate_register(e, e->insn.reg, size)));
	error = emulate_operand_load(e, size, ACCESS_READ, &rm, &value);
	if (!error)
		emulate_register_set(e, e->insn.reg, size, byte_swap(size, value));
	return error;
}

/* AE: CLFLUSH, CLFLUSHOPT and CLWB have no effect that can be seen; the rest saves and loads registers. */
static int two_flush(struct emulate *e)
{
	u32 op = e->insn.reg & 7;

	return e->insn.memory && !e->insn.rep && (op == 7 || (op == 6 && e->insn.opsize)) ? 0 : ERR_UNSUPPORTED;
}

int emulate_two(struct emulate *e)
{
	const struct insn *i = &e->insn;

	if (i->map == INSN_MAP_0F38)
		return two_movbe(e);
	switch (i->opcode) {
	case 0x0d: case 0x18 ... 0x1f: return 0; /* prefetches and NOPs */
	case 0x40 ... 0x4f: return two_cmov(e);
	case 0x90 ... 0x9f: return store(e, 1, emulate_alu_condition(i->opcode, e->page->rflags));
	case 0xa3: case 0xab: case 0xb3: case 0xbb: return two_bit(e, (i->opcode >> 3) & 3, true);
	case 0xba: return (i->reg & 7) >= 4 ? two_bit(e, i->reg & 3, false) : ERR_UNSUPPORTED;
	case 0xa4: case 0xa5: case 0xac: case 0xad: return two_shift_double(e);
	case 0xae: return two_flush(e);
	case 0xaf: return two_imul(e);
	case 0xb0: case 0xb1: return two_cmpxchg(e);
	case 0xb6: case 0xb7: case 0xbe: case 0xbf: return two_extend(e);
	case 0xc0: case 0xc1: return two_xadd(e);
	case 0xc3: return i->memory ? store(e, i->operand_size, emulate_register(e, i->reg, i->operand_size)) :
				      ERR_UNSUPPORTED; /* MOVNTI */
	case 0xc7: return two_cmpxchg8b(e);
	default: return ERR_UNSUPPORTED;
	}
}
