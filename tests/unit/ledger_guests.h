/* Guests as the ledger sees them: accounts and the frames that were taken for them.  For the tests of the ledger. */
#ifndef TESTS_UNIT_LEDGER_GUESTS_H
#define TESTS_UNIT_LEDGER_GUESTS_H

#include "kernel/ledger.h"

#define GUESTS 8
#define RESERVE 64
#define FLYING 4 /* with two CPUs */

extern struct guest {
	struct ledger_account account;
	hpa_t frames[8192];
	u32 count;
	bool in;
} guests[GUESTS];

extern u32 notified;

/* A ledger without guests. */
void begin(void);
u32 pick(u32 below); /* random */

int enter(u32 i, u64 full, u64 min, u32 shares);
void leave(u32 i);

int take(u32 i, enum ledger_use use);
void put(u32 i);
u32 fill(u32 i, u32 most); /* takes so many; how many it got */

#endif
