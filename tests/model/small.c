/* The exhaustive run: every sequence of a few operations, on two guests of which few pages are used.  Small
 * counter-examples are most of them: two guests, two pages, two values. */
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

#define LETTER 8 /* bytes of an operation with its arguments, at most */
#define LETTERS 64
#define SETUP (6 + 2 * 3) /* an episode's; two guests: NPT, all of the limit, share group a */

struct letter {
	u8 len;
	u8 bytes[LETTER];
};

static struct letter letters[LETTERS];
static u32 letter_count;

static void letter(const char *name, const u8 *arguments, u32 len)
{
	struct letter *l = &letters[letter_count++];
	u32 number = 0, chosen = 0; /* as episode.c's choose numbers them when all are enabled */

	REQUIRE(letter_count <= LETTERS && len < LETTER);
	while (strcmp(operation_name(number), name)) {
		chosen += operation_weight(number++);
		REQUIRE(number < operation_count);
	}
	l->len = (u8)(len + 1);
	l->bytes[0] = (u8)chosen;
	memcpy(l->bytes + 1, arguments, len);
}
#define LETTER_OF(name, ...) letter(name, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static void make_letters(void)
{
	for (u8 g = 0; g < 2; g++) {
		LETTER_OF("vcpu_write", g, 0, 1, 0, 1);
		LETTER_OF("vcpu_fill", g, 1, 1, 8); /* as the file's page 1 */
		LETTER_OF("vcpu_read", g, 1, 1, 0);
		LETTER_OF("kernel_map", g, 1, 0, MAP_FILE + 8);
	}
	LETTER_OF("vcpu_fill", 0, 0, 2, 8);
	LETTER_OF("vcpu_race", 0, 0, 1, 1, 0, 3);
	LETTER_OF("vcpu_leave", 0, 1);
	LETTER_OF("kernel_write", 0, 1, 0, 3, 2);
	LETTER_OF("kernel_map", 0, 1, 0, MAP_RAM);
	LETTER_OF("kernel_map", 0, 1, 0, MAP_HOLE);
	LETTER_OF("renew", 1, 0, 0, 0);
	LETTER_OF("merge_some", 0, 0);
	LETTER_OF("merge_some", 1, 0);
	LETTER_OF("merge_all", 2);
	LETTER_OF("merge_undo", 1);
	LETTER_OF("memory_short", 1);
	LETTER_OF("compress_some", 0, 4);
}

void small_run(u32 length)
{
	static u8 bytes[SETUP + LETTER * 16] = { 1, 0 };
	u32 digits[16] = { 0 };

	episode_save = "build/model/fail-small";
	REQUIRE(length && length <= 16);
	make_letters();
	for (u32 carry = 0; carry < length;) {
		u64 len = SETUP;

		for (u32 i = 0; i < length; i++) {
			memcpy(bytes + len, letters[digits[i]].bytes, letters[digits[i]].len);
			len += letters[digits[i]].len;
		}
		episode_run(bytes, len);
		for (carry = 0; carry < length && ++digits[carry] == letter_count; carry++)
			digits[carry] = 0;
	}
}
