/* Questions are ESC Z, CSI ... c and CSI ... n (ECMA-48 §8.3.24 DA, §8.3.35 DSR). */
#include "vmm/monitor/replay.h"

#include "kernel/lib/string.h"

#define ESCAPE 0x1b

enum verdict { GOES_ON, PASSES, QUESTION };

/* What the held bytes are. */
static enum verdict judge(const struct replay *r)
{
	char last = r->held[r->len - 1];

	if (r->len == 1)
		return last == ESCAPE ? GOES_ON : PASSES;
	if (r->len == 2 && last != '[')
		return last == 'Z' ? QUESTION : PASSES;
	if (r->len == 2 || (last >= ' ' && last <= '?'))
		return r->len < REPLAY_HELD ? GOES_ON : PASSES;
	return last == 'c' || last == 'n' ? QUESTION : PASSES;
}

size_t replay_filter(struct replay *r, const char *in, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		enum verdict v;

		r->held[r->len++] = in[i];
		v = judge(r);
		if (v == GOES_ON)
			continue;
		if (v == PASSES) {
			memcpy(out + n, r->held, r->len);
			n += r->len;
		}
		r->len = 0;
	}
	return n;
}
