/* The opcode maps as data: what follows each opcode (APM 3 appendix A).  Included by insn.c only.
 * An entry without any bit is an opcode that stands alone. */
#ifndef KERNEL_LIB_INSN_TABLE_H
#define KERNEL_LIB_INSN_TABLE_H

#include "kernel/lib/types.h"

/* What follows the opcode and ModRM: the low four bits of an entry. */
enum insn_immediate {
	IMM_NONE,
	IMM_BYTE,  /* 1 byte */
	IMM_WORD,  /* 2 bytes */
	IMM_Z,     /* operand size, at most 4 bytes */
	IMM_V,     /* operand size, 8 bytes with REX.W: MOV r, imm */
	IMM_MOFFS, /* an address: address size */
	IMM_FAR,   /* IMM_Z and a selector */
	IMM_ENTER, /* 2 bytes and 1 byte */
	IMM_TEST,  /* group 3: as TEST's operand when ModRM.reg is 0 or 1, else nothing */
};

#define INSN_IMM 0x0f
#define INSN_MODRM 0x10
#define INSN_BYTE 0x20      /* operands are bytes */
#define INSN_D64 0x40       /* the operand size is 64 bits in 64-bit mode without REX.W (APM 3 table B-5) */
#define INSN_UNDEF 0x80     /* no such instruction */
#define INSN_NOT64 0x100    /* not in 64-bit mode */
#define INSN_PREFIX 0x200   /* a legacy prefix; REX in 64-bit mode too */
#define INSN_REGISTER 0x400 /* ModRM.mod is ignored: always registers (MOV CR, MOV DR) */
#define INSN_VEX 0x800      /* VEX, EVEX or XOP, or an old instruction: insn.c tells them apart */

#define o_ 0
#define M_ INSN_MODRM
#define Mb (INSN_MODRM | INSN_BYTE)
#define MI (INSN_MODRM | IMM_BYTE)
#define Mi (Mb | IMM_BYTE)
#define MZ (INSN_MODRM | IMM_Z)
#define M3 (INSN_MODRM | IMM_TEST)
#define m3 (Mb | IMM_TEST)
#define MD (INSN_MODRM | INSN_D64)
#define MR (INSN_MODRM | INSN_REGISTER | INSN_D64)
#define MN (INSN_MODRM | INSN_NOT64)
#define Mn (Mi | INSN_NOT64)
#define MV (INSN_MODRM | INSN_VEX)
#define b_ INSN_BYTE
#define I_ IMM_BYTE
#define Ib (INSN_BYTE | IMM_BYTE)
#define IN (IMM_BYTE | INSN_NOT64)
#define IW (IMM_WORD | INSN_D64)
#define iw IMM_WORD
#define IZ IMM_Z
#define IV IMM_V
#define ID (IMM_Z | INSN_D64)
#define Id (IMM_BYTE | INSN_D64)
#define A_ IMM_MOFFS
#define Ab (IMM_MOFFS | INSN_BYTE)
#define F_ (IMM_FAR | INSN_NOT64)
#define E_ (IMM_ENTER | INSN_D64)
#define D_ INSN_D64
#define N_ INSN_NOT64
#define P_ INSN_PREFIX
#define U_ INSN_UNDEF

/* 40h to 4Fh are INC and DEC here; insn.c takes them for REX in 64-bit mode.  0F is never looked up. */
static const u16 insn_table_1[256] = {
	/*        0   1   2   3   4   5   6   7   8   9   a   b   c   d   e   f */
	/* 0 */ Mb, M_, Mb, M_, Ib, IZ, N_, N_, Mb, M_, Mb, M_, Ib, IZ, N_, U_,
	/* 1 */ Mb, M_, Mb, M_, Ib, IZ, N_, N_, Mb, M_, Mb, M_, Ib, IZ, N_, N_,
	/* 2 */ Mb, M_, Mb, M_, Ib, IZ, P_, N_, Mb, M_, Mb, M_, Ib, IZ, P_, N_,
	/* 3 */ Mb, M_, Mb, M_, Ib, IZ, P_, N_, Mb, M_, Mb, M_, Ib, IZ, P_, N_,
	/* 4 */ o_, o_, o_, o_, o_, o_, o_, o_, o_, o_, o_, o_, o_, o_, o_, o_,
	/* 5 */ D_, D_, D_, D_, D_, D_, D_, D_, D_, D_, D_, D_, D_, D_, D_, D_,
	/* 6 */ N_, N_, MV, M_, P_, P_, P_, P_, ID, MZ, Id, MI, b_, o_, b_, o_,
	/* 7 */ Id, Id, Id, Id, Id, Id, Id, Id, Id, Id, Id, Id, Id, Id, Id, Id,
	/* 8 */ Mi, MZ, Mn, MI, Mb, M_, Mb, M_, Mb, M_, Mb, M_, M_, M_, M_, MV | D_,
	/* 9 */ o_, o_, o_, o_, o_, o_, o_, o_, o_, o_, F_, o_, D_, D_, o_, o_,
	/* a */ Ab, A_, Ab, A_, b_, o_, b_, o_, Ib, IZ, b_, o_, b_, o_, b_, o_,
	/* b */ Ib, Ib, Ib, Ib, Ib, Ib, Ib, Ib, IV, IV, IV, IV, IV, IV, IV, IV,
	/* c */ Mi, MI, IW, D_, MV, MV, Mi, MZ, E_, D_, iw, o_, o_, I_, N_, o_,
	/* d */ Mb, M_, Mb, M_, IN, IN, N_, b_, M_, M_, M_, M_, M_, M_, M_, M_,
	/* e */ Id, Id, Id, Id, Ib, I_, Ib, I_, ID, ID, F_, Id, b_, o_, b_, o_,
	/* f */ P_, o_, P_, P_, o_, o_, m3, M3, o_, o_, o_, o_, o_, o_, Mb, M_,
};

static const u16 insn_table_0f[256] = {
	/*        0   1   2   3   4   5   6   7   8   9   a   b   c   d   e   f */
	/* 0 */ M_, M_, M_, M_, U_, o_, o_, o_, o_, o_, U_, o_, U_, M_, o_, MI,
	/* 1 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
	/* 2 */ MR, MR, MR, MR, U_, U_, U_, U_, M_, M_, M_, M_, M_, M_, M_, M_,
	/* 3 */ o_, o_, o_, o_, o_, o_, U_, o_, U_, U_, U_, U_, U_, U_, U_, U_,
	/* 4 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
	/* 5 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
	/* 6 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
	/* 7 */ MI, MI, MI, MI, M_, M_, M_, o_, M_, M_, U_, U_, M_, M_, M_, M_,
	/* 8 */ ID, ID, ID, ID, ID, ID, ID, ID, ID, ID, ID, ID, ID, ID, ID, ID,
	/* 9 */ Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb, Mb,
	/* a */ D_, D_, o_, M_, MI, M_, U_, U_, D_, D_, o_, M_, MI, M_, M_, M_,
	/* b */ Mb, M_, M_, M_, M_, M_, M_, M_, M_, M_, MI, M_, M_, M_, M_, M_,
	/* c */ Mb, M_, MI, M_, MI, MI, MI, M_, o_, o_, o_, o_, o_, o_, o_, o_,
	/* d */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
	/* e */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
	/* f */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
};

#undef o_
#undef M_
#undef Mb
#undef MI
#undef Mi
#undef MZ
#undef M3
#undef m3
#undef MD
#undef MR
#undef MN
#undef Mn
#undef MV
#undef b_
#undef I_
#undef Ib
#undef IN
#undef IW
#undef iw
#undef IZ
#undef IV
#undef ID
#undef Id
#undef A_
#undef Ab
#undef F_
#undef E_
#undef D_
#undef N_
#undef P_
#undef U_

#endif
