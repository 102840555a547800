/* From a segment and an offset to a linear address, with the checks of the mode (APM 2 §4.5, §4.7, §4.12).
 * The processor has checked the operand that exited already; these checks matter for every further access. */
#include "vmm/lib/emulate_parts.h"

#define ATTR_WRITABLE BIT(1) /* data; readable for code */
#define ATTR_EXPAND_DOWN BIT(2)
#define ATTR_CODE BIT(3)
#define ATTR_PRESENT BIT(7)
#define ATTR_BIG BIT(10)
#define CR4_LA57 BIT(12)

static bool is_canonical(struct emulate *e, u64 linear)
{
	if (linear + BIT(47) < BIT(48))
		return true;
	return linear + BIT(56) < BIT(57) && (e->ops->state(e->ctx)->cr4 & CR4_LA57);
}

static bool is_allowed(const struct vcpu_segment *s, u32 access)
{
	if (!(s->attr & ATTR_PRESENT))
		return false;
	if (s->attr & ATTR_CODE)
		return !(access & ACCESS_WRITE) && (s->attr & ATTR_WRITABLE);
	return !(access & ACCESS_WRITE) || (s->attr & ATTR_WRITABLE);
}

static bool is_within(const struct vcpu_segment *s, bool protected, u64 first, u64 last)
{
	if (protected && (s->attr & (ATTR_CODE | ATTR_EXPAND_DOWN)) == ATTR_EXPAND_DOWN)
		return first > s->limit && last <= (s->attr & ATTR_BIG ? UINT32_MAX : UINT16_MAX);
	return last <= s->limit;
}

int emulate_segment_linear(struct emulate *e, u32 seg, u64 offset, u32 size, u32 access, u64 *linear)
{
	u8 mode = e->page->exit.mode, vector = seg == SEG_SS ? VECTOR_SS : VECTOR_GP;
	bool protected = mode == MODE_PROT16 || mode == MODE_PROT32;
	const struct vcpu_segment *s;

	if (mode == MODE_LONG) {
		*linear = offset;
		if (seg == SEG_FS || seg == SEG_GS)
			*linear += e->ops->state(e->ctx)->seg[seg].base;
		if (is_canonical(e, *linear) && is_canonical(e, *linear + size - 1))
			return 0;
		return emulate_inject(e->page, vector, 0);
	}
	s = &e->ops->state(e->ctx)->seg[seg];
	if ((protected && !is_allowed(s, access)) || !is_within(s, protected, offset, offset + size - 1))
		return emulate_inject(e->page, vector, 0);
	*linear = (u32)(s->base + offset);
	return 0;
}

int emulate_segment_jump(struct emulate *e, u64 target, u32 size)
{
	bool ok;

	target &= emulate_operand_mask(size);
	if (e->page->exit.mode == MODE_LONG)
		ok = is_canonical(e, target);
	else
		ok = target <= e->ops->state(e->ctx)->seg[SEG_CS].limit;
	if (!ok)
		return emulate_inject(e->page, VECTOR_GP, 0);
	e->next_rip = target;
	return 0;
}
