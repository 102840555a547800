/* The software page walk, in all paging modes, against hand-built tables: addresses, the matrix of rights,
 * error codes, accessed and dirty bits, and two walks that meet. */
/* links: kernel/walk.c kernel/gmem.c kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c kernel/merge_frame.c
 * kernel/gmem_map.c kernel/gmem_large.c kernel/gmem_region.c kernel/table.c kernel/frame.c kernel/lock.c
 * kernel/ledger.c arch/x86_64/table_format.c tests/unit/fake_gmem.c tests/unit/fake_arch.c tests/unit/fake_trap.c
 * kernel/merge_stock.c kernel/gmem_uniform.c tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "kernel/guest.h"
#include "kernel/vcpu.h"
#include "kernel/walk.h"
#include "tests/unit/fake_gmem.h"

const u64 fake_frames = 1024;
const u32 fake_cpu_count = 2;

static struct guest *g;
static struct vcpu vcpu;
static struct vcpu_page page;
static struct vcpu_state control;

static void get(struct virt_vcpu *v, struct vcpu_state *s, u32 groups)
{
	*s = control;
}

static const struct virt_ops ops = { .get = get };
const struct virt_ops *virt = &ops;

static void no_flush(struct gmem *m)
{
	m->generation++;
}

static void put(u64 gpa, u64 value, u32 size)
{
	assert_int_equal(gmem_write(&g->gmem, gpa, &value, size), 0);
}

static u64 entry_at(u64 gpa, u32 size)
{
	u64 value = 0;

	assert_int_equal(gmem_read(&g->gmem, gpa, &value, size), 0);
	return value;
}

static void begin(u64 cr0, u64 cr4, u64 efer)
{
	g = calloc(1, sizeof(*g));
	assert_int_equal(gmem_start(), 0);
	fake_admit(&g->account);
	assert_int_equal(gmem_init(&g->gmem, &table_format_npt, 16 * MIB, &g->account, 0, no_flush), 0);
	assert_true(gmem_map(&g->gmem, 0, MIB, MAP_RAM, 0) > 0);
	memset(&control, 0, sizeof(control));
	memset(&page, 0, sizeof(page));
	control.cr0 = cr0;
	control.cr4 = cr4;
	control.efer = efer;
	control.cr3 = 0x1000;
	vcpu.guest = g;
	vcpu.page = &page;
}

static void end(void)
{
	while (!gmem_fini_step(&g->gmem))
		;
	free(g);
}

static s64 walk(u64 gva, u32 access, u64 *gpa)
{
	*gpa = UINT64_MAX;
	return walk_translate(&vcpu, gva, access, gpa);
}

static void expect(u64 gva, u32 access, u64 gpa)
{
	u64 got;

	assert_int_equal(walk(gva, access, &got), 0);
	assert_int_equal(got, gpa);
}

static void expect_fault(u64 gva, u32 access, u32 code)
{
	u64 got;

	assert_int_equal(walk(gva, access, &got), (s64)(WALK_FAULT | code));
}

static void test_no_paging(void **state)
{
	begin(CR0_PE, 0, 0);
	expect(0x12345678, ACCESS_WRITE, 0x12345678);
	expect(0x112345678, ACCESS_READ, 0x12345678);
	end();
}

static void test_32_bit(void **state)
{
	begin(CR0_PE | CR0_PG, CR4_PSE, 0);
	put(0x1000 + 4 * 1, 0x2000 | 7, 4);
	put(0x2000 + 4 * 3, 0x5000 | 7, 4);
	put(0x1000 + 4 * 2, 0x00c00000 | 0x87 | 5 << 13, 4); /* 4 MiB, PSE-36: at 5_00c00000 */
	expect(0x403123, ACCESS_WRITE, 0x5123);
	assert_int_equal(entry_at(0x1004, 4), 0x2000 | 7 | 0x20);
	assert_int_equal(entry_at(0x200c, 4), 0x5000 | 7 | 0x60);
	assert_int_equal(entry_at(0x2010, 4), 0); /* the neighbour is untouched */
	expect(0x812345, ACCESS_READ, 0x500c12345);
	assert_int_equal(entry_at(0x1008, 4), 0x00c00000 | 0xa7 | 5 << 13);
	expect_fault(0x404000, ACCESS_READ, 0);
	expect_fault(0xc00000, ACCESS_WRITE | ACCESS_USER, 6);
	control.cr4 = 0; /* without PSE the bit means nothing: a table, outside of memory */
	assert_int_equal(walk_translate(&vcpu, 0x812345, ACCESS_READ, &(u64){ 0 }), ERR_FAULT);
	control.efer = EFER_NXE; /* nor has a fetch a bit of its own without PAE */
	expect_fault(0x404000, ACCESS_FETCH, 0);
	end();
}

static void test_pae(void **state)
{
	begin(CR0_PE | CR0_PG, CR4_PAE, EFER_NXE);
	control.cr3 = 0x1020; /* 32-byte aligned */
	put(0x1020 + 8 * 3, 0x2000 | 1, 8);
	put(0x2000 + 8 * 1, 0x3000 | 7, 8);
	put(0x2000 + 8 * 2, 0x00a00000 | 0x87 | BIT(63), 8);
	put(0x3000 + 8 * 4, 0x100006000 | 7, 8);
	expect(0xc0204567, ACCESS_WRITE, 0x100006567);
	assert_int_equal(entry_at(0x1020 + 24, 8), 0x2000 | 1); /* PDPTEs have no accessed bit */
	assert_int_equal(entry_at(0x2008, 8), 0x3000 | 0x27);
	assert_int_equal(entry_at(0x3020, 8), 0x100006000 | 0x67);
	expect(0xc0412345, ACCESS_READ, 0xa12345);
	expect_fault(0xc0412345, ACCESS_FETCH, 0x11);
	expect_fault(0x00000000, ACCESS_FETCH, 0x10);
	control.efer = 0;
	expect_fault(0xc0412345, ACCESS_READ, 9); /* NX is reserved then */
	end();
}

static void long_tables(void)
{
	begin(CR0_PE | CR0_PG | CR0_WP, CR4_PAE, EFER_NXE | EFER_LMA | EFER_LME);
	put(0x1000 + 8 * 0x1ff, 0x2000 | 7, 8);
	put(0x2000 + 8 * 0x1fe, 0x3000 | 7, 8);
	put(0x2000 + 8 * 0x1ff, 0x40000000 | 0x87, 8); /* 1 GiB */
	put(0x3000 + 8 * 0, 0x4000 | 7, 8);
	put(0x3000 + 8 * 1, 0x600000 | 0x87, 8); /* 2 MiB */
	put(0x4000 + 8 * 5, 0x7000 | 7, 8);
}

#define LONG_BASE 0xffffffff80000000ull

static void test_long_mode(void **state)
{
	u64 got;

	long_tables();
	control.cr3 = 0x1000 | 0xfff; /* PCID and flags do not matter */
	expect(LONG_BASE + 0x5fff, ACCESS_WRITE, 0x7fff);
	expect(LONG_BASE + 0x212345, ACCESS_READ, 0x612345);
	expect(LONG_BASE + 0x40123456, ACCESS_READ, 0x40123456);
	assert_int_equal(entry_at(0x4028, 8), 0x7000 | 0x67);
	assert_int_equal(entry_at(0x3008, 8), 0x600000 | 0xa7);
	expect_fault(LONG_BASE + 0x6000, ACCESS_FETCH | ACCESS_USER, 0x14);
	control.cr3 = 0x100000; /* beyond RAM */
	assert_int_equal(walk(LONG_BASE, ACCESS_READ, &got), ERR_FAULT);
	control.cr3 = 0x000ffffffffff000;
	assert_int_equal(walk(LONG_BASE, ACCESS_READ, &got), ERR_FAULT);
	end();
}

/* ---- rights ---- */

/* APM 2 §5.6, written once more: may the access be? */
static bool may(u64 pte, u64 cr0, u64 cr4, bool ac, u32 access)
{
	bool user = access & ACCESS_USER, write = access & ACCESS_WRITE, fetch = access & ACCESS_FETCH;

	if (fetch && pte >> 63)
		return false;
	if (user)
		return (pte & 4) && (!write || pte & 2);
	if (pte & 4) {
		if (fetch && cr4 & CR4_SMEP)
			return false;
		if (!fetch && cr4 & CR4_SMAP && !ac)
			return false;
	}
	return !write || pte & 2 || !(cr0 & CR0_WP);
}

static void test_rights(void **state)
{
	static const u32 accesses[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };
	u32 allowed = 0, refused = 0;

	long_tables();
	for (u32 bits = 0; bits < 128; bits++)
		for (u32 i = 0; i < 2 * ARRAY_SIZE(accesses); i++)
			for (u32 upper = 0; upper < 2; upper++) {
				u32 access = accesses[i / 2] | (i & 1 ? ACCESS_USER : 0), code = 1;
				u64 rights = (bits & 1 ? 2 : 0) | (bits & 2 ? 4 : 0) | (bits & 4 ? BIT(63) : 0), got;
				u64 leaf = upper ? 6 : rights, branch = upper ? rights : 6; /* where they are */

				put(0x4000 + 8 * 5, 0x7000 | 1 | leaf, 8);
				put(0x3000, 0x4000 | 1 | branch, 8);
				control.cr0 = CR0_PE | CR0_PG | (bits & 8 ? CR0_WP : 0);
				control.cr4 = CR4_PAE | (bits & 16 ? CR4_SMEP : 0) | (bits & 32 ? CR4_SMAP : 0);
				page.rflags = bits & 64 ? RFLAGS_AC : 0;
				code |= access & ACCESS_WRITE ? 2 : 0;
				code |= access & ACCESS_USER ? 4 : 0;
				code |= access & ACCESS_FETCH ? 16 : 0;
				if (may(rights, control.cr0, control.cr4, page.rflags & RFLAGS_AC, access)) {
					expect(LONG_BASE + 0x5008, access, 0x7008);
					allowed++;
					continue;
				}
				assert_int_equal(walk(LONG_BASE + 0x5008, access, &got), (s64)(WALK_FAULT | code));
				assert_int_equal(entry_at(0x4028, 8) & 0x60, 0); /* no bits for a refused access */
				refused++;
			}
	assert_true(allowed > 300 && refused > 300);
	end();
}

/* A table in ROM: its bits cannot be set, and the walk goes on. */
static void test_tables_in_rom(void **state)
{
	u64 file;

	long_tables();
	file = fake_file(1);
	((u64 *)file)[5] = 0x7000 | 7;
	assert_true(gmem_map(&g->gmem, 0x4000, PAGE_SIZE, MAP_ROM, file) > 0);
	expect(LONG_BASE + 0x5008, ACCESS_WRITE, 0x7008);
	assert_int_equal(((u64 *)file)[5], 0x7000 | 7);
	end();
}

static u64 *raced, in_between;

static void replace_entry(void)
{
	*raced = in_between;
}

static void ignore(u64 *word, u64 before)
{
}

/* Another vCPU replaces or takes away an entry between the walk's look at it and its mark. */
static void test_entry_changes_under_the_walk(void **state)
{
	static const u64 entries[] = { 0x4028, 0x3000, 0x1ff8 }, all[] = { 0x1ff8, 0x2ff0, 0x3000, 0x4028 };

	for (u32 i = 0; i < ARRAY_SIZE(entries); i++)
		for (u32 gone = 0; gone < 2; gone++) {
			u64 got;
			s64 result;

			long_tables();
			put(0x5028, 0x8000 | 7, 8); /* the tables of another mapping */
			put(0x6000, 0x5000 | 7, 8);
			put(0x9000 + 8 * 0x1fe, 0x6000 | 7, 8);
			raced = (u64 *)gmem_peek(&g->gmem, entries[i]);
			in_between = gone ? 0 : (i == 0 ? 0x8000 : i == 1 ? 0x5000 : 0x9000) | 7;
			for (u32 k = 0; k < 4; k++) /* only this one is to be marked */
				put(all[k], entry_at(all[k], 8) | 0x60, 8);
			*raced &= ~0x60ull;
			fake_watch(ignore);
			fake_before_store = replace_entry;
			result = walk(LONG_BASE + 0x5000, ACCESS_WRITE, &got);
			fake_watch_end();
			assert_null(fake_before_store);
			assert_int_equal(result, gone ? (s64)(WALK_FAULT | 2) : 0);
			if (!gone)
				assert_int_equal(got, 0x8000);
			assert_int_equal(*raced & ~0x60ull, in_between);
			end();
		}
}

/* ---- one CPU walks while another, as a guest's kernel does, replaces entries ---- */

#define ROUNDS 100000

static u32 over;

static void walker_or_owner(u32 cpu)
{
	u64 *leaf = (u64 *)gmem_peek(&g->gmem, 0x4028), got;

	while (cpu == 0 && !__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		s64 result = walk_translate(&vcpu, LONG_BASE + 0x5000, ACCESS_WRITE, &got);

		if (result != 0 && result != (s64)(WALK_FAULT | 2))
			abort();
		if (!result && got != 0x7000 && got != 0x8000)
			abort();
	}
	for (u32 i = 0; cpu == 1 && i < ROUNDS; i++) {
		u64 fresh = i % 3 ? (i % 2 ? 0x7000 : 0x8000) | 7 : 0;

		__atomic_store_n(leaf, fresh, __ATOMIC_SEQ_CST);
		for (u32 k = 0; k < 20; k++) {
			u64 now = __atomic_load_n(leaf, __ATOMIC_SEQ_CST);

			if (now != fresh && (!fresh || now != (fresh | 0x60)))
				abort(); /* an entry that was taken away has come back */
		}
	}
	if (cpu == 1)
		__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
}

static void test_replaced_entries_stay_replaced(void **state)
{
	long_tables();
	put(0x4028, 0x7000 | 7, 8);
	over = 0;
	fake_cpus_run(walker_or_owner);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_no_paging), FAKE_TEST(test_32_bit), FAKE_TEST(test_pae), FAKE_TEST(test_long_mode),
		FAKE_TEST(test_rights), FAKE_TEST(test_tables_in_rom),
		FAKE_TEST(test_entry_changes_under_the_walk), FAKE_TEST(test_replaced_entries_stay_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
