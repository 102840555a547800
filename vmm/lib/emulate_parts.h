/* What the emulator's files share: operands and the groups of instructions.  Nobody else includes this.
 * Functions that return int return EMULATE_DONE, EMULATE_FAULT, EMULATE_AGAIN or an error. */
#ifndef VMM_LIB_EMULATE_PARTS_H
#define VMM_LIB_EMULATE_PARTS_H

#include "vmm/lib/emulate.h"

/* Registers are up to date, and RIP stays: the instruction goes on at the next run. */
#define EMULATE_AGAIN 2

#define VECTOR_UD 6
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14

#define RFLAGS_CF BIT(0)
#define RFLAGS_PF BIT(2)
#define RFLAGS_AF BIT(4)
#define RFLAGS_ZF BIT(6)
#define RFLAGS_SF BIT(7)
#define RFLAGS_TF BIT(8)
#define RFLAGS_DF BIT(10)
#define RFLAGS_OF BIT(11)
#define RFLAGS_RF BIT(16)

/* A register or a place in memory whose segment checks are passed. */
struct emulate_operand {
	bool memory;
	u8 reg;
	u8 size;     /* bytes: 1, 2, 4, 8 */
	u32 access;  /* enum access_bits that the instruction needs of it */
	u64 linear;
};

/* ---- emulate_operand.c ---- */

/* The low size bytes; the size of the instruction's operands, bytes included. */
static inline u64 emulate_operand_mask(u32 size)
{
	return size >= 8 ? UINT64_MAX : BIT(8 * size) - 1;
}

static inline u32 emulate_operand_size(const struct emulate *e)
{
	return e->insn.byte ? 1 : e->insn.operand_size;
}

u64 emulate_register(const struct emulate *e, u32 reg, u32 size);
void emulate_register_set(struct emulate *e, u32 reg, u32 size, u64 value);

/* The memory operand's offset within its segment, wrapped to the address size. */
u64 emulate_operand_offset(const struct emulate *e);

/* The ModRM (or moffs) operand; then its value, and back.  emulate_operand_load does the first two. */
int emulate_operand_rm(struct emulate *e, u32 size, u32 access, struct emulate_operand *o) must_check;
int emulate_operand_read(struct emulate *e, const struct emulate_operand *o, u64 *value) must_check;
int emulate_operand_write(struct emulate *e, const struct emulate_operand *o, u64 value) must_check;
int emulate_operand_load(struct emulate *e, u32 size, u32 access, struct emulate_operand *o,
			 u64 *value) must_check;
/* Writes value; only when that worked, sets the flags. */
int emulate_operand_finish(struct emulate *e, const struct emulate_operand *o, u64 value,
			   u64 flags) must_check;

/* ---- emulate_segment.c ---- */

/* The linear address of size bytes at offset in seg, with the checks that the mode asks for. */
int emulate_segment_linear(struct emulate *e, u32 seg, u64 offset, u32 size, u32 access,
			   u64 *linear) must_check;
/* Makes target the next RIP, if it is canonical or within CS. */
int emulate_segment_jump(struct emulate *e, u64 target, u32 size) must_check;
/* ACCESS_USER at CPL 3, to be added to every access. */
static inline u32 emulate_segment_user(const struct emulate *e)
{
	return e->page->exit.cpl == 3 ? ACCESS_USER : 0;
}

/* ---- the instructions ---- */

bool emulate_plain(struct emulate *e); /* emulate_plain.c: the short way; false: take the long one */
int emulate_one(struct emulate *e) must_check;    /* emulate_one.c: the one-byte map */
int emulate_two(struct emulate *e) must_check;    /* emulate_two.c: 0F and 0F 38 */
int emulate_string(struct emulate *e) must_check; /* emulate_string.c: MOVS to OUTS */
int emulate_stack(struct emulate *e) must_check;  /* emulate_stack.c: PUSH, POP, near CALL, RET and JMP */

#endif
