/* The page of local APICs in stage 2: no memory, nobody's frame, and gone when it is to be gone. */
/* links: kernel/gmem_apic.c
 * kernel/gmem.c kernel/gmem_compress.c kernel/zstore.c kernel/lz4.c kernel/merge_frame.c kernel/gmem_map.c
 * kernel/gmem_large.c kernel/gmem_region.c kernel/table.c kernel/frame.c kernel/lock.c kernel/ledger.c
 * arch/x86_64/table_format.c tests/unit/fake_gmem.c tests/unit/fake_arch.c tests/unit/fake_trap.c
 * kernel/merge_stock.c kernel/gmem_uniform.c tests/unit/fake_trace.c */
/* flags: -DLOCK_CHECK=1 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/gmem_leaf.h"
#include "tests/unit/fake_gmem.h"

#define APIC 0xfee00000u

const u64 fake_frames = 4096;
const u32 fake_cpu_count = 1;

static struct gmem *const m = &fake_gmem;
static hpa_t frame;

static void begin(void)
{
	frame = frame_alloc_zero(0, FRAME_KERNEL);
	fake_gmem_start(2 * MIB);
	assert_int_equal(fake_gmem_map(0, MIB, MAP_RAM, 0), 0);
}

static void end(void)
{
	assert_int_equal(frame_refs(frame), 1);
	fake_gmem_end();
	frame_put(frame);
}

static u64 leaf(void)
{
	u32 level;
	u64 entry = *table_find(m->format, m->root, APIC, &level);

	return level ? 0 : entry;
}

static void test_it_is_mapped_once_and_counts_nowhere(void **state)
{
	u8 byte;

	begin();
	assert_int_equal(gmem_fault(m, APIC, false), ERR_FAULT);
	assert_int_equal(gmem_apic_map(m, APIC, frame), 0);
	assert_int_equal(gmem_leaf_frame(leaf()).v, frame.v);
	assert_int_equal(gmem_apic_map(m, APIC, frame), ERR_FAULT); /* what faults there all the same is emulated */
	assert_int_equal(m->private_pages + m->shared_pages, 0);
	assert_int_equal(gmem_write(m, APIC, "x", 1), ERR_FAULT);
	assert_int_equal(gmem_read(m, APIC, &byte, 1), ERR_FAULT); /* it is a device to whoever emulates */
	assert_int_equal(gmem_discard(m, APIC, PAGE_SIZE), ERR_FAULT);
	end();
}

static void test_it_ends_with_a_flush_and_for_good(void **state)
{
	u64 flushes;

	begin();
	assert_int_equal(gmem_apic_map(m, APIC, frame), 0);
	flushes = fake_flushes;
	gmem_apic_end(m, APIC);
	assert_int_equal(leaf(), 0);
	assert_int_equal(fake_flushes, flushes + 1);
	assert_int_equal(gmem_apic_map(m, APIC, frame), ERR_FAULT);
	gmem_apic_end(m, APIC);
	assert_int_equal(fake_flushes, flushes + 1);
	end();
}

static void test_it_may_end_before_it_was_there(void **state)
{
	begin();
	gmem_apic_end(m, APIC);
	assert_int_equal(gmem_apic_map(m, APIC, frame), ERR_FAULT);
	end();
}

/* A machine process that maps memory there has it instead; its writes do not reach the frame. */
static void test_memory_takes_its_place(void **state)
{
	u8 byte = 5;

	begin();
	assert_int_equal(gmem_apic_map(m, APIC, frame), 0);
	assert_int_equal(fake_gmem_map(APIC, PAGE_SIZE, MAP_RAM, 0), 0);
	assert_int_equal(leaf(), 0);
	assert_int_equal(gmem_apic_map(m, APIC, frame), ERR_FAULT);
	assert_int_equal(gmem_write(m, APIC, &byte, 1), 0);
	assert_int_equal(m->private_pages, 1);
	assert_int_equal(*(u8 *)hpa_pointer(frame), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_it_is_mapped_once_and_counts_nowhere), FAKE_TEST(test_it_ends_with_a_flush_and_for_good),
		FAKE_TEST(test_it_may_end_before_it_was_there), FAKE_TEST(test_memory_takes_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
