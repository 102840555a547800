/* What the parts of the ledger share: ledger.c (the gate) and ledger_admit.c (who comes in).  Everything here is
 * called with the ledger's lock held. */
#ifndef KERNEL_LEDGER_PARTS_H
#define KERNEL_LEDGER_PARTS_H

#include "kernel/ledger.h"
#include "kernel/lock.h"

struct ledger {
	struct spinlock lock;
	struct link accounts;      /* l: in the order of claim */
	u64 total;                 /* c: frames of the host */
	u64 reserve;               /* c: the host's, what guests' machine processes may take apart */
	u64 credit;                /* l: frames that pass the gate without a look at the sums */
	u64 admissions;            /* l: count */
	enum memory_level level;   /* l */
	enum overcommit overcommit; /* c */
};

extern struct ledger ledger;

struct ledger_sums {
	u64 free, reserve; /* reserve: the whole, with what is promised to machine processes */
	u64 unfilled;      /* promises */
	u64 lacks;         /* what all guests together lack to their full sizes */
	u64 used;
	u64 kept;          /* for guests that went on */
	u64 count;         /* of accounts */
};

/* The guest with the least slack. */
struct ledger_least {
	s64 slack;
	const struct ledger_account *guest;
	u64 ahead;    /* what those before it have */
	u64 unfilled; /* promises to those after it */
	u64 before;   /* how many were looked at */
	s64 room;     /* the least that is left to those after them: of a slack, less what is kept for those between */
};

u64 ledger_lacks(const struct ledger_account *a);
u64 ledger_unfilled(const struct ledger_account *a);
struct ledger_sums ledger_sum(void);

/* The least slack of the guests before end (NULL: of all). */
s64 ledger_slack(struct ledger_sums s, const struct ledger_account *end, struct ledger_least *least);

/* What may still be given: to the last guest, which may take the least; to one that is alone. */
u64 ledger_available(const struct ledger_sums *s);

#endif
