/* The instruction decoder: prefixes, opcode, ModRM and SIB, displacement, immediate, one function each.
 * Bytes come from a zero-padded copy, so that a shortage is checked once, at the end. */
#include "kernel/lib/insn.h"

#include "kernel/lib/error.h"
#include "kernel/lib/insn_table.h"

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

enum { SEG_IS_ES, SEG_IS_CS, SEG_IS_SS, SEG_IS_DS, SEG_IS_FS, SEG_IS_GS, SEG_BY_BASE };

/* The longest walk: 16 prefixes, 3 opcode bytes, ModRM, SIB, displacement, immediate of 8 bytes. */
#define CURSOR_BYTES 40

struct cursor {
	u8 bytes[CURSOR_BYTES]; /* a copy with zeros behind it */
	u32 at;
};

static inline void cursor_init(struct cursor *c, const u8 *bytes, u32 len)
{
	*c = (struct cursor){ .at = 0 };
	if (len == INSN_MAX) /* the usual case: two moves */
		__builtin_memcpy(c->bytes, bytes, INSN_MAX);
	else
		for (u32 n = 0; n < len; n++)
			c->bytes[n] = bytes[n];
}

static inline u8 cursor_byte(struct cursor *c)
{
	return c->bytes[c->at++];
}

/* size bytes (0, 1, 2, 4, 8), little endian, sign extended. */
static inline s64 cursor_signed(struct cursor *c, u32 size)
{
	const u8 *from = c->bytes + c->at;
	s64 value = 0;
	s32 value4;
	s16 value2;

	c->at += size;
	switch (size) {
	case 0:
		return 0;
	case 1:
		return (s8)*from;
	case 2:
		__builtin_memcpy(&value2, from, 2);
		return value2;
	case 4:
		__builtin_memcpy(&value4, from, 4);
		return value4;
	default:
		__builtin_memcpy(&value, from, 8);
		return value;
	}
}

/* One legacy prefix; a REX before it has no effect (APM 3 §1.2.7). */
static void decode_prefix(struct insn *i, u8 byte)
{
	i->rex = 0;
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e:
		if (i->mode != INSN_64) /* ignored there, APM 3 §1.2.4 */
			i->segment = (byte >> 3) & 3;
		break;
	case 0x64: case 0x65:
		i->segment = byte - 0x64 + SEG_IS_FS;
		break;
	case 0x66:
		i->opsize = true;
		break;
	case 0x67:
		i->address_size = i->mode == INSN_32 ? 2 : 4;
		break;
	case 0xf0:
		i->lock = true;
		break;
	default:
		i->rep = byte;
		break;
	}
}

/* Prefixes and opcode; returns the opcode's table entry. */
static u32 decode_opcode(struct insn *i, struct cursor *c)
{
	u32 entry;

	for (;;) {
		i->opcode = cursor_byte(c);
		entry = insn_table_1[i->opcode];
		if ((entry & INSN_PREFIX) && c->at <= INSN_MAX)
			decode_prefix(i, i->opcode);
		else if (i->mode == INSN_64 && (i->opcode & 0xf0) == 0x40 && c->at <= INSN_MAX)
			i->rex = i->opcode;
		else
			break;
	}
	if (i->opcode != 0x0f)
		return entry;
	i->opcode = cursor_byte(c);
	switch (i->opcode) {
	case 0x38:
		i->map = INSN_MAP_0F38;
		i->opcode = cursor_byte(c);
		return INSN_MODRM;
	case 0x3a:
		i->map = INSN_MAP_0F3A;
		i->opcode = cursor_byte(c);
		return INSN_MODRM | IMM_BYTE;
	default:
		i->map = INSN_MAP_0F;
		return insn_table_0f[i->opcode];
	}
}

static void decode_operand_size(struct insn *i, u32 entry)
{
	if (i->mode == INSN_64 && (i->rex & REX_W))
		i->operand_size = 8;
	else if (i->mode == INSN_16)
		i->operand_size = i->opsize ? 4 : 2;
	else if (i->opsize)
		i->operand_size = 2;
	else
		i->operand_size = i->mode == INSN_64 && (entry & INSN_D64) ? 8 : 4;
}

/* 62h, 8Fh, C4h and C5h: true if it is the prefix of another encoding and not BOUND, POP, LES or LDS. */
static bool decode_is_vex(const struct insn *i, const struct cursor *c)
{
	u8 next = c->bytes[c->at];

	if (i->opcode == 0x8f)
		return next & 0x38; /* XOP's map is 8 or more; POP is /0 */
	return i->mode == INSN_64 || next >= 0xc0;
}

/* A 16-bit address (APM 3 table A-32). */
static void decode_address16(struct insn *i, struct cursor *c, u8 mod, u8 rm)
{
	static const u8 base[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };

	i->base = base[rm];
	if (rm < 4)
		i->index = 6 + (rm & 1);
	if (mod == 0 && rm == 6) {
		i->base = INSN_REG_NONE;
		mod = 2;
	}
	i->displacement = cursor_signed(c, mod);
}

/* A 32-bit or 64-bit address (APM 3 tables ). */
static void decode_address32(struct insn *i, struct cursor *c, u8 mod, u8 rm)
{
	bool no_base = mod == 0 && rm == 5;

	i->base = rm | (i->rex & REX_B) << 3;
	if (rm == 4) {
		u8 sib = cursor_byte(c);
		u8 index = ((sib >> 3) & 7) | (i->rex & REX_X) << 2;

		i->shift = sib >> 6;
		i->index = index == 4 ? INSN_REG_NONE : index;
		i->base = (sib & 7) | (i->rex & REX_B) << 3;
		no_base = mod == 0 && (sib & 7) == 5;
	}
	if (no_base) {
		i->base = rm == 5 && i->mode == INSN_64 ? INSN_REG_RIP : INSN_REG_NONE;
		mod = 2;
	}
	i->displacement = cursor_signed(c, mod == 2 ? 4 : mod);
}

static void decode_modrm(struct insn *i, struct cursor *c, u32 entry)
{
	u8 modrm = cursor_byte(c);
	u8 mod = modrm >> 6, rm = modrm & 7;

	i->has_modrm = true;
	i->reg = ((modrm >> 3) & 7) | (i->rex & REX_R) << 1;
	if (mod == 3 || (entry & INSN_REGISTER)) {
		i->rm = rm | (i->rex & REX_B) << 3;
		return;
	}
	i->memory = true;
	if (i->address_size == 2)
		decode_address16(i, c, mod, rm);
	else
		decode_address32(i, c, mod, rm);
}

static void decode_immediate(struct insn *i, struct cursor *c, u32 entry)
{
	u32 z = MIN(i->operand_size, 4);

	switch (entry & INSN_IMM) {
	case IMM_NONE:
		return;
	case IMM_BYTE:
		i->immediate = cursor_signed(c, 1);
		return;
	case IMM_WORD:
		i->immediate = cursor_signed(c, 2);
		return;
	case IMM_TEST:
		if ((i->reg & 7) < 2)
			i->immediate = cursor_signed(c, i->byte ? 1 : z);
		return;
	case IMM_Z:
		/* A 66h before a near branch shortens it as on AMD's processors; Intel's ignore it. */
		i->immediate = cursor_signed(c, z);
		return;
	case IMM_V:
		i->immediate = cursor_signed(c, i->operand_size);
		return;
	case IMM_MOFFS:
		i->memory = true;
		i->displacement = cursor_signed(c, i->address_size);
		return;
	case IMM_FAR:
		i->immediate = cursor_signed(c, z);
		i->immediate2 = (u16)cursor_signed(c, 2);
		return;
	case IMM_ENTER:
		i->immediate = cursor_signed(c, 2);
		i->immediate2 = (u8)cursor_signed(c, 1);
		return;
	}
}

/* SSE4a's EXTRQ and INSERTQ have two immediates, which tables of one opcode cannot say (APM 4). */
static bool decode_is_sse4a(const struct insn *i)
{
	return i->map == INSN_MAP_0F && i->opcode == 0x78 && (i->opsize || i->rep == 0xf2);
}

int insn_decode(struct insn *i, const u8 *bytes, u32 len, enum insn_mode mode)
{
	struct cursor c;
	u32 entry, end = MIN(len, INSN_MAX);

	cursor_init(&c, bytes, end);
	*i = (struct insn){
		.mode = mode,
		.segment = SEG_BY_BASE,
		.address_size = mode / 8,
		.base = INSN_REG_NONE,
		.index = INSN_REG_NONE,
	};
	entry = decode_opcode(i, &c);
	i->byte = entry & INSN_BYTE;
	decode_operand_size(i, entry);
	if ((entry & INSN_VEX) && c.at < end && decode_is_vex(i, &c))
		return ERR_UNSUPPORTED;
	if (entry & INSN_MODRM)
		decode_modrm(i, &c, entry);
	decode_immediate(i, &c, entry);
	if (decode_is_sse4a(i))
		i->immediate2 = (u16)cursor_signed(&c, 2);
	if (c.at > end)
		return end == INSN_MAX ? ERR_INVAL : ERR_FAULT;
	if ((entry & INSN_UNDEF) || ((entry & INSN_NOT64) && mode == INSN_64))
		return ERR_INVAL;
	if (i->segment == SEG_BY_BASE)
		i->segment = i->base == 4 || i->base == 5 ? SEG_IS_SS : SEG_IS_DS;
	i->length = c.at;
	return 0;
}

/* From a copy: the bytes may be others' to change. */
int insn_decode_keyed(struct insn_key *k, struct insn *i, const u8 *bytes, u32 len, enum insn_mode mode)
{
	const u64 *b = (const u64 *)bytes;
	int error;

	k->bytes[0] = b[0];
	k->bytes[1] = b[1];
	error = insn_decode(i, (const u8 *)k->bytes, len, mode);
	k->len = error ? 0 : len;
	k->mode = mode;
	return error;
}

int insn_length(const u8 *bytes, u32 len, enum insn_mode mode)
{
	struct insn i;
	int error;

	/* CPUID, RDMSR, WRMSR, RDTSC, INVD, WBINVD, CLTS; MOV CR and DR, VMMCALL; HLT and the like. */
	if (len >= 3 && bytes[0] == 0x0f) {
		u32 entry = insn_table_0f[bytes[1]];

		if (entry == 0 && bytes[1] != 0x38 && bytes[1] != 0x3a)
			return 2;
		if ((entry & INSN_REGISTER) || (entry == INSN_MODRM && bytes[2] >= 0xc0))
			return 3;
	}
	if (len >= 1 && insn_table_1[bytes[0]] == 0 && (bytes[0] & 0xf0) != 0x40)
		return 1;
	error = insn_decode(&i, bytes, len, mode);
	return error ? error : i.length;
}

bool insn_plain_move(const struct insn *i, struct insn_move *m)
{
	if (i->map != INSN_MAP_1 || !i->memory)
		return false;
	*m = (struct insn_move){ .size = i->operand_size, .reg = i->reg };
	switch (i->opcode) {
	case 0x89:
	case 0xa3: /* reg is 0: RAX */
		m->store = true;
		return true;
	case 0x8b:
	case 0xa1:
		return true;
	case 0xc7:
		m->store = m->immediate = true;
		m->value = i->immediate;
		return (i->reg & 7) == 0;
	default:
		return false;
	}
}
