/* Page walks in all of the paging modes: none, 32-bit, PAE, 4-level (APM 2 §5). */
#include "kernel/walk.h"

#include "arch/x86_64/registers.h"
#include "kernel/guest.h"
#include "kernel/vcpu.h"

#define PTE_PRESENT BIT(0)
#define PTE_WRITE BIT(1)
#define PTE_USER BIT(2)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY BIT(6)
#define PTE_LARGE BIT(7)
#define PTE_NX BIT(63)
#define PTE_ADDRESS 0x000ffffffffff000ull

#define TRIES 100 /* until an entry stays the same for a moment */

#define FAULT_PRESENT 1u /* APM 2 §8.4.2 */
#define FAULT_WRITE 2u
#define FAULT_USER 4u
#define FAULT_RESERVED 8u
#define FAULT_FETCH 16u

struct walk {
	struct gmem *m;
	struct vcpu_state s;
	u64 rflags;
	u32 access;
	bool wide;          /* 8-byte entries */
	struct walk_trace *trace; /* NULL: not wanted */
	u64 rights;         /* PTE_WRITE, PTE_USER of all levels and-ed; PTE_NX or-ed */
};

static s64 fault(const struct walk *w, u32 bits)
{
	if (w->access & ACCESS_WRITE)
		bits |= FAULT_WRITE;
	if (w->access & ACCESS_USER)
		bits |= FAULT_USER;
	if (w->access & ACCESS_FETCH && ((w->wide && w->s.efer & EFER_NXE) || w->s.cr4 & CR4_SMEP))
		bits |= FAULT_FETCH;
	return (s64)(WALK_FAULT | bits);
}

static int entry_read(const struct walk *w, u64 at, u64 *entry)
{
	u64 word;
	int error = gmem_read_word(w->m, at, &word);

	if (error)
		return error;
	*entry = w->wide ? word : (u32)(word >> (at & 4) * 8);
	return 0;
}

static void record(const struct walk *w, u64 at, u64 entry)
{
	struct walk_trace *t = w->trace;

	if (!t)
		return;
	if (!w->wide)
		t->count = 5;
	else if (t->count < 4)
		t->step[t->count].gpa = at, t->step[t->count++].value = entry;
}

/* Sets bits in an entry as the processor does: false when another vCPU has changed the entry meanwhile.  One
 * in ROM stays as it is. */
static bool entry_mark(const struct walk *w, u64 at, u64 entry, u64 bits)
{
	if ((entry & bits) == bits)
		return true;
	return gmem_swap(w->m, at, w->wide ? 8 : 4, entry, entry | bits) != ERR_AGAIN;
}

static bool allowed(const struct walk *w)
{
	bool user_page = w->rights & PTE_USER, write = w->access & ACCESS_WRITE;

	if (w->access & ACCESS_FETCH && w->rights & PTE_NX)
		return false;
	if (w->access & ACCESS_USER)
		return user_page && (!write || w->rights & PTE_WRITE);
	if (user_page && w->access & ACCESS_FETCH && w->s.cr4 & CR4_SMEP)
		return false;
	if (user_page && !(w->access & ACCESS_FETCH) && w->s.cr4 & CR4_SMAP && !(w->rflags & RFLAGS_AC))
		return false;
	return !write || w->rights & PTE_WRITE || !(w->s.cr0 & CR0_WP);
}

/* From level (0: leaf tables) down; table: gpa of that level's table.  ERR_AGAIN: an entry changed. */
static s64 descend(struct walk *w, u64 table, u32 level, u64 gva, u64 *gpa)
{
	u32 bits = w->wide ? 9 : 10;

	for (;; level--) {
		u32 shift = PAGE_SHIFT + bits * level;
		u64 at = table + (gva >> shift & (BIT(bits) - 1)) * (w->wide ? 8 : 4), entry;
		bool pdpt_pae = w->wide && level == 2 && !(w->s.efer & EFER_LMA);
		u64 marks;
		bool leaf;

		if (entry_read(w, at, &entry))
			return ERR_FAULT;
		if (!(entry & PTE_PRESENT))
			return fault(w, 0);
		if (entry & PTE_NX && w->wide && !(w->s.efer & EFER_NXE))
			return fault(w, FAULT_PRESENT | FAULT_RESERVED);
		if (!pdpt_pae) /* those have no rights */
			w->rights &= entry | ~(PTE_WRITE | PTE_USER);
		w->rights |= entry & PTE_NX;
		leaf = !level || (entry & PTE_LARGE && level < 3 && !pdpt_pae &&
				  (w->wide || w->s.cr4 & CR4_PSE));
		if (!leaf) {
			if (!pdpt_pae && !entry_mark(w, at, entry, PTE_ACCESSED))
				return ERR_AGAIN;
			record(w, at, pdpt_pae ? entry : entry | PTE_ACCESSED);
			table = entry & (w->wide ? PTE_ADDRESS : 0xfffff000ull);
			continue;
		}
		if (!allowed(w))
			return fault(w, FAULT_PRESENT);
		marks = PTE_ACCESSED | (w->access & ACCESS_WRITE ? PTE_DIRTY : 0);
		if (!entry_mark(w, at, entry, marks))
			return ERR_AGAIN;
		record(w, at, entry | marks);
		table = entry & (w->wide ? PTE_ADDRESS : 0xfffff000ull) & ~(BIT(shift) - 1);
		if (!w->wide && level) /* PSE-36: bits 13-20 are 32-39 */
			table = (entry & 0xffc00000ull) | (entry >> 13 & 0xff) << 32;
		*gpa = table | (gva & (BIT(shift) - 1));
		return 0;
	}
}

s64 walk_translate(struct vcpu *v, u64 gva, u32 access, u64 *gpa)
{
	return walk_traced(v, gva, access, gpa, NULL);
}

static s64 walk(struct vcpu *v, u64 gva, u32 access, u64 *gpa, struct walk_trace *trace)
{
	struct walk w = { .m = &v->guest->gmem, .access = access, .rflags = v->page->rflags, .trace = trace,
			  .rights = PTE_WRITE | PTE_USER };

	virt->get(v->hw, &w.s, VIRT_CONTROL);
	if (!(w.s.cr0 & CR0_PG)) {
		*gpa = gva & UINT32_MAX;
		return 0;
	}
	w.wide = w.s.cr4 & CR4_PAE;
	if (!w.wide)
		return descend(&w, w.s.cr3 & 0xfffff000ull, 1, gva & UINT32_MAX, gpa);
	if (!(w.s.efer & EFER_LMA))
		return descend(&w, w.s.cr3 & 0xffffffe0ull, 2, gva & UINT32_MAX, gpa);
	if ((s64)(gva << 16) >> 16 != (s64)gva)
		return fault(&w, 0);
	return descend(&w, w.s.cr3 & PTE_ADDRESS, 3, gva, gpa);
}

s64 walk_traced(struct vcpu *v, u64 gva, u32 access, u64 *gpa, struct walk_trace *trace)
{
	s64 result = ERR_AGAIN;

	for (u32 tries = 0; result == ERR_AGAIN && tries < TRIES; tries++) {
		if (trace)
			trace->count = 0;
		result = walk(v, gva, access, gpa, trace);
	}
	return result == ERR_AGAIN ? ERR_FAULT : result; /* its vCPUs do that on purpose */
}
