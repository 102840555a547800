/* What sharing comes to: frames that guests share, and what it would take to break it. */
/* links: kernel/sharing.c kernel/file.c kernel/frame.c kernel/lock.c kernel/lib/string.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/file.h"
#include "kernel/gmem_leaf.h"
#include "kernel/sharing.h"
#include "tests/unit/fake_arch.h"

const u64 fake_frames = 256;
const u32 fake_cpu_count = 1;
struct gmem_totals gmem_totals;

static void expect(u64 shared, u64 debt)
{
	struct ledger_info info;

	sharing_info(&info);
	assert_int_equal(info.shared, shared * PAGE_SIZE);
	assert_int_equal(info.debt, debt * PAGE_SIZE);
}

static void test_sums(void **state)
{
	static struct boot_info boot;
	hpa_t file = frame_alloc(2, FRAME_FILE), merged = frame_alloc(0, FRAME_MERGED);

	frame_split(file);
	boot.files[0] = (struct boot_file){ "a", file.v, PAGE_SIZE };
	boot.files[1] = (struct boot_file){ "b", file.v + PAGE_SIZE, 2 * PAGE_SIZE + 5 };
	boot.file_count = 2;
	file_init(&boot);
	gmem_totals = (struct gmem_totals){ .merged = 1 };
	expect(1, 0); /* the last that has it takes it over */
	gmem_totals.merged = 4;
	expect(1, 3);
	gmem_totals.given = 10; /* each had a frame; the zero frame is the host's */
	expect(1, 13);
	for (u32 i = 0; i < 2; i++)
		frame_get((hpa_t){ file.v + PAGE_SIZE });
	frame_get((hpa_t){ file.v + 3 * PAGE_SIZE });
	gmem_totals.file = 3; /* a file keeps its frames: as many more are needed */
	expect(3, 16);
	frame_put(merged);
	gmem_totals.merged = 0;
	expect(2, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_sums) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
