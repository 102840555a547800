/* Setting a TSC right: the other CPU's is this one's, moved, and answers as slowly and unevenly as it likes. */
/* links: arch/x86_64/tsc_sync.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "arch/x86_64/tsc.h"
#include "arch/x86_64/tsc_sync.h"
#include "kernel/lib/error.h"

static struct fake {
	struct tsc_peer peer;
	u64 skew, late;     /* how far it is ahead; how late it writes */
	u32 there, back;    /* the longest ways of a question and its answer, cycles */
	bool stubborn;
	u32 reads_left, moves, reads;
} fake;

u64 tsc_hz(void)
{
	return 1000000000;
}

static void spin(u32 longest)
{
	u64 end = rdtsc() + (longest ? (u64)random() % longest : 0);

	while (rdtsc() < end)
		;
}

static int fake_read(struct tsc_peer *p, u64 *tsc)
{
	if (!fake.reads_left--)
		return ERR_TIMEOUT;
	fake.reads++;
	spin(fake.there);
	*tsc = rdtsc_ordered() + fake.skew;
	spin(fake.back);
	return 0;
}

static int fake_move(struct tsc_peer *p, u64 cycles)
{
	fake.moves++;
	if (!fake.stubborn)
		fake.skew += cycles - fake.late;
	return 0;
}

static void fake_start(u64 skew)
{
	fake = (struct fake){ .peer = { fake_read, fake_move }, .skew = skew, .reads_left = UINT32_MAX };
}

static u64 apart(s64 a, u64 b)
{
	s64 d = (s64)((u64)a - b);

	return (u64)(d < 0 ? -d : d);
}

static void test_in_step(void **state)
{
	struct tsc_sync sync;

	for (u32 i = 0; i < 200; i++) {
		fake_start(0);
		fake.there = i % 3 * 2000;
		fake.back = i % 5 * 3000;
		assert_int_equal(tsc_synchronise(&fake.peer, &sync), 0);
		assert_int_equal(fake.moves, 0);
		assert_true(sync.left.cycles == sync.found.cycles && apart(sync.left.cycles, 0) <= sync.left.error);
	}
}

/* Whatever delays the answers, the truth is within the error. */
static void test_measure(void **state)
{
	struct tsc_offset o;

	for (u32 i = 0; i < 500; i++) {
		u64 skew = (u64)random() * (u64)random() >> (random() & 63);

		fake_start(random() & 1 ? skew : -skew);
		fake.there = (u32)random() % 5000;
		fake.back = (u32)random() % 5000;
		assert_int_equal(tsc_measure(&fake.peer, &o), 0);
		assert_true(apart(o.cycles, fake.skew) <= o.error);
		assert_in_range(fake.reads, 3, 100);
	}
}

static void test_corrected(void **state)
{
	struct tsc_sync sync;

	for (u32 i = 0; i < 200; i++) {
		u64 skew = 10000000 + (u64)random();

		fake_start(i & 1 ? skew : -skew);
		fake.late = i % 4 == 0 ? 100000 : 0; /* as WRMSR of the TSC is */
		assert_int_equal(tsc_synchronise(&fake.peer, &sync), 0);
		assert_true(apart(sync.found.cycles, i & 1 ? skew : -skew) <= sync.found.error);
		assert_true(apart(sync.left.cycles, fake.skew) <= sync.left.error);
		assert_true(apart(0, fake.skew) <= 2 * sync.left.error);
		assert_in_range(fake.moves, 1, 3);
	}
}

static void test_stays_off(void **state)
{
	struct tsc_sync sync;

	fake_start(5000000);
	fake.stubborn = true;
	assert_int_equal(tsc_synchronise(&fake.peer, &sync), ERR_UNSUPPORTED);
	assert_true(apart(sync.left.cycles, 5000000) <= sync.left.error);
	assert_int_equal(fake.moves, 3);
}

static void test_silent(void **state)
{
	struct tsc_sync sync;

	for (u32 reads = 0; reads < 250; reads++) {
		fake_start(5000000);
		fake.stubborn = true;
		fake.reads_left = reads;
		assert_int_equal(tsc_synchronise(&fake.peer, &sync), ERR_TIMEOUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_step), cmocka_unit_test(test_measure), cmocka_unit_test(test_corrected),
		cmocka_unit_test(test_stays_off), cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
