/* What a guest wrote before somebody attached, without the questions in it: the terminal would answer each
 * of them anew (where the cursor is, who it is), and the guest would take the answers for typed text. */
#ifndef VMM_MONITOR_REPLAY_H
#define VMM_MONITOR_REPLAY_H

#include "kernel/lib/types.h"

#define REPLAY_HELD 16 /* bytes of an escape sequence; a longer one is no question */

struct replay {
	char held[REPLAY_HELD]; /* the beginning of a sequence whose end was not seen yet */
	u32 len;
};

/* Copies in to out, which has room for len + REPLAY_HELD, without questions; returns how many bytes. */
size_t replay_filter(struct replay *r, const char *in, size_t len, char *out);

#endif
