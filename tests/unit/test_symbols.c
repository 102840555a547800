/* Backtrace names: the nearest function at or before an address, in a table as boot/symbols.awk writes it. */
/* links: kernel/symbols.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/symbols.h"

/* What the linker script defines in the program: an image of 400h bytes with text from 100h to 300h. */
__asm__(".section .data\n.balign 4096\n"
	".globl image_start, image_text_start, image_text_end, image_symbols_start, image_symbols_end\n"
	"image_start: .skip 0x100\nimage_text_start: .skip 0x200\nimage_text_end: .skip 0x100\n"
	"image_symbols_start: .long 3, 0x100, 0, 0x140, 6, 0x200, 10\n"
	".asciz \"first\"\n.asciz \"mid\"\n.asciz \"last\"\nimage_symbols_end:\n.text\n");

static void expect(u64 at, const char *name, u64 offset)
{
	u64 got = 0;

	assert_string_equal(symbols_find((u64)image_start + at, &got), name);
	assert_int_equal(got, offset);
}

static void test_finds(void **state)
{
	expect(0x100, "first", 0);
	expect(0x13f, "first", 0x3f);
	expect(0x140, "mid", 0);
	expect(0x1ff, "mid", 0xbf);
	expect(0x200, "last", 0);
	expect(0x2ff, "last", 0xff);
}

static void test_outside(void **state)
{
	u64 offset;

	assert_null(symbols_find((u64)image_start + 0xff, &offset));
	assert_null(symbols_find((u64)image_start + 0x300, &offset));
	assert_null(symbols_find(0, &offset));
	assert_null(symbols_find(~0ull, &offset));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_finds), cmocka_unit_test(test_outside) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
