/* model random SEED SECONDS   random episodes, until the time is over
 * model small LENGTH          every sequence of so many operations on two guests with few pages
 * model replay FILE           one episode, each step told
 * Ends with `model: N steps`, or by abort with the episode saved beside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/model.h"

#define EPISODE 4096 /* bytes: about a thousand operations */

static char **arguments;
static u64 generator;

/* xorshift64*: the same everywhere. */
static u32 random_byte(void)
{
	generator ^= generator >> 12;
	generator ^= generator << 25;
	generator ^= generator >> 27;
	return (u32)(generator * 0x2545f4914f6cdd1d >> 56);
}

static void run_random(u64 seed, u64 seconds)
{
	static u8 bytes[EPISODE];
	time_t end = time(NULL) + (time_t)seconds;
	char name[64];

	snprintf(name, sizeof(name), "build/model/fail-%lu", (unsigned long)seed);
	episode_save = name;
	generator = seed * 2654435769u + 1;
	while (time(NULL) < end) {
		for (u32 i = 0; i < EPISODE; i++)
			bytes[i] = (u8)random_byte();
		if (random_byte() % 4 == 0) /* all operations */
			memset(bytes + 2, 0, 4);
		episode_run(bytes, EPISODE - random_byte() * 8);
	}
	for (u32 i = 0; i < operation_count; i++) {
		printf("%-14s %lu\n", operation_name(i), (unsigned long)operation_done[i]);
		REQUIRE(operation_done[i]); /* all of it was tried */
	}
}

static void run_file(const char *path)
{
	static u8 bytes[MIB];
	FILE *f = fopen(path, "rb");
	u64 len = f ? fread(bytes, 1, sizeof(bytes), f) : 0;

	if (!f)
		model_fail("%s cannot be read", path);
	fclose(f);
	episode_trace = true;
	episode_run(bytes, len);
}

static void run(void **state)
{
	if (!strcmp(arguments[1], "random") && arguments[2] && arguments[3])
		run_random(strtoull(arguments[2], NULL, 0), strtoull(arguments[3], NULL, 0));
	else if (!strcmp(arguments[1], "small") && arguments[2])
		small_run((u32)strtoul(arguments[2], NULL, 0));
	else if (!strcmp(arguments[1], "replay") && arguments[2])
		run_file(arguments[2]);
	else
		model_fail("usage: random SEED SECONDS, small LENGTH, replay FILE");
	printf("model: %lu steps\n", (unsigned long)episode_steps);
}

int main(int count, char **values)
{
	void *state = (void *)run;

	arguments = values;
	if (count < 2)
		return 1;
	fake_test_run(&state);
	return fake_test_end(&state);
}
