/* Formatted text into bounded buffers: %d %i %u %x %X %p %s %c %%, with flags - and 0, width, precision
 * for %s (also *), and length l, ll, z, h, hh. */
#ifndef KERNEL_LIB_FMT_H
#define KERNEL_LIB_FMT_H

#include <stdarg.h>

#include "kernel/lib/types.h"

/* Both terminate the text whenever size > 0 and return the length that the whole text has (as C's do). */
int fmt_print(char *to, size_t size, const char *format, ...) printf_like(3, 4);
int fmt_vprint(char *to, size_t size, const char *format, va_list args);

#endif
