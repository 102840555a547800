/* One episode: guests are made, operations from the input happen to them, everything is taken apart and counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/merge.h"
#include "tests/model/model.h"

#define RECENT 16  /* operations that a failure names */
#define CHOSEN 128 /* the sum of all weights, at most */

const u64 fake_frames = MODEL_FRAMES;
const u32 fake_cpu_count = 1;

u64 episode_steps;
bool episode_trace;
const char *episode_save;

/* What an episode's first bytes say. */
struct setup {
	u8 guests;      /* low: how many; high: have they filler */
	u8 often;      /* one in so many operations is followed by a recount */
	u8 enabled[4]; /* operations, by bit; none: all.  Few at a time go deeper. */
};

bool model_with_blocks;

static const u8 *input, *input_at, *input_end;
static u32 recent[RECENT];
static u64 steps; /* of this episode */

u32 model_take(void)
{
	return input_at < input_end ? *input_at++ : 0;
}

u32 model_pick(u32 below)
{
	return model_take() % below;
}

bool model_input_ended(void)
{
	return input_at >= input_end;
}

static void save(void)
{
	FILE *f = episode_save ? fopen(episode_save, "wb") : NULL;

	if (!f)
		return;
	fwrite(input, 1, (size_t)(input_end - input), f);
	fclose(f);
	fprintf(stderr, "model: saved as %s\n", episode_save);
}

void model_fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "model: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nmodel: after %lu steps, the last:", (unsigned long)steps);
	for (u64 i = steps > RECENT ? steps - RECENT : 0; i < steps; i++)
		fprintf(stderr, " %s", operation_name(recent[i % RECENT]));
	fprintf(stderr, "\n");
	save();
	abort();
}

/* The operations that the setup enables, each as often as it weighs; returns how many. */
static u32 choose(const struct setup *s, u32 chosen[CHOSEN])
{
	u32 n = 0, bits;

	memcpy(&bits, s->enabled, sizeof(bits));
	if (!(bits & (BIT(operation_count) - 1)))
		bits = UINT32_MAX;
	for (u32 i = 0; i < operation_count; i++)
		for (u32 w = 0; w < operation_weight(i) && bits & 1u << i; w++) {
			REQUIRE(n < CHOSEN);
			chosen[n++] = i;
		}
	return n;
}

static void step(u32 number)
{
	recent[steps % RECENT] = number;
	steps++;
	episode_steps++;
	if (episode_trace)
		fprintf(stderr, "%lu: %s\n", (unsigned long)steps, operation_name(number));
	operation_run(number);
}

void episode_run(const u8 *data, u64 len)
{
	static bool started;
	u32 chosen[CHOSEN], count;
	struct setup s = { 0 };

	input = input_at = data;
	input_end = data + len;
	steps = 0;
	if (!started)
		REQUIRE(!gmem_start() && !merge_init(1));
	started = true;
	model_file_start();
	recount_start();
	for (u32 i = 0; i < sizeof(s); i++)
		((u8 *)&s)[i] = (u8)model_take();
	count = choose(&s, chosen);
	model_guest_count = 1 + s.guests % MODEL_GUESTS;
	model_with_blocks = s.guests >> 6 == 3;
	for (u32 i = 0; i < model_guest_count; i++)
		model_create(&model_guests[i]);
	while (!model_input_ended()) {
		step(chosen[model_pick(count)]);
		if (steps % (1 + s.often % 64u) == 0)
			recount(steps % 32 == 0);
	}
	recount(true);
	fake_give_back();
	for (u32 i = 0; i < model_guest_count; i++)
		REQUIRE(model_destroy(&model_guests[i]));
	recount_end();
	model_file_end();
}
