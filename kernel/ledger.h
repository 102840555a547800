/* The ledger: how many frames each guest has for itself, what it was promised, and who may take one more.
 *
 * Guests stand in an order of claim: more memory-shares go first, then who was started first.  The state is
 * kept safe as a banker keeps his.  For each guest k its slack is
 *     free + what the guests before k have  -  reserve - what k lacks to its full size (and a full buffer)
 *                                           - unfilled promises (memory-min) of the guests after k
 * and no slack becomes negative by what guests take: so the first guest can reach its full size at any moment,
 * and when it ends the next one can.  A guest's taking a frame lowers the slack of those before it only: it
 * may while these have some.  Below its memory-min it always may.  Nobody asks for all at once, so sizes may
 * add up to more than there is; who may not take a frame waits, and the first never waits,
 * unless for its own memory-max: then it is limited until there is room below that (compress.c makes it).
 *
 * reserve is the host's: memory-reserve, and for each guest what its machine process may still take and a
 * buffer for writes that must not wait.  The host's own allocations pass no gate; they come out of it.
 * Lock: LOCK_LEDGER (l), taken under a gmem's. */
#ifndef KERNEL_LEDGER_H
#define KERNEL_LEDGER_H

#include "kernel/abi.h"
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

/* One guest's page in the ledger; zeroed: not admitted.  All counts are frames. */
struct ledger_account {
	struct link link; /* l: in the order of claim */
	u32 id;           /* l: the guest's */
	u32 shares;       /* l: memory-shares, for each of its pages */
	u64 started;      /* l: counts admissions */
	u64 full;         /* l: the most that it may have: RAM, or memory-max, and stage-2 tables; 0: it gets no more */
	u64 room;         /* l: of it, free before the guest goes on when it had all; 0: full is all that it can use */
	bool limited;     /* l: it wanted more than full, or had that when it was tuned, and has not room yet */
	u64 min;          /* l: promised */
	u64 used;         /* l: its own: private pages and tables; read by others as a figure */
	u64 own;          /* l: the machine process may still take these */
	u64 buffer;       /* l: size of the buffer for writes that must not wait */
	u64 drawn;        /* l: taken from it; 0 again before a vCPU enters the guest */
	u64 refused;      /* l: what it asked for last in vain; 0: to have its buffer filled */
	u64 kept;         /* l: of what it lacks, for it alone since it went on; read by others as a figure */
};

enum ledger_use {
	LEDGER_FAULT, /* the vCPU can wait */
	LEDGER_WRITE, /* the kernel or the machine process writes: the buffer may be drawn on */
};

struct ledger_terms {
	u64 full, room, min;
	u32 shares;
	u64 own, buffer;
};

/* Once at boot.  reserve: bytes, 0: the default. */
void ledger_start(u64 reserve, enum overcommit overcommit);

/* Enters a guest, if the state stays safe with it (and the sizes add up, by overcommit); ERR_NOMEM if not.
 * saved: frames that sharing saves the others now.  a: what it was decided by, filled in any case. */
int ledger_admit(struct ledger_account *account, u32 id, const struct ledger_terms *terms, u64 saved,
		 struct admission *a) must_check;

/* Other terms for a guest that is in; all or nothing as above.  The sizes must add up only if its own grows. */
int ledger_tune(struct ledger_account *account, const struct ledger_terms *terms, u64 saved,
		struct admission *a) must_check;

/* Its run has ended: it keeps what it has, and gets no more. */
void ledger_freeze(struct ledger_account *account);
void ledger_remove(struct ledger_account *account); /* not admitted: fine */

/* n frames for the guest's memory, to be allocated by the caller at once; ERR_NOMEM: it has to wait. */
int ledger_take(struct ledger_account *account, u32 n, enum ledger_use use) must_check;
void ledger_put(struct ledger_account *account, u64 n);
void ledger_charge(struct ledger_account *account, u64 n); /* a frame became its own without an allocation */

/* Before an entry: fills the buffer again; ERR_NOMEM: the guest has to wait. */
int ledger_refill(struct ledger_account *account) must_check;

/* The machine process took n frames of those that it was promised, or (negative) gave them back. */
void ledger_own_taken(struct ledger_account *account, s64 n);

/* Is it so far below its memory-min that what it waits for is its own, whatever others do? */
bool ledger_is_promised(struct ledger_account *account);

/* May a guest that waits go on?  Only when there is more for it than what it asked for, so that it does not stop again
 * at once.  What is enough is halved for each second that it waited, as far as that. */
bool ledger_may_resume(struct ledger_account *account, u64 seconds);

/* It goes on: what there is for it, as far as it lacks it, is kept from those after it until it took it: they run, too,
 * and whoever is faster would have it.  ledger_keep: of what is still kept, so much at most; how much that is. */
void ledger_went_on(struct ledger_account *account);
u64 ledger_keep(struct ledger_account *account, u64 most);

/* Has it all of its memory-max, and not got room there yet?  While it waits for that, others' memory is no help to it.
 * ledger_limit_done: there will be no more room, it may go on with what there is. */
bool ledger_at_limit(struct ledger_account *account);
void ledger_limit_done(struct ledger_account *account);

/* Does a's claim go before b's? */
bool ledger_goes_before(const struct ledger_account *a, const struct ledger_account *b);

/* May the host give n frames away at an operator's wish (a definition)? */
bool ledger_host_may_take(u64 n);

/* Frames that any guest may still take (less is left by nobody's claim), and the pressure level by it; the
 * levels have hysteresis. */
enum memory_level ledger_level(u64 *available);

/* Called, under the ledger's lock, when the level may have changed. */
extern void (*ledger_notify)(void);

/* For the monitor: the sums. */
void ledger_info(struct ledger_info *info);

#endif
