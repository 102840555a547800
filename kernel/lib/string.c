/* String helpers that the C library does not have. */
#include "kernel/lib/string.h"

bool str_copy(char *to, size_t size, const char *from)
{
	size_t len = strlen(from), n = MIN(len, size - 1);

	memcpy(to, from, n);
	to[n] = 0;
	return n == len;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}
