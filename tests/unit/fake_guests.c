/* The guests of fake_guests.h. */
#include "tests/unit/fake_guests.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/gmem_leaf.h"
#include "kernel/heap.h"

struct fake_guest fake_guests[FAKE_GUESTS];
void (*fake_before_flush)(struct fake_guest *g);
u64 fake_flushes;
u32 fake_looks;

/* The heap: the C library's, so that a use after its end is seen.  What the kernel keeps for ever stays reachable. */
#define KEPT 4096
static void *kept[KEPT];

void *heap_alloc(size_t size)
{
	void *p = calloc(1, size);

	for (u32 i = 0; i < KEPT; i++)
		if (!kept[i])
			return kept[i] = p;
	abort();
}

void heap_free(void *p, size_t size)
{
	for (u32 i = 0; i < KEPT; i++)
		if (kept[i] == p)
			kept[i] = NULL;
	free(p);
}

/* A pass is made when a test wants one. */
void merge_look(void)
{
	fake_looks++;
}

static void take(struct fake_vcpu_tlb *v)
{
	while (__atomic_exchange_n(&v->taken, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void leave(struct fake_vcpu_tlb *v)
{
	__atomic_store_n(&v->taken, 0, __ATOMIC_RELEASE);
}

/* What a vCPU could still reach when the flush was asked for must not have been freed. */
static void shootdown(struct gmem *m)
{
	struct fake_guest *g = CONTAINER_OF(m, struct fake_guest, m);

	if (fake_before_flush)
		fake_before_flush(g);
	for (u32 v = 0; v < FAKE_VCPUS; v++) {
		take(&g->vcpu[v]);
		for (u32 i = 0; i < FAKE_TLB; i++)
			if (g->vcpu[v].tlb[i].page)
				assert_int_not_equal(frame_refs((hpa_t){ g->vcpu[v].tlb[i].frame }), 0);
		memset(g->vcpu[v].tlb, 0, sizeof(g->vcpu[v].tlb));
		leave(&g->vcpu[v]);
	}
	__atomic_add_fetch(&m->generation, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&fake_flushes, 1, __ATOMIC_RELAXED);
}

void fake_guests_start(void)
{
	memset(fake_guests, 0, sizeof(fake_guests));
	memset(&merge_counts, 0, sizeof(merge_counts));
	memset(&gmem_totals, 0, sizeof(gmem_totals));
	fake_before_flush = NULL;
	fake_flushes = 0;
	fake_looks = 0;
	assert_int_equal(gmem_start(), 0);
	assert_int_equal(merge_init(0x1234567), 0);
}

void fake_guest_create(u32 g, u64 len, const char *group, const struct table_format *format)
{
	struct gmem *m = &fake_guests[g].m;

	memset(&fake_guests[g], 0, sizeof(fake_guests[g]));
	fake_guests[g].account = (struct ledger_account){ .full = BIT(40), .min = BIT(40) };
	assert_int_equal(gmem_init(m, format, len, &fake_guests[g].account, 0, shootdown), 0);
	for (u64 done = 0; done < len;) {
		s64 part = gmem_map(m, done, len - done, MAP_RAM, 0);

		assert_true(part > 0);
		done += (u64)part;
	}
	if (*group)
		assert_int_equal(merge_join(m, group, *group == 'u'), 0);
}

void fake_guest_destroy(u32 g)
{
	struct gmem *m = &fake_guests[g].m;

	assert_true(merge_leave(m));
	memset(fake_guests[g].vcpu, 0, sizeof(fake_guests[g].vcpu));
	while (!gmem_fini_step(m))
		;
}

void fake_merge_pass(void)
{
	struct merge_member *member;

	for (u32 number = 0; (member = merge_next(number)); number = member->number) {
		while (!merge_scan(member))
			;
		merge_release(member);
	}
}

/* The leaf of a page that is present, also a large one, NULL; and what it says of this page. */
static u64 *entry_of(struct gmem *m, u64 gpa, u64 *leaf)
{
	u32 level;
	u64 *entry = table_find(m->format, m->root, gpa, &level);

	*leaf = __atomic_load_n(entry, __ATOMIC_SEQ_CST);
	if (!(*leaf & m->format->present))
		return NULL;
	*leaf = (*leaf & ~TABLE_ADDRESS) | gmem_leaf_frame_of(*leaf, level, gpa).v;
	return entry;
}

u64 fake_leaf(u32 g, u64 gpa)
{
	u64 leaf;

	return entry_of(&fake_guests[g].m, gpa, &leaf) ? leaf : 0;
}

u64 fake_frame(u32 g, u64 gpa)
{
	return gmem_leaf_frame(fake_leaf(g, gpa)).v;
}

/* The first write through a translation sets the dirty bit in whatever entry there is now, writable or not; false: none
 * is present, a fault. */
static bool set_dirty(struct gmem *m, struct fake_translation *t)
{
	u64 leaf, *entry = t->dirty ? NULL : entry_of(m, t->page - 1, &leaf);

	if (t->dirty || !entry)
		return t->dirty;
	if ((leaf & TABLE_ADDRESS) != t->frame)
		fail_msg("a vCPU writes to a frame that %lx had", (unsigned long)(t->page - 1));
	__atomic_or_fetch(entry, m->format->dirty, __ATOMIC_SEQ_CST);
	t->dirty = true;
	return true;
}

/* The translation that an access may use, cached or from the tables; NULL for a fault.  v taken. */
static struct fake_translation *translate(struct gmem *m, struct fake_vcpu_tlb *v, u64 page, bool write)
{
	struct fake_translation *t = &v->tlb[(page >> PAGE_SHIFT) % FAKE_TLB];
	u64 leaf;

	if (t->page != page + 1 || (write && !t->write)) {
		if (!entry_of(m, page, &leaf) || (write && !(leaf & m->format->write)))
			return NULL;
		*t = (struct fake_translation){ page + 1, leaf & TABLE_ADDRESS, leaf & m->format->write,
						!m->format->dirty };
	}
	return write && !set_dirty(m, t) ? NULL : t;
}

static bool access(u32 g, u32 vcpu, u64 gpa, u8 *value, bool write)
{
	struct gmem *m = &fake_guests[g].m;
	struct fake_vcpu_tlb *v = &fake_guests[g].vcpu[vcpu];

	for (;;) {
		struct fake_translation *t;
		u8 *at;

		take(v);
		t = translate(m, v, gpa & PAGE_MASK, write);
		at = t ? (u8 *)t->frame + gpa % PAGE_SIZE : NULL;
		if (at && write)
			__atomic_store_n(at, *value, __ATOMIC_RELAXED);
		else if (at)
			*value = __atomic_load_n(at, __ATOMIC_RELAXED);
		leave(v);
		if (at)
			return true;
		if (gmem_fault(m, gpa, write))
			return false;
	}
}

bool fake_vcpu_read(u32 g, u32 vcpu, u64 gpa, u8 *value)
{
	return access(g, vcpu, gpa, value, false);
}

bool fake_vcpu_write(u32 g, u32 vcpu, u64 gpa, u8 value)
{
	return access(g, vcpu, gpa, &value, true);
}

/* ---- what must hold ---- */

#define MERGED_MAX 4096

static struct seen {
	u64 frame, uses;
	u32 group;
} seen[MERGED_MAX];
static u32 seen_count;

static void see_merged(const struct merge_member *member, u64 frame)
{
	u64 note = *frame_note((hpa_t){ frame });
	u32 i = 0;

	assert_non_null(member);
	assert_int_equal(merge_note_group(note), member->group);
	assert_true(merge_note(merge_digest((void *)frame, member->group), member->group) == note);
	while (i < seen_count && seen[i].frame != frame)
		i++;
	if (i == seen_count) {
		assert_true(seen_count < MERGED_MAX);
		seen[seen_count++] = (struct seen){ frame, 0, member->group };
	}
	assert_int_equal(seen[i].group, member->group);
	seen[i].uses++;
}

static void check_leaf(struct fake_guest *g, u64 leaf, u64 *counts)
{
	hpa_t frame = gmem_leaf_frame(leaf);

	assert_true(frame_refs(frame) > 0);
	if (gmem_leaf_private(frame)) {
		counts[0]++;
		assert_int_equal(frame_refs(frame), 1);
		return;
	}
	counts[1]++;
	assert_int_equal(leaf & g->m.format->write, 0);
	assert_int_equal(leaf & g->m.format->dirty, 0);
	if (frame.v == gmem_zero_frame.v)
		counts[2] += (leaf & LEAF_GIVEN) != 0;
	if (frame_kind_of(frame) == FRAME_MERGED) {
		counts[3]++;
		see_merged(g->m.member, frame.v);
	}
}

static void check_translations(struct fake_guest *g)
{
	for (u32 v = 0; v < FAKE_VCPUS; v++)
		for (u32 i = 0; i < FAKE_TLB; i++) {
			const struct fake_translation *t = &g->vcpu[v].tlb[i];
			u64 leaf;

			if (!t->page)
				continue;
			assert_non_null(entry_of(&g->m, t->page - 1, &leaf));
			assert_true((leaf & TABLE_ADDRESS) == t->frame);
			assert_true(!t->write || leaf & g->m.format->write);
			assert_true(!t->write || !t->dirty || (leaf & gmem_leaf_dirt(&g->m)));
		}
}

void fake_guests_check(void)
{
	u64 merged = 0;

	seen_count = 0;
	for (u32 g = 0; g < FAKE_GUESTS; g++) {
		struct gmem *m = &fake_guests[g].m;
		u64 counts[4] = { 0 }, gpa = 0, large = 0;
		struct leaf_run run;

		if (!m->root.v)
			continue;
		while (gmem_leaf_run(m, &gpa, &run)) {
			for (u32 i = 0; i < run.count; i++)
				if (run.entries[i] & m->format->present)
					check_leaf(&fake_guests[g], run.entries[i], counts);
			large += run.large ? 1 : 0;
			for (u64 page = run.gpa; run.large && page < gpa; page += PAGE_SIZE)
				check_leaf(&fake_guests[g], gmem_leaf_part(m, *run.large, page), counts);
		}
		assert_int_equal(large, m->large_leaves);
		assert_int_equal(counts[0], m->private_pages);
		assert_int_equal(fake_guests[g].account.used, m->private_pages + m->tables);
		assert_int_equal(counts[1], m->shared_pages);
		assert_int_equal(counts[2], m->given_pages);
		assert_int_equal(counts[3], m->merged_pages);
		merged += counts[3];
		check_translations(&fake_guests[g]);
	}
	assert_int_equal(merged, gmem_totals.merged);
	assert_int_equal(seen_count, frame_count(FRAME_MERGED));
	for (u32 i = 0; i < seen_count; i++)
		assert_int_equal(frame_refs((hpa_t){ seen[i].frame }), seen[i].uses);
	for (u64 i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(((u8 *)gmem_zero_frame.v)[i], 0);
}
