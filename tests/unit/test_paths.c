/* Names of files from the configuration, and conf=PATH from the firmware's load options. */
/* links: boot/paths.c kernel/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/paths.h"

static void expect_path(const char *name, const char *expected)
{
	u16 path[PATH_MAX];
	size_t i = 0;

	assert_null(paths_make(path, name));
	for (; expected[i]; i++)
		assert_int_equal(path[i], expected[i]);
	assert_int_equal(path[i], 0);
}

static void test_accepts(void **state)
{
	expect_path("bzImage", "\\quire\\bzImage");
	expect_path("a/b\\c", "\\quire\\a\\b\\c");
	expect_path("a//b", "\\quire\\a\\b");
	expect_path("/EFI/x", "\\EFI\\x");
	expect_path("\\EFI\\x", "\\EFI\\x");
	expect_path("a..b/..c/d..", "\\quire\\a..b\\..c\\d..");
}

static void test_refuses(void **state)
{
	static const char *const bad[] = { "", "/", "a/", "..", "../a", "a/..", "a\\..\\b", "/..", "a\x80",
					   "a\nb" };
	u16 path[PATH_MAX];
	char name[FILE_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(paths_make(path, bad[i]));
	memset(name, 'x', sizeof(name));
	name[FILE_NAME_MAX - 1] = 0;
	assert_null(paths_make(path, name));
	name[FILE_NAME_MAX - 1] = 'x';
	name[FILE_NAME_MAX] = 0;
	assert_non_null(paths_make(path, name));
}

/* The options lie in memory of exactly their size, without a 0 at the end. */
static bool find(const char *text, char name[FILE_NAME_MAX])
{
	size_t len = strlen(text);
	u16 *options = malloc(len * 2 + !len);
	bool found;

	for (size_t i = 0; i < len; i++)
		options[i] = text[i];
	found = paths_find_config(options, len, name);
	free(options);
	return found;
}

static void test_load_options(void **state)
{
	static char text[300] = "conf=";
	char name[FILE_NAME_MAX];

	assert_true(find("conf=x.conf", name));
	assert_string_equal(name, "x.conf");
	assert_true(find("quire.efi conf=\\dir\\x quiet", name));
	assert_string_equal(name, "\\dir\\x");
	assert_false(find("", name));
	assert_false(find("conf=", name));
	assert_false(find("conf", name));
	assert_false(find("myconf=x", name));
	memset(text + 5, 'x', FILE_NAME_MAX);
	assert_false(find(text, name));
	text[5 + FILE_NAME_MAX - 1] = 0;
	assert_true(find(text, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts), cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_load_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
