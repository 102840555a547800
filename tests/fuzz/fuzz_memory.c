/* Fuzzes guest memory with the model check's driver: the input is an episode (tests/model/model.h).
 *   /usr/bin/python3 tests/model.py fuzz SECONDS */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "tests/model/model.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const u8 *episode;
static size_t episode_size;

static void run(void **state)
{
	episode_run(episode, episode_size);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static void *state = (void *)run;
	static bool started;

	episode = data;
	episode_size = size;
	if (started)
		run(NULL);
	else
		fake_test_run(&state);
	started = true;
	return 0;
}
