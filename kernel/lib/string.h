/* Memory and string primitives.  In host tests the C library's own mem* are used. */
#ifndef KERNEL_LIB_STRING_H
#define KERNEL_LIB_STRING_H

#include "kernel/lib/types.h"

void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t len);
char *strchr(const char *s, int c);

/* Copies from into to[size], always terminated; true if all of it fitted. */
bool str_copy(char *to, size_t size, const char *from);

/* True if s begins with prefix. */
bool str_starts(const char *s, const char *prefix);

#endif
