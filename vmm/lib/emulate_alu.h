/* Arithmetic with flags.  Pure functions: operands are of size bytes (1, 2, 4, 8) and without bits above it,
 * so is the result; *flags is RFLAGS, of which only the status flags change.  Flags that the manual leaves
 * undefined have some value. */
#ifndef VMM_LIB_EMULATE_ALU_H
#define VMM_LIB_EMULATE_ALU_H

#include "kernel/lib/types.h"

/* Numbers are the opcode's bits 3 to 5. */
enum emulate_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum emulate_shift { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAL, SHIFT_SAR };
enum emulate_bit { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT }; /* BT, BTS, BTR, BTC */

u64 emulate_alu_binary(enum emulate_alu op, u32 size, u64 a, u64 b, u64 *flags); /* CMP returns a - b */
u64 emulate_alu_step(bool down, u32 size, u64 a, u64 *flags);                    /* INC, DEC: CF stays */
u64 emulate_alu_shift(enum emulate_shift op, u32 size, u64 a, u8 count, u64 *flags);
u64 emulate_alu_double(bool right, u32 size, u64 a, u64 b, u8 count, u64 *flags); /* SHLD, SHRD */
u64 emulate_alu_bit(enum emulate_bit op, u32 size, u64 a, u32 bit, u64 *flags);
u64 emulate_alu_multiply(bool is_signed, u32 size, u64 a, u64 b, u64 *high, u64 *flags); /* the low half */
s64 emulate_alu_signed(u32 size, u64 a);        /* sign extended */
bool emulate_alu_condition(u32 cc, u64 flags);  /* of Jcc, SETcc, CMOVcc: the opcode's low 4 bits */

#endif
