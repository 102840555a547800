/* Another CPU's time stamp counter against this one's: measured, and set right. */
#ifndef ARCH_X86_64_TSC_SYNC_H
#define ARCH_X86_64_TSC_SYNC_H

#include "kernel/lib/types.h"

/* The other CPU, as this one commands it.  ERR_TIMEOUT when it does not answer. */
struct tsc_peer {
	int (*read)(struct tsc_peer *p, u64 *tsc);   /* its TSC, between the call and the return */
	int (*move)(struct tsc_peer *p, u64 cycles); /* adds them to its TSC */
};

struct tsc_offset {
	s64 cycles; /* the other is ahead by so much, if both ways of a question took the same time */
	u64 error;  /* and at most so much away from that */
};

struct tsc_sync {
	struct tsc_offset found, left; /* at its start; after it was set right */
};

/* Asks for a short while and keeps the answer that came fastest. */
int tsc_measure(struct tsc_peer *p, struct tsc_offset *o) must_check;

/* Measures, and sets the other's TSC right as long as it differs by more than the measurement's error.
 * ERR_UNSUPPORTED: it still does, see out->left. */
int tsc_synchronise(struct tsc_peer *p, struct tsc_sync *out) must_check;

/* Adds cycles to this CPU's TSC: by IA32_TSC_ADJUST, exactly, where there is one, else by writing it, a little late. */
void tsc_move(u64 cycles);

#endif
