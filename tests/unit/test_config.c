/* quire.conf: what is accepted, what is refused with its line, and that no bytes can hurt the parser. */
/* links: kernel/lib/config.c kernel/lib/string.c kernel/lib/fmt.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/lib/config.h"
#include "kernel/lib/error.h"
#include "kernel/lib/string.h"

static struct config parser;
static struct config_item item;

static void start(const char *text)
{
	config_init(&parser, text, strlen(text));
}

static void expect(enum config_kind kind, u32 line, const char *section, const char *name)
{
	config_next(&parser, &item);
	assert_int_equal(item.kind, kind);
	assert_int_equal(item.line, line);
	assert_string_equal(item.section, section);
	assert_string_equal(item.name, name);
}

static void expect_pair(u32 line, const char *key, const char *value)
{
	config_next(&parser, &item);
	assert_int_equal(item.kind, CONFIG_PAIR);
	assert_int_equal(item.line, line);
	assert_string_equal(item.key, key);
	assert_string_equal(item.value, value);
}

static void test_sections_and_pairs(void **state)
{
	start("\xef\xbb\xbf# a comment\r\n\r\n[host]\r\nserial = com1\r\n  [ guest  web-1.x ]  # why\n"
	      "\tmemory=64M\t# c\ncmdline = console=ttyS0 a#b \"x y\" z\nempty =\n[host]");
	expect(CONFIG_SECTION, 3, "host", "");
	expect_pair(4, "serial", "com1");
	expect(CONFIG_SECTION, 5, "guest", "web-1.x");
	expect_pair(6, "memory", "64M");
	assert_string_equal(item.name, "web-1.x");
	expect_pair(7, "cmdline", "console=ttyS0 a#b \"x y\" z");
	expect_pair(8, "empty", "");
	expect(CONFIG_SECTION, 9, "host", "");
	expect(CONFIG_END, 9, "host", "");
	expect(CONFIG_END, 9, "host", "");
}

static void test_guest_names(void **state)
{
	start("[guest web]\nx = 1\n[guest  b.c_d-2 ] # yes\n[guest]\n[guest a b]\n[guest a/b]\n[guest "
	      "abcdefghijabcdefghijabcdefghija]\n[guest abcdefghijabcdefghijabcdefghijab]\n"
	      "[host x]\n[disk]\n[host] x\n[host");
	expect(CONFIG_SECTION, 1, "guest", "web");
	expect(CONFIG_PAIR, 2, "guest", "web");
	expect(CONFIG_SECTION, 3, "guest", "b.c_d-2");
	expect(CONFIG_ERROR, 4, "?", "");
	expect(CONFIG_ERROR, 5, "?", "");
	expect(CONFIG_ERROR, 6, "?", "");
	expect(CONFIG_SECTION, 7, "guest", "abcdefghijabcdefghijabcdefghija");
	for (u32 line = 8; line <= 12; line++)
		expect(CONFIG_ERROR, line, "?", "");
	expect(CONFIG_END, 12, "?", "");
}

static void test_quotes(void **state)
{
	start("a = \"  x # y \" # c\nb = \"x\nc = \"x\" y\nd=\"\"\n");
	expect_pair(1, "a", "  x # y ");
	expect(CONFIG_ERROR, 2, "", "");
	assert_string_equal(item.reason, "the closing quote is missing");
	expect(CONFIG_ERROR, 3, "", "");
	expect_pair(4, "d", "");
}

static void test_mistakes_cost_one_line(void **state)
{
	start("[guest a]\nnonsense\n= 1\nkey value\nk\x01 = 1\nk = a\x7f\n"
	      "abcdefghijabcdefghijabcdefghijabc = 1\nlast = 1");
	expect(CONFIG_SECTION, 1, "guest", "a");
	for (u32 line = 2; line <= 7; line++) {
		expect(CONFIG_ERROR, line, "guest", "a");
		assert_true(item.reason[0]);
	}
	expect_pair(8, "last", "1");
}

static void test_long_values(void **state)
{
	static char text[CONFIG_VALUE_MAX + 16];

	memset(text, 'x', sizeof(text));
	memcpy(text, "k=", 2);
	config_init(&parser, text, 2 + CONFIG_VALUE_MAX - 1);
	config_next(&parser, &item);
	assert_int_equal(item.kind, CONFIG_PAIR);
	assert_int_equal(strlen(item.value), CONFIG_VALUE_MAX - 1);
	config_init(&parser, text, 2 + CONFIG_VALUE_MAX);
	config_next(&parser, &item);
	assert_int_equal(item.kind, CONFIG_ERROR);
}

/* Every prefix of random bytes, drawn mostly from what the grammar uses, in a buffer of exactly its size. */
static void test_any_bytes(void **state)
{
	static const char alphabet[] = "[]=#\" \t\r\n\0hostguest ab-\xff\x01";

	srand(2);
	for (int round = 0; round < 3000; round++) {
		size_t len = (size_t)rand() % 200;
		char *text = malloc(len + !len);
		u32 line = 0;

		for (size_t i = 0; i < len; i++)
			text[i] = rand() % 8 ? alphabet[(size_t)rand() % sizeof(alphabet)] : (char)rand();
		config_init(&parser, text, len);
		for (size_t items = 0;; items++) {
			config_next(&parser, &item);
			assert_true(items <= len && item.line >= line);
			if (item.kind == CONFIG_END)
				break;
			line = item.line;
			assert_true((item.kind == CONFIG_ERROR) == (item.reason[0] != 0));
		}
		free(text);
	}
}

static void test_sizes(void **state)
{
	static const char *const bad[] = { "", "M", "64Q", "64MB", "-1", "1.5G", " 1", "1 ", "0x",
					   "99999999999999999999", "17179869184G", "16777216T" };
	u64 bytes;

	assert_int_equal(config_size("4096", &bytes), 0);
	assert_int_equal(bytes, 4096);
	assert_int_equal(config_size("0x1000", &bytes), 0);
	assert_int_equal(bytes, 4096);
	assert_int_equal(config_size("512k", &bytes), 0);
	assert_int_equal(bytes, 512 * KIB);
	assert_int_equal(config_size("64M", &bytes), 0);
	assert_int_equal(bytes, 64 * MIB);
	assert_int_equal(config_size("3G", &bytes), 0);
	assert_int_equal(bytes, 3 * GIB);
	assert_int_equal(config_size("16777215T", &bytes), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(config_size(bad[i], &bytes), ERR_INVAL);
}

static void test_numbers_and_bools(void **state)
{
	u64 number;
	bool value;

	assert_int_equal(config_number("64", 1, 64, &number), 0);
	assert_int_equal(number, 64);
	assert_int_equal(config_number("0xfF", 0, 255, &number), 0);
	assert_int_equal(number, 255);
	assert_int_equal(config_number("18446744073709551615", 0, ~0ull, &number), 0);
	assert_int_equal(config_number("18446744073709551616", 0, ~0ull, &number), ERR_INVAL);
	assert_int_equal(config_number("0", 1, 64, &number), ERR_INVAL);
	assert_int_equal(config_number("65", 1, 64, &number), ERR_INVAL);
	assert_int_equal(config_number("a", 0, 64, &number), ERR_INVAL);
	assert_int_equal(config_number("1x", 0, 64, &number), ERR_INVAL);
	assert_int_equal(config_bool("on", &value), 0);
	assert_true(value);
	assert_int_equal(config_bool("false", &value), 0);
	assert_false(value);
	assert_int_equal(config_bool("maybe", &value), ERR_INVAL);
	assert_int_equal(config_bool("", &value), ERR_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_and_pairs), cmocka_unit_test(test_guest_names),
		cmocka_unit_test(test_quotes), cmocka_unit_test(test_mistakes_cost_one_line),
		cmocka_unit_test(test_long_values), cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_numbers_and_bools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
