/* The emulator's frame: gets the instruction, has it executed, commits RIP.  Instructions are in emulate_one,
 * emulate_two, emulate_string and emulate_stack; what their operands mean is in emulate_operand. */
#include "vmm/lib/emulate.h"

#include "kernel/lib/string.h"
#include "vmm/lib/emulate_parts.h"

int emulate_inject(struct vcpu_page *page, u8 vector, u32 error_code)
{
	page->inject.valid = 1;
	page->inject.vector = vector;
	page->inject.has_error = vector != VECTOR_UD;
	page->inject.error = error_code;
	page->inject.cr2 = 0;
	return EMULATE_FAULT;
}

int emulate_page_fault(struct vcpu_page *page, u32 error_code, u64 linear)
{
	emulate_inject(page, VECTOR_PF, error_code);
	page->inject.cr2 = linear;
	return EMULATE_FAULT;
}

static enum insn_mode code_mode(const struct emulate *e)
{
	switch (e->page->exit.mode) {
	case MODE_LONG: return INSN_64;
	case MODE_PROT32: return INSN_32;
	default: return INSN_16;
	}
}

/* Where the code is and how many bytes of it CS lets us fetch. */
static int code_window(struct emulate *e, u64 *linear, u32 *room)
{
	const struct vcpu_segment *cs;
	u64 rip = e->page->rip;

	*room = INSN_MAX;
	*linear = rip;
	if (e->page->exit.mode == MODE_LONG)
		return 0;
	cs = &e->ops->state(e->ctx)->seg[SEG_CS];
	if (rip > cs->limit)
		return emulate_inject(e->page, VECTOR_GP, 0);
	*room = MIN(INSN_MAX, cs->limit - rip + 1);
	*linear = (u32)(cs->base + rip);
	return 0;
}

/* Fetches page by page, because the next page may be absent and not needed. */
static int code_fetch(struct emulate *e)
{
	struct vcpu_exit *exit = &e->page->exit;
	u32 have = 0, room;
	u64 start;
	int r = code_window(e, &start, &room);

	while (r == 0 && have < room) {
		u64 linear = start + have;
		u32 n;

		if (exit->mode != MODE_LONG)
			linear = (u32)linear;
		n = MIN(room - have, PAGE_SIZE - (linear & ~PAGE_MASK));
		r = e->ops->read(e->ctx, linear, exit->insn + have, n,
				 ACCESS_FETCH | emulate_segment_user(e));
		if (r)
			break;
		have += n;
		exit->insn_len = have;
		r = insn_decode(&e->insn, exit->insn, have, code_mode(e));
		if (r != ERR_FAULT)
			return r;
		r = 0;
	}
	return r ? r : emulate_inject(e->page, VECTOR_GP, 0); /* it passes CS's limit */
}

static int code_decode(struct emulate *e)
{
	struct vcpu_exit *exit = &e->page->exit;
	int r;

	exit->insn_len = MIN(exit->insn_len, INSN_MAX);
	r = insn_decode_again(&e->key, &e->insn, exit->insn, exit->insn_len, code_mode(e));
	if (r == ERR_FAULT)
		r = code_fetch(e);
	if (r == ERR_INVAL) /* another vCPU changed the code meanwhile */
		return emulate_inject(e->page, VECTOR_UD, 0);
	return r;
}

/* The processor has checked the guest's right to this port in this direction, and nothing else.  If the
 * instruction is no longer the one that exited, another vCPU wrote over it: it has to be executed anew. */
static bool is_permitted(const struct emulate *e)
{
	const struct vcpu_exit *exit = &e->page->exit;
	const struct insn *i = &e->insn;
	bool string_io = i->map == INSN_MAP_1 && i->opcode >= 0x6c && i->opcode <= 0x6f;

	if (exit->kind != EXIT_IO)
		return !string_io;
	return string_io && exit->io.string && exit->io.in == (i->opcode < 0x6e) &&
	       exit->io.size == (i->byte ? 1 : MIN(i->operand_size, 4)) &&
	       exit->io.port == (u16)e->page->gpr[GPR_RDX];
}

static int execute(struct emulate *e)
{
	if (emulate_plain(e))
		return EMULATE_DONE;
	switch (e->insn.map) {
	case INSN_MAP_1: return emulate_one(e);
	case INSN_MAP_0F:
	case INSN_MAP_0F38: return emulate_two(e);
	default: return ERR_UNSUPPORTED;
	}
}

int emulate_run(struct emulate *e)
{
	struct vcpu_page *page = e->page;
	bool step = page->rflags & RFLAGS_TF;
	int r;

	if (page->exit.kind == EXIT_MMIO && page->exit.mmio.fetch)
		return ERR_UNSUPPORTED;
	r = code_decode(e);
	if (r)
		return r;
	if (!is_permitted(e))
		return EMULATE_DONE;
	e->next_rip = page->rip + e->insn.length;
	if (page->exit.mode != MODE_LONG)
		e->next_rip = (u32)e->next_rip;
	r = execute(e);
	if (r == EMULATE_DONE) {
		page->rip = e->next_rip;
		page->rflags &= ~RFLAGS_RF;
	}
	if (r != EMULATE_DONE && r != EMULATE_AGAIN)
		return r;
	if (step)
		e->ops->trap(e->ctx);
	return EMULATE_DONE;
}
