/* Processors as the hardware has them.  Each vCPU goes on using what it once translated, rights and dirty flag
 * included, until it is flushed: in guest mode by the shootdown, outside of it by the generation that it finds
 * when it enters again.  The walk is written anew, from APM 2 §5.3 and SDM 3C §29.3, and sets accessed and dirty
 * bits. */
#include <string.h>

#include "tests/model/model.h"

struct translation {
	u64 page; /* its gpa + 1, 0: none */
	u64 frame;
	bool write, dirty;
};

static struct vcpu {
	bool in_guest;
	u64 generation; /* that was found at the last entry */
	struct translation tlb[MODEL_PAGES];
} vcpus[MODEL_GUESTS][MODEL_VCPUS];

static struct race {
	bool armed, wrote;
	u32 writer, reader, page, offset;
	u8 value;
} races[MODEL_GUESTS];

bool mmu_race_blind;

static u32 number_of(const struct model_guest *g)
{
	return (u32)(g - model_guests);
}

static struct translation *tlb_entry(struct vcpu *v, u64 gpa)
{
	u32 page = model_page_at(gpa);

	REQUIRE(page < MODEL_PAGES);
	return &v->tlb[page];
}

enum purpose { LOOK, READ, WRITE }; /* LOOK: as a reader, and leaves no trace */

/* One walk.  false: a stage-2 fault.  *large: a leaf of 2 MiB was found. */
static bool walk(struct model_guest *g, u64 gpa, enum purpose purpose, struct translation *t, bool *large)
{
	const struct table_format *f = g->gmem.format;
	u64 *entry, frame = g->gmem.root.v, inside;
	u32 level = 4;

	do {
		level--;
		entry = (u64 *)frame + (gpa >> (12 + 9 * level) & 511);
		if (!(*entry & f->present) || (purpose == WRITE && !(*entry & f->write)))
			return false;
		if (purpose != LOOK)
			*entry |= f->accessed;
		frame = *entry & TABLE_ADDRESS;
	} while (level && !(*entry & f->large));
	if (purpose == WRITE)
		*entry |= f->dirty;
	REQUIRE(level < 2);
	*large = level;
	inside = (PAGE_SIZE << 9 * level) - 1;
	*t = (struct translation){ (gpa & PAGE_MASK) + 1, (frame & ~inside) + (gpa & inside & PAGE_MASK),
				   *entry & f->write, *entry & f->dirty || (!f->dirty && *entry & f->write) };
	return true;
}

/* What a large leaf was found for serves all pages of its block. */
static void keep_large(struct vcpu *v, u64 gpa, const struct translation *t)
{
	u64 block = ALIGN_DOWN(gpa, 2 * MIB), frame = ALIGN_DOWN(t->frame, 2 * MIB);

	for (u32 page = 0; page < MODEL_PAGES; page++) {
		u64 offset = model_gpa(page) - block;

		if (offset < 2 * MIB)
			v->tlb[page] = (struct translation){ block + offset + 1, frame + offset, t->write, t->dirty };
	}
}

static struct translation *translate(struct model_guest *g, struct vcpu *v, u64 gpa, bool write)
{
	struct translation *t = tlb_entry(v, gpa), found;
	bool large;

	if (t->page && (!write || (t->write && t->dirty)))
		return t;
	if (!walk(g, gpa, write ? WRITE : READ, &found, &large))
		return NULL;
	*t = found;
	if (large)
		keep_large(v, gpa, &found);
	return t;
}

/* As vcpu_run.c's enter: what was taken away while it was outside is forgotten now. */
static void enter(struct model_guest *g, struct vcpu *v)
{
	if (!v->in_guest && v->generation != g->gmem.generation)
		memset(v->tlb, 0, sizeof(v->tlb));
	v->generation = g->gmem.generation;
	v->in_guest = true;
}

static u8 *reach(struct model_guest *g, u32 vcpu, u64 gpa, bool write)
{
	struct vcpu *v = &vcpus[number_of(g)][vcpu];
	struct translation *t;
	int error;

	enter(g, v);
	for (u32 faults = 0; !(t = translate(g, v, gpa, write)); faults++) {
		v->in_guest = false;
		REQUIRE(faults < 3);
		error = gmem_fault(&g->gmem, gpa, write);
		if (error) {
			REQUIRE(error == ERR_NOMEM);
			return NULL;
		}
		enter(g, v);
	}
	return (u8 *)t->frame + gpa % PAGE_SIZE;
}

int mmu_read(struct model_guest *g, u32 vcpu, u64 gpa, u8 *value)
{
	u8 *at = reach(g, vcpu, gpa, false);

	if (!at)
		return ERR_NOMEM;
	*value = *at;
	return 0;
}

int mmu_write(struct model_guest *g, u32 vcpu, u64 gpa, u8 value)
{
	u8 *at = reach(g, vcpu, gpa, true);

	if (!at)
		return ERR_NOMEM;
	*at = value;
	return 0;
}

u8 *mmu_page(struct model_guest *g, u32 vcpu, u64 gpa)
{
	return reach(g, vcpu, gpa & PAGE_MASK, true);
}

void mmu_leave(struct model_guest *g, u32 vcpu)
{
	vcpus[number_of(g)][vcpu].in_guest = false;
}

void mmu_arm(struct model_guest *g, u32 writer, u32 reader, u32 page, u32 offset, u8 value)
{
	races[number_of(g)] = (struct race){ true, false, writer, reader, page, offset, value };
}

bool mmu_raced(struct model_guest *g, u32 page, u64 offset)
{
	const struct race *r = &races[number_of(g)];

	return r->wrote && r->page * PAGE_SIZE + r->offset == page * PAGE_SIZE + offset;
}

void mmu_race_over(void)
{
	for (u32 n = 0; n < MODEL_GUESTS; n++)
		races[n].wrote = false;
}

/* What other processors may still do between the change of a table and the flush: without a fault (its handler
 * would wait for the lock), a write and then a read that must see it. */
static void race(struct model_guest *g)
{
	struct race *r = &races[number_of(g)];
	struct vcpu *writer = &vcpus[number_of(g)][r->writer], *reader = &vcpus[number_of(g)][r->reader];
	u64 gpa = model_gpa(r->page);
	struct translation *t;

	if (!r->armed || !model_whole(g, r->page, 0, 1, false))
		return;
	r->armed = false;
	if (writer->in_guest && (t = translate(g, writer, gpa, true))) {
		r->wrote = true;
		((u8 *)t->frame)[r->offset] = r->value;
		*model_byte(g, r->page, r->offset) = r->value;
	}
	if (reader->in_guest && !mmu_race_blind && (t = translate(g, reader, gpa, false)))
		if (((u8 *)t->frame)[r->offset] != *model_byte(g, r->page, r->offset))
			model_fail("guest %u: a vCPU reads page %u while it changes, and not what is there",
				   number_of(g), r->page);
}

void mmu_shootdown(struct gmem *m)
{
	struct model_guest *g = (struct model_guest *)((u8 *)m - offsetof(struct model_guest, gmem));
	struct vcpu *all = vcpus[number_of(g)];

	for (u32 v = 0; v < MODEL_VCPUS; v++)
		for (u32 i = 0; i < MODEL_PAGES; i++)
			if (all[v].in_guest && all[v].tlb[i].page &&
			    frame_kind_of((hpa_t){ all[v].tlb[i].frame }) == FRAME_FREE)
				model_fail("guest %u: page %u was freed before its flush", number_of(g), i);
	race(g);
	m->generation++;
	for (u32 v = 0; v < MODEL_VCPUS; v++) {
		if (!all[v].in_guest)
			continue;
		memset(all[v].tlb, 0, sizeof(all[v].tlb));
		all[v].generation = m->generation;
	}
}

void mmu_forget(struct model_guest *g)
{
	memset(vcpus[number_of(g)], 0, sizeof(vcpus[0]));
	races[number_of(g)] = (struct race){ 0 };
}

static void check_translation(struct model_guest *g, const struct translation *t)
{
	struct translation now;
	u64 gpa = t->page - 1;
	bool large;

	if (!walk(g, gpa, LOOK, &now, &large) || now.frame != t->frame || (t->write && !now.write) ||
	    (t->dirty && !now.dirty))
		model_fail("guest %u: a vCPU still reaches what was in page %u", number_of(g), model_page_at(gpa));
}

/* A vCPU that is outside is checked if it would not be flushed at its entry. */
void mmu_check(void)
{
	for (u32 n = 0; n < model_guest_count; n++)
		for (u32 i = 0; i < MODEL_VCPUS; i++) {
			struct vcpu *v = &vcpus[n][i];

			for (u32 p = 0; p < MODEL_PAGES; p++)
				if (v->tlb[p].page && v->generation == model_guests[n].gmem.generation)
					check_translation(&model_guests[n], &v->tlb[p]);
		}
}
