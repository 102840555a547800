/* Decodes one x86 instruction: its length and its operands.  Pure: ring 0 uses the lengths (processors
 * without NRIP save) and the plain moves (local APIC page), ring 3's emulator everything.  APM 3 §1. */
#ifndef KERNEL_LIB_INSN_H
#define KERNEL_LIB_INSN_H

#include "kernel/lib/types.h"

#define INSN_MAX 15 /* bytes of the longest legal instruction (APM 3 §1.1) */

enum insn_mode { INSN_16 = 16, INSN_32 = 32, INSN_64 = 64 }; /* code size by CS.D and CS.L */

enum insn_map { INSN_MAP_1, INSN_MAP_0F, INSN_MAP_0F38, INSN_MAP_0F3A };

/* In base and index beside 0 to 15. */
#define INSN_REG_RIP 16
#define INSN_REG_NONE 17

/* Register and segment numbers are the hardware's: RAX RCX RDX RBX RSP RBP RSI RDI R8 to R15, and
 * ES CS SS DS FS GS. */
struct insn {
	u8 length;       /* bytes, 1 to 15 */
	u8 mode;         /* enum insn_mode */
	u8 map;          /* enum insn_map */
	u8 opcode;
	u8 rep;          /* 0xf2, 0xf3 (the last one) or 0 */
	u8 rex;          /* 0x40 to 0x4f, 0 without */
	bool lock;
	bool opsize;     /* 66h is there */
	u8 segment;      /* of the memory operand: the override, else SS or DS by the base register */
	u8 operand_size; /* 2, 4, 8: of operands that are not bytes by their opcode */
	u8 address_size; /* 2, 4, 8 */
	bool byte;       /* the opcode's operands are bytes */
	bool has_modrm;
	bool memory;     /* the ModRM or moffs operand is in memory */
	u8 reg, rm;      /* ModRM with REX; rm is a register number when !memory */
	u8 base, index;  /* INSN_REG_* */
	u8 shift;        /* the index is shifted left by it */
	s64 displacement; /* sign extended; for moffs the address itself */
	s64 immediate;    /* sign extended */
	u32 immediate2;   /* selector of a far pointer; level of ENTER */
};

/* Decodes the instruction at bytes[0..len).  0; ERR_FAULT: it goes on after len; ERR_INVAL: no legal
 * instruction (undefined, longer than 15 bytes); ERR_UNSUPPORTED: VEX, EVEX and XOP.  An undefined
 * combination of a defined opcode may be accepted: the processor has refused it before anybody asks. */
int insn_decode(struct insn *i, const u8 *bytes, u32 len, enum insn_mode mode) must_check;

/* What an instruction was decoded from last: code often does the same again. */
struct insn_key {
	u64 bytes[2];    /* all 16, whatever the length */
	u32 len;         /* 0: nothing is remembered */
	enum insn_mode mode;
};

/* insn_decode of a copy of the bytes, which k remembers.  bytes: aligned by 8, with room for 16. */
int insn_decode_keyed(struct insn_key *k, struct insn *i, const u8 *bytes, u32 len, enum insn_mode mode) must_check;

/* The same, where *i is what k was remembered with: nothing to do if the bytes are still these. */
static inline int insn_decode_again(struct insn_key *k, struct insn *i, const u8 *bytes, u32 len, enum insn_mode mode)
{
	const u64 *b = (const u64 *)bytes;

	if (k->bytes[0] == b[0] && k->bytes[1] == b[1] && k->len == len && k->mode == mode && len)
		return 0;
	return insn_decode_keyed(k, i, bytes, len, mode);
}

/* The length alone, or insn_decode's error.  Fast for opcodes without operands such as CPUID, RDMSR, HLT. */
int insn_length(const u8 *bytes, u32 len, enum insn_mode mode) must_check;

struct insn_move {
	bool store;     /* to memory */
	bool immediate; /* store: the value is in value, not in a register */
	u8 size;        /* 2, 4, 8 bytes */
	u8 reg;         /* stored from, loaded to */
	u64 value;
};

/* True if i is a MOV between memory and a whole register or an immediate (89, 8B, C7 /0, A1, A3). */
bool insn_plain_move(const struct insn *i, struct insn_move *m);

#endif
