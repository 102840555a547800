/* A guest's definition as the machine process reads it.
 * links: vmm/machine/settings.c kernel/lib/config.c kernel/lib/fmt.c kernel/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/machine/settings.h"

static struct settings s;
static char reason[96];

static int parse(const char *text)
{
	memset(reason, 0, sizeof(reason));
	return settings_parse(&s, text, strlen(text), reason, sizeof(reason));
}

static void test_all_keys(void **state)
{
	assert_int_equal(parse("memory = 64M\nvcpus = 2\nvcpus-max = 4\nkernel = vmlinuz\ninitrd = initrd.gz\n"
			       "cmdline = console=ttyS0 quiet\nweight = 256\nautostart = yes\n"
			       "on-crash = restart\non-reboot = destroy\non-poweroff = pause\n"
			       "module = a one two\nmodule = b\n# the end\n"), 0);
	assert_string_equal(s.kernel, "vmlinuz");
	assert_string_equal(s.initrd, "initrd.gz");
	assert_string_equal(s.cmdline, "console=ttyS0 quiet");
	assert_int_equal(s.module_count, 2);
	assert_string_equal(s.modules[0], "a one two");
	assert_string_equal(s.modules[1], "b");
}

static void test_mistakes(void **state)
{
	assert_int_equal(parse("memory = 64M\n"), ERR_INVAL);
	assert_non_null(strstr(reason, "no kernel"));
	assert_int_equal(parse("kernel = k\nflavour = vanilla\n"), ERR_INVAL);
	assert_non_null(strstr(reason, "line 2"));
	assert_non_null(strstr(reason, "flavour: unknown key"));
	assert_int_equal(parse("kernel = k\n[guest other]\nkernel = j\n"), ERR_INVAL);
	assert_non_null(strstr(reason, "line 2"));
	assert_int_equal(parse("kernel\n"), ERR_INVAL);
	assert_non_null(strstr(reason, "line 1"));
	assert_int_equal(parse(""), ERR_INVAL);
}

static void test_too_long(void **state)
{
	char text[1024] = "kernel = ", module[4096] = "kernel = k\n";

	memset(text + 9, 'x', FILE_NAME_MAX);
	assert_int_equal(parse(text), ERR_INVAL);
	text[9 + FILE_NAME_MAX - 1] = 0;
	assert_int_equal(parse(text), 0);
	for (int i = 0; i < MODULES_MAX; i++)
		strcat(module, "module = m\n");
	assert_int_equal(parse(module), 0);
	assert_int_equal(s.module_count, MODULES_MAX);
	strcat(module, "module = one-too-many\n");
	assert_int_equal(parse(module), ERR_INVAL);
	assert_non_null(strstr(reason, "16 modules"));
}

static void test_noise(void **state)
{
	unsigned seed = 1;

	for (int i = 0; i < 2000; i++) {
		char noise[300];

		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = "kernel=module \n\t[]#\"\0\377x"[(seed = seed * 1103515245 + 12345) >> 16 & 0xffff
								 ? (seed >> 16) % 22 : 0];
		if (settings_parse(&s, noise, sizeof(noise), reason, sizeof(reason)) == 0)
			assert_true(s.kernel[0] && s.module_count <= MODULES_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
