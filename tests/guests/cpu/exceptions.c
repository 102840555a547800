/* Exceptions: vector, error code, CR2, and that they arrive after and around exits. */
#include "tests/guests/cpu/cpu.h"

extern u64 page_pd[];
static volatile u32 soft_count;

static void divide(void *argument)
{
	u32 zero = 0;
	asm volatile("divl %0" : : "r"(zero), "a"(1), "d"(0));
}

static void undefined(void *argument)
{
	asm volatile("ud2");
}

static void bad_selector(void *argument)
{
	asm volatile("movw %w0, %%fs" : : "r"(0x1230));
}

static void absent_segment(void *argument)
{
	asm volatile("movw %w0, %%fs" : : "r"(0x20));
}

static void read_at(void *argument)
{
	asm volatile("movb (%0), %%al" : : "r"(argument) : "rax", "memory");
}

static void write_at(void *argument)
{
	asm volatile("movb $1, (%0)" : : "r"(argument) : "memory");
}

static void jump_to(void *argument)
{
	((void (*)(void))argument)();
}

static void breakpoint(void *argument)
{
	asm volatile("int3");
}

static void use_x87(void *argument)
{
	asm volatile("fld1; fstp %st(0)");
}

static void count_soft(struct frame *frame)
{
	soft_count++;
}

/* The 2 MiB page at 1 GiB + 16 MiB is nobody's; its entry plays all parts here. */
static void test_page_faults(void)
{
	u64 address = (1ull << 30) + (16 << 20), *entry = &page_pd[address >> 21], old = *entry;
	void *p = (void *)address;

	check_equal(trap_catch(read_at, (void *)(5ull << 30)), 14, "exception: page fault without a table");
	check_equal(caught.cr2, 5ull << 30, "exception: CR2");
	*entry = 0;
	asm volatile("invlpg (%0)" : : "r"(p) : "memory");
	check_equal(trap_catch(write_at, (char *)p + 5), 14, "exception: page fault on write");
	check_equal(caught.error, 2, "exception: its error code");
	check_equal(caught.cr2, address + 5, "exception: its CR2");
	*entry = (u64)image_start / (2 << 20) * (2 << 20) | 0x81; /* read only, some RAM */
	asm volatile("invlpg (%0)" : : "r"(p) : "memory");
	check_equal(trap_catch(read_at, p), NO_FAULT, "exception: none for a read of read-only memory");
	check_equal(trap_catch(write_at, p), 14, "exception: write to read-only memory");
	check_equal(caught.error, 3, "exception: its error code");
	*entry |= 1ull << 63;
	asm volatile("invlpg (%0)" : : "r"(p) : "memory");
	check_equal(trap_catch(jump_to, p), 14, "exception: fetch from NX memory");
	check_equal(caught.error, 0x11, "exception: its error code");
	*entry = old;
	asm volatile("invlpg (%0)" : : "r"(p) : "memory");
}

static void test_device_not_available(void)
{
	u64 cr0 = READ_REG(cr0);

	WRITE_REG(cr0, cr0 | 8);
	check_equal(trap_catch(use_x87, NULL), 7, "exception: x87 with CR0.TS");
	asm volatile("clts");
	check_equal(trap_catch(use_x87, NULL), NO_FAULT, "exception: none after CLTS");
	WRITE_REG(cr0, cr0);
}

void test_exceptions(void)
{
	check_equal(trap_catch(divide, NULL), 0, "exception: divide");
	check_equal(trap_catch(undefined, NULL), 6, "exception: UD2");
	check_equal(trap_catch(bad_selector, NULL), 13, "exception: bad selector");
	check_equal(caught.error, 0x1230, "exception: its error code");
	check_equal(trap_catch(absent_segment, NULL), 11, "exception: absent segment");
	check_equal(caught.error, 0x20, "exception: its error code");
	check_equal(trap_catch(breakpoint, NULL), 3, "exception: INT3");
	trap_set(0x85, count_soft);
	for (u32 i = 0; i < 1000; i++)
		asm volatile("int $0x85" : : : "memory");
	check_equal(soft_count, 1000, "exception: 1000 software interrupts");
	test_page_faults();
	test_device_not_available();
}
