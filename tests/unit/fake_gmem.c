/* The vCPUs' translations of fake_gmem.h: a small table that is emptied by the shootdown only. */
#include "tests/unit/fake_gmem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/gmem_leaf.h"

#define CACHED 1024 /* more than a test's guests use at a time; a further one replaces */

struct gmem fake_gmem;
static struct ledger_account account;
u64 fake_flushes;
void (*fake_flushed)(void);

static struct translation {
	u64 page; /* its gpa + 1, 0: none */
	u64 frame;
	bool write;
} cached[CACHED];

static u64 free_at_start;

/* What the guest could still reach when the flush was asked for must still be its own. */
static void shootdown(struct gmem *m)
{
	for (u32 i = 0; i < CACHED; i++)
		if (cached[i].page)
			assert_int_not_equal(frame_kind_of((hpa_t){ cached[i].frame }), FRAME_FREE);
	if (fake_flushed)
		fake_flushed();
	fake_forget_translations();
	m->generation++;
	fake_flushes++;
}

void fake_forget_translations(void)
{
	memset(cached, 0, sizeof(cached));
}

void fake_admit(struct ledger_account *a)
{
	*a = (struct ledger_account){ .full = BIT(40), .min = BIT(40) };
}

void fake_gmem_start(u64 limit)
{
	static u32 machine;

	if (machine != fake_machines)
		assert_int_equal(gmem_start(), 0);
	machine = fake_machines;
	free_at_start = frame_count(FRAME_FREE);
	fake_forget_translations();
	fake_flushed = NULL;
	fake_flushes = 0;
	fake_admit(&account);
	assert_int_equal(gmem_init(&fake_gmem, &table_format_npt, limit, &account, 0, shootdown), 0);
}

void fake_gmem_end(void)
{
	fake_check_translations();
	fake_forget_translations();
	while (!gmem_fini_step(&fake_gmem))
		;
	assert_int_equal(frame_count(FRAME_FREE), free_at_start);
	assert_int_equal(account.used, 0);
	assert_int_equal(frame_count(FRAME_GUEST), 0);
	assert_int_equal(frame_count(FRAME_TABLE), 0);
}

int fake_gmem_map(u64 gpa, u64 len, enum map_kind kind, u64 source)
{
	for (u64 done = 0; done < len;) {
		s64 part = gmem_map(&fake_gmem, gpa + done, len - done, kind, source ? source + done : 0);

		if (part < 0)
			return (int)part;
		assert_true(part > 0 && !(part & (s64)~PAGE_MASK));
		done += (u64)part;
	}
	return 0;
}

static u64 leaf(u64 gpa)
{
	u32 level;
	u64 entry = *table_find(fake_gmem.format, fake_gmem.root, gpa, &level);

	return entry & 1 ? (entry & ~TABLE_ADDRESS) | gmem_leaf_frame_of(entry, level, gpa).v : 0;
}

void fake_check_translations(void)
{
	for (u32 i = 0; i < CACHED; i++) {
		const struct translation *t = &cached[i];
		u64 entry;

		if (!t->page)
			continue;
		entry = leaf(t->page - 1);
		if ((entry & TABLE_ADDRESS) != t->frame || (t->write && !(entry & 2)))
			fail_msg("a vCPU still reaches what was at %lx", (unsigned long)(t->page - 1));
	}
}

/* As the processor does when it translates, not when it has done so before. */
static void set_accessed(u64 page)
{
	u32 level;

	*table_find(fake_gmem.format, fake_gmem.root, page, &level) |= fake_gmem.format->accessed;
}

/* The processor's walk with its cache; faults until the access goes through. */
static u8 *reach(u64 gpa, bool write)
{
	u64 page = gpa & PAGE_MASK, entry;
	struct translation *t = &cached[(page >> PAGE_SHIFT) % CACHED];

	if (t->page != page + 1 || (write && !t->write)) {
		for (u32 faults = 0; !(entry = leaf(page)) || (write && !(entry & 2)); faults++) {
			assert_true(faults < 2);
			assert_int_equal(gmem_fault(&fake_gmem, gpa, write), 0);
		}
		set_accessed(page);
		*t = (struct translation){ page + 1, entry & TABLE_ADDRESS, entry & 2 };
	}
	return (u8 *)t->frame + gpa % PAGE_SIZE;
}

u8 fake_guest_read(u64 gpa)
{
	return *reach(gpa, false);
}

void fake_guest_write(u64 gpa, u8 value)
{
	*reach(gpa, true) = value;
}

u8 fake_file_byte(u64 offset)
{
	return (u8)(offset * 31 + (offset >> PAGE_SHIFT) * 7 + 1);
}

u64 fake_file(u32 pages)
{
	u32 order = 0;
	hpa_t at;

	while (1u << order < pages)
		order++;
	at = frame_alloc(order, FRAME_FILE);
	assert_true(at.v);
	frame_split(at);
	for (u32 i = pages; i < 1u << order; i++)
		frame_put((hpa_t){ at.v + i * PAGE_SIZE });
	for (u64 i = 0; i < pages * PAGE_SIZE; i++)
		((u8 *)at.v)[i] = fake_file_byte(i);
	return at.v;
}

void fake_file_put(u64 base, u32 pages)
{
	for (u32 i = 0; i < pages; i++)
		frame_put((hpa_t){ base + i * PAGE_SIZE });
}
