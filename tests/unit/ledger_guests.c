/* ledger_guests.h: see there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/frame.h"
#include "tests/unit/fake_arch.h"
#include "tests/unit/ledger_guests.h"

const u64 fake_frames = 8192;
const u32 fake_cpu_count = 2;

struct guest guests[GUESTS];

u32 notified;

static void notify(void)
{
	notified++;
}

void begin(void)
{
	memset(guests, 0, sizeof(guests));
	ledger_start(RESERVE * PAGE_SIZE, OVERCOMMIT_FULL);
	ledger_notify = notify;
	notified = 0;
}

u32 pick(u32 below)
{
	return (u32)random() % below;
}

int enter(u32 i, u64 full, u64 min, u32 shares)
{
	const struct ledger_terms terms = { .full = full, .min = min, .shares = shares, .buffer = 8 };
	struct admission a;
	int error = ledger_admit(&guests[i].account, i + 1, &terms, 0, &a);

	assert_int_equal(error, a.verdict ? ERR_NOMEM : 0);
	guests[i].in = !error;
	return error;
}

int take(u32 i, enum ledger_use use)
{
	struct guest *g = &guests[i];

	if (ledger_take(&g->account, 1, use))
		return ERR_NOMEM;
	g->frames[g->count] = frame_alloc(0, FRAME_GUEST);
	assert_true(g->frames[g->count++].v); /* what the ledger grants is there */
	return 0;
}

void put(u32 i)
{
	struct guest *g = &guests[i];

	ledger_put(&g->account, 1);
	frame_put(g->frames[--g->count]);
}

u32 fill(u32 i, u32 most)
{
	u32 n = 0;

	while (n < most && !take(i, LEDGER_FAULT))
		n++;
	return n;
}

void leave(u32 i)
{
	while (guests[i].count)
		put(i);
	ledger_remove(&guests[i].account);
	memset(&guests[i], 0, sizeof(guests[i]));
}
