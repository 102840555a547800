/* The formatter against the C library's, and the string helpers. */
/* links: kernel/lib/fmt.c kernel/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/fmt.h"
#include "kernel/lib/list.h"
#include "kernel/lib/string.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void same(size_t size, const char *format, ...)
{
	char ours[80], theirs[80];
	va_list args, copy;
	int a, b;

	memset(ours, 0x55, sizeof(ours));
	memset(theirs, 0x55, sizeof(theirs));
	va_start(args, format);
	va_copy(copy, args);
	a = fmt_vprint(ours, size, format, args);
	b = vsnprintf(theirs, size, format, copy);
	va_end(copy);
	va_end(args);
	assert_int_equal(a, b);
	assert_memory_equal(ours, theirs, sizeof(ours)); /* nothing beyond size either */
}

static void test_numbers(void **state)
{
	static const char *const lengths[] = { "", "l", "ll", "z" };
	static const char *const kinds[] = { "d", "i", "u", "x", "X" };
	static const u64 values[] = { 0, 1, 9, 10, 0x7fffffff, 0x80000000, 0xffffffff, BIT(63), BIT(63) - 1, UINT64_MAX };
	char format[32];

	srandom(4);
	for (u32 i = 0; i < 20000; i++) {
		const char *length = lengths[random() % 4], *flags = (const char *[]){ "", "-", "0" }[random() % 3];
		u64 value = random() % 2 ? values[(size_t)random() % ARRAY_SIZE(values)]
					 : (u64)random() << random() % 33;
		char width[4] = "";

		if (*flags || random() % 2)
			snprintf(width, sizeof(width), "%ld", 1 + random() % 24);
		snprintf(format, sizeof(format), "<%%%s%s%s%s>", flags, width, length, kinds[random() % 5]);
		if (*length)
			same((size_t)random() % 40, format, value);
		else
			same((size_t)random() % 40, format, (u32)value);
	}
}

static void test_strings(void **state)
{
	for (size_t size = 0; size < 20; size++) {
		same(size, "a %s b", "text");
		same(size, "%10s|%-10s|", "right", "left");
		same(size, "%.3s|%.*s|%*s|", "cut off", 2, "xyz", 6, "w");
		same(size, "%c%c%%", 'o', 'k');
		same(size, "");
	}
	same(40, "%5.2s|%-5.2s|%.0s|", "abc", "abc", "abc");
}

static void test_string_helpers(void **state)
{
	char to[5];

	assert_true(str_copy(to, sizeof(to), "four"));
	assert_string_equal(to, "four");
	assert_false(str_copy(to, sizeof(to), "fiver"));
	assert_string_equal(to, "five");
	assert_true(str_starts("prefix", "pre"));
	assert_true(str_starts("x", ""));
	assert_false(str_starts("pr", "pre"));
}

struct item {
	u32 value;
	struct link link;
};

static void test_list(void **state)
{
	struct item items[4] = { { .value = 0 }, { .value = 1 }, { .value = 2 }, { .value = 3 } };
	struct link head;
	u32 sum = 0, place = 0;

	list_init(&head);
	assert_true(list_empty(&head));
	for (u32 i = 0; i < 4; i++) {
		assert_false(list_linked(&items[i].link));
		list_insert(&items[i].link, i == 3 ? head.next : &head);
	}
	list_remove(&items[1].link);
	assert_false(list_linked(&items[1].link));
	for (struct link *l = head.next; l != &head; l = l->next)
		sum += LIST_ITEM(l, struct item, link)->value * ++place;
	assert_int_equal(sum, 3 * 1 + 0 * 2 + 2 * 3);
	assert_int_equal(LIST_ITEM(head.prev, struct item, link)->value, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_strings), cmocka_unit_test(test_string_helpers),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
