/* Numbers as an operator reads them.  Each returns its text by value: units_size(n).text lives as long as the
 * expression that it stands in. */
#ifndef VMM_MONITOR_UNITS_H
#define VMM_MONITOR_UNITS_H

#include "kernel/lib/types.h"

struct units_text {
	char text[24];
};

struct units_text units_size(u64 bytes);          /* "128 MiB", "1.5 GiB" */
struct units_text units_time(u64 ns);             /* "12.3 us", "3 min 20 s" */
struct units_text units_count(u64 n);             /* "1234" */
struct units_text units_share(u64 part, u64 all); /* "4.8 %", "-" of nothing */

#endif
