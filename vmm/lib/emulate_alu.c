/* Arithmetic with flags, APM 1 §3.1.4.  Carries and overflows are computed from the operands' and the
 * result's top bits, which works for all four sizes alike. */
#include "vmm/lib/emulate_alu.h"

#include "vmm/lib/emulate_parts.h"

#define STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static u64 top_bit(u32 size)
{
	return BIT(8 * size - 1);
}

static u64 flag_if(u64 condition, u64 flag)
{
	return condition ? flag : 0;
}

/* Zero, sign and parity of a result. */
static u64 result_flags(u32 size, u64 r)
{
	return flag_if(r == 0, RFLAGS_ZF) | flag_if(r & top_bit(size), RFLAGS_SF) |
	       flag_if(!__builtin_parity((u8)r), RFLAGS_PF);
}

static void flags_set(u64 *flags, u64 mask, u64 value)
{
	*flags = (*flags & ~mask) | value;
}

s64 emulate_alu_signed(u32 size, u64 a)
{
	u64 top = top_bit(size);

	return (s64)(((a & emulate_operand_mask(size)) ^ top) - top);
}

static u64 add(u32 size, u64 a, u64 b, bool carry, u64 *flags)
{
	u64 r = (a + b + carry) & emulate_operand_mask(size), top = top_bit(size);

	flags_set(flags, STATUS, result_flags(size, r) | ((a ^ b ^ r) & RFLAGS_AF) |
		  flag_if(((a & b) | ((a | b) & ~r)) & top, RFLAGS_CF) |
		  flag_if((a ^ r) & (b ^ r) & top, RFLAGS_OF));
	return r;
}

static u64 subtract(u32 size, u64 a, u64 b, bool borrow, u64 *flags)
{
	u64 r = (a - b - borrow) & emulate_operand_mask(size), top = top_bit(size);

	flags_set(flags, STATUS, result_flags(size, r) | ((a ^ b ^ r) & RFLAGS_AF) |
		  flag_if(((~a & b) | (~(a ^ b) & r)) & top, RFLAGS_CF) |
		  flag_if((a ^ b) & (a ^ r) & top, RFLAGS_OF));
	return r;
}

u64 emulate_alu_binary(enum emulate_alu op, u32 size, u64 a, u64 b, u64 *flags)
{
	bool carry = *flags & RFLAGS_CF;
	u64 r;

	switch (op) {
	case ALU_ADD: return add(size, a, b, false, flags);
	case ALU_ADC: return add(size, a, b, carry, flags);
	case ALU_SBB: return subtract(size, a, b, carry, flags);
	case ALU_SUB:
	case ALU_CMP: return subtract(size, a, b, false, flags);
	case ALU_OR: r = a | b; break;
	case ALU_AND: r = a & b; break;
	default: r = a ^ b; break;
	}
	flags_set(flags, STATUS, result_flags(size, r));
	return r;
}

u64 emulate_alu_step(bool down, u32 size, u64 a, u64 *flags)
{
	u64 carry = *flags & RFLAGS_CF;
	u64 r = down ? subtract(size, a, 1, false, flags) : add(size, a, 1, false, flags);

	flags_set(flags, RFLAGS_CF, carry);
	return r;
}

/* ROL and ROR: a masked count of a multiple of the size rotates nothing but sets CF all the same. */
static u64 rotate(bool right, u32 size, u64 a, u32 count, u64 *flags)
{
	u32 bits = 8 * size, left = right ? (bits - count % bits) % bits : count % bits;
	u64 top = top_bit(size), r = a, carry, overflow;

	if (left)
		r = ((a << left) | (a >> (bits - left))) & emulate_operand_mask(size);
	carry = right ? r & top : r & 1;
	overflow = right ? (r ^ r << 1) & top : !(r & top) != !carry;
	flags_set(flags, RFLAGS_CF | RFLAGS_OF, flag_if(carry, RFLAGS_CF) | flag_if(overflow, RFLAGS_OF));
	return r;
}

/* RCL and RCR: a bit at a time through CF; at most 63 rounds. */
static u64 rotate_carry(bool right, u32 size, u64 a, u32 count, u64 *flags)
{
	u64 top = top_bit(size), mask = emulate_operand_mask(size), overflow;
	bool carry = *flags & RFLAGS_CF;

	for (count %= 8 * size + 1; count; count--) {
		bool out = right ? a & 1 : (a & top) != 0;

		a = right ? a >> 1 | flag_if(carry, top) : ((a << 1) | carry) & mask;
		carry = out;
	}
	overflow = right ? (a ^ a << 1) & top : !(a & top) != !carry;
	flags_set(flags, RFLAGS_CF | RFLAGS_OF, flag_if(carry, RFLAGS_CF) | flag_if(overflow, RFLAGS_OF));
	return a;
}

/* SHL, SHR and SAR with 0 < count < 64; beyond the size CF is undefined for SHL and SHR. */
static u64 shift(enum emulate_shift op, u32 size, u64 a, u32 count, u64 *flags)
{
	u64 top = top_bit(size), r, carry, overflow;

	if (op == SHIFT_SAR) {
		s64 s = emulate_alu_signed(size, a);

		r = (u64)(s >> count) & emulate_operand_mask(size);
		carry = (s >> (count - 1)) & 1;
		overflow = 0;
	} else if (op == SHIFT_SHR) {
		r = a >> count;
		carry = (a >> (count - 1)) & 1;
		overflow = a & top;
	} else {
		r = (a << count) & emulate_operand_mask(size);
		carry = (a << (count - 1)) & top;
		overflow = !(r & top) != !carry;
	}
	flags_set(flags, STATUS & ~RFLAGS_AF, result_flags(size, r) | flag_if(carry, RFLAGS_CF) |
		  flag_if(overflow, RFLAGS_OF));
	return r;
}

u64 emulate_alu_shift(enum emulate_shift op, u32 size, u64 a, u8 count, u64 *flags)
{
	count &= size == 8 ? 63 : 31;
	if (count == 0)
		return a;
	switch (op) {
	case SHIFT_ROL:
	case SHIFT_ROR: return rotate(op == SHIFT_ROR, size, a, count, flags);
	case SHIFT_RCL:
	case SHIFT_RCR: return rotate_carry(op == SHIFT_RCR, size, a, count, flags);
	default: return shift(op, size, a, count, flags);
	}
}

u64 emulate_alu_double(bool right, u32 size, u64 a, u64 b, u8 count, u64 *flags)
{
	u32 bits = 8 * size;
	u64 r, carry;

	count &= size == 8 ? 63 : 31;
	if (count > bits) /* 16-bit operands only; undefined: as if b followed a again */
		count -= bits;
	if (count == 0)
		return a;
	if (right) {
		r = count == bits ? b : (a >> count | b << (bits - count)) & emulate_operand_mask(size);
		carry = (a >> (count - 1)) & 1;
	} else {
		r = count == bits ? b : (a << count | b >> (bits - count)) & emulate_operand_mask(size);
		carry = (a >> (bits - count)) & 1;
	}
	flags_set(flags, STATUS & ~RFLAGS_AF, result_flags(size, r) | flag_if(carry, RFLAGS_CF) |
		  flag_if((a ^ r) & top_bit(size), RFLAGS_OF));
	return r;
}

u64 emulate_alu_bit(enum emulate_bit op, u32 size, u64 a, u32 bit, u64 *flags)
{
	u64 mask = BIT(bit % (8 * size));

	flags_set(flags, RFLAGS_CF, flag_if(a & mask, RFLAGS_CF));
	switch (op) {
	case BIT_SET: return a | mask;
	case BIT_RESET: return a & ~mask;
	case BIT_COMPLEMENT: return a ^ mask;
	default: return a;
	}
}

u64 emulate_alu_multiply(bool is_signed, u32 size, u64 a, u64 b, u64 *high, u64 *flags)
{
	u64 mask = emulate_operand_mask(size), low;
	bool carry;

	if (is_signed) {
		__int128 r = (__int128)emulate_alu_signed(size, a) * emulate_alu_signed(size, b);

		low = (u64)r & mask;
		*high = (u64)(r >> (8 * size)) & mask;
		carry = r != emulate_alu_signed(size, low);
	} else {
		unsigned __int128 r = (unsigned __int128)a * b;

		low = (u64)r & mask;
		*high = (u64)(r >> (8 * size)) & mask;
		carry = *high != 0;
	}
	flags_set(flags, RFLAGS_CF | RFLAGS_OF, carry ? RFLAGS_CF | RFLAGS_OF : 0);
	return low;
}

bool emulate_alu_condition(u32 cc, u64 flags)
{
	bool less = !(flags & RFLAGS_SF) != !(flags & RFLAGS_OF), met;

	switch ((cc >> 1) & 7) {
	case 0: met = flags & RFLAGS_OF; break;
	case 1: met = flags & RFLAGS_CF; break;
	case 2: met = flags & RFLAGS_ZF; break;
	case 3: met = flags & (RFLAGS_CF | RFLAGS_ZF); break;
	case 4: met = flags & RFLAGS_SF; break;
	case 5: met = flags & RFLAGS_PF; break;
	case 6: met = less; break;
	default: met = less || (flags & RFLAGS_ZF); break;
	}
	return met != (cc & 1);
}
