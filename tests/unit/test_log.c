/* The log ring: lines, positions, overwriting, hostile text, rate limits. */
/* links: kernel/log.c kernel/lib/fmt.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/clock.h"
#include "kernel/log.h"

static u64 now_ns;
static char sunk[4096];
static size_t sunk_len;
static int notified;

u64 clock_ns(void)
{
	return now_ns;
}

void lock_check_take(const void *l);
void lock_check_put(const void *l);
void lock_check_take(const void *l) { }
void lock_check_put(const void *l) { }

static void sink(const char *line, size_t len)
{
	if (sunk_len + len < sizeof(sunk)) {
		memcpy(sunk + sunk_len, line, len);
		sunk_len += len;
		sunk[sunk_len] = 0;
	}
}

static void notify(void)
{
	notified++;
}

static int setup(void **state)
{
	now_ns = 0;
	sunk_len = 0;
	sunk[0] = 0;
	notified = 0;
	log_sink = sink;
	log_notify = notify;
	log_console_level = LOG_DEBUG;
	return 0;
}

static void line_has_stamp_and_level(void **state)
{
	now_ns = 1234567890;
	log_warn("disk %u is %s", 3, "full");
	assert_string_equal(sunk, "[    1.234567] warn: disk 3 is full\n");
	assert_int_equal(notified, 1);
}

static void console_level_filters_the_echo_only(void **state)
{
	char text[128];
	u64 at = log_end();
	size_t n;

	log_console_level = LOG_WARN;
	log_info("quiet");
	assert_int_equal(sunk_len, 0);
	n = log_read(&at, text, sizeof(text) - 1);
	text[n] = 0;
	assert_string_equal(text, "[    0.000000] info: quiet\n");
	log_error("loud");
	assert_non_null(strstr(sunk, "error: loud\n"));
	log_write(77, "hostile level", 13);
	assert_null(strstr(sunk, "hostile"));
}

static void hostile_text_becomes_harmless(void **state)
{
	log_write(LOG_INFO, "a\033[2Jb\0c\xff\n\r\n", 12);
	assert_string_equal(sunk, "[    0.000000] info: a?[2Jb?c?\n");
}

static void long_text_is_cut(void **state)
{
	char *text = malloc(5000);

	memset(text, 'x', 5000);
	log_write(LOG_INFO, text, 5000);
	assert_int_equal(sunk_len, LOG_LINE_MAX);
	assert_int_equal(sunk[sunk_len - 1], '\n');
	sunk_len = 0;
	text[4999] = 0;
	log_info("%s", text);
	assert_int_equal(sunk_len, LOG_LINE_MAX);
	assert_int_equal(sunk[sunk_len - 1], '\n');
	free(text);
}

static void reading_follows_writing(void **state)
{
	char part[8], all[256];
	u64 at = log_end();
	size_t len = 0, n;

	log_info("one");
	log_info("two");
	while ((n = log_read(&at, part, sizeof(part))) > 0) {
		memcpy(all + len, part, n);
		len += n;
	}
	all[len] = 0;
	assert_string_equal(all, sunk);
	assert_int_equal(at, log_end());
	assert_int_equal(log_read(&at, part, sizeof(part)), 0);
	assert_int_equal(log_read(&at, part, 0), 0);
}

static void overwritten_position_moves_to_a_whole_line(void **state)
{
	char text[64];
	u64 at = log_end();

	for (int i = 0; i < 3000; i++)
		log_info("line number %d", i);
	assert_true(log_end() - at > LOG_SIZE);
	assert_int_equal(log_read(&at, text, sizeof(text)), sizeof(text));
	assert_memory_equal(text, "[    0.000000] info: line number ", 33);
	assert_in_range(log_end() - at, LOG_SIZE - LOG_LINE_MAX - sizeof(text), LOG_SIZE);
}

static void position_beyond_the_end_comes_back(void **state)
{
	char text[16];
	u64 at = UINT64_MAX;

	assert_int_equal(log_read(&at, text, sizeof(text)), 0);
	assert_int_equal(at, log_end());
}

static void limit_lets_a_burst_through_then_one_a_second(void **state)
{
	struct log_limit limit = { 0 };
	u32 suppressed, passed = 0;
	u64 now = 50 * LOG_LIMIT_NS;

	for (int i = 0; i < 1000; i++)
		passed += log_limit_take(&limit, now, &suppressed);
	assert_int_equal(passed, LOG_LIMIT_BURST);
	assert_false(log_limit_take(&limit, now + LOG_LIMIT_NS - 1, &suppressed));
	assert_true(log_limit_take(&limit, now + LOG_LIMIT_NS, &suppressed));
	assert_int_equal(suppressed, 1000 - LOG_LIMIT_BURST + 1);
	assert_false(log_limit_take(&limit, now + LOG_LIMIT_NS, &suppressed));

	/* a flood for a minute: no more than one a second */
	passed = 0;
	for (u64 t = 0; t < 60000; t++)
		passed += log_limit_take(&limit, now + LOG_LIMIT_NS + t * 1000000, &suppressed);
	assert_in_range(passed, 58, 60);
	/* and the burst comes back after a rest */
	passed = 0;
	for (int i = 0; i < 20; i++)
		passed += log_limit_take(&limit, now + 1000 * LOG_LIMIT_NS, &suppressed);
	assert_int_equal(passed, LOG_LIMIT_BURST);
}

static void limited_lines_say_how_many_are_missing(void **state)
{
	struct log_limit limit = { 0 };

	for (int i = 0; i < 20; i++)
		log_limited(&limit, LOG_WARN, "guest %d writes nonsense", 7);
	assert_null(strstr(sunk, "left out"));
	sunk_len = 0;
	now_ns = 3 * LOG_LIMIT_NS;
	log_limited(&limit, LOG_WARN, "guest %d writes nonsense", 7);
	assert_string_equal(sunk, "[    3.000000] warn: (12 lines like the next one were left out)\n"
				  "[    3.000000] warn: guest 7 writes nonsense\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(line_has_stamp_and_level, setup),
		cmocka_unit_test_setup(console_level_filters_the_echo_only, setup),
		cmocka_unit_test_setup(hostile_text_becomes_harmless, setup),
		cmocka_unit_test_setup(long_text_is_cut, setup),
		cmocka_unit_test_setup(reading_follows_writing, setup),
		cmocka_unit_test_setup(overwritten_position_moves_to_a_whole_line, setup),
		cmocka_unit_test_setup(position_beyond_the_end_comes_back, setup),
		cmocka_unit_test_setup(limit_lets_a_burst_through_then_one_a_second, setup),
		cmocka_unit_test_setup(limited_lines_say_how_many_are_missing, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
