/* A machine process reads the files that its guest's definition names, and no others. */
/* links: kernel/file.c kernel/frame.c kernel/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/file.h"
#include "kernel/lib/string.h"

static bool named(const char *definition, const char *name)
{
	return file_named_in(definition, (u32)strlen(definition), name);
}

static void whole_values(void **state)
{
	const char *definition = "kernel = vmlinuz\ninitrd=a/b.cpio\nmodule = \"m.bin x y\"\ncmdline = quiet";

	assert_true(named(definition, "vmlinuz"));
	assert_true(named(definition, "a/b.cpio"));
	assert_true(named(definition, "m.bin"));
	assert_true(named(definition, "quiet"));
}

static void parts_of_names(void **state)
{
	const char *definition = "kernel = vmlinuz-6.1\ninitrd = x/secret.img\n";

	assert_false(named(definition, "vmlinuz"));
	assert_false(named(definition, "secret.img"));
	assert_false(named(definition, "inuz-6.1"));
	assert_false(named(definition, ""));
	assert_false(named("", "a"));
	assert_false(named("a", "a")); /* a definition begins with a key */
}

static void the_end_is_a_border(void **state)
{
	assert_true(file_named_in("kernel = abcd", 12, "abc"));
	assert_false(file_named_in("kernel = abcd", 13, "abc"));
	assert_false(file_named_in("kernel = abcd", 11, "abc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_values),
		cmocka_unit_test(parts_of_names),
		cmocka_unit_test(the_end_is_a_border),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
