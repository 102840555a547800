/* Sizes, times, counts and shares as text, in whole-number arithmetic. */
#include "vmm/monitor/units.h"

#include "kernel/lib/fmt.h"

#define US ((u64)1000)
#define MS (1000 * US)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct units_text units_size(u64 bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	struct units_text t;
	unsigned unit = 0, tenths;

	while (unit + 1 < ARRAY_SIZE(names) && bytes >> (10 * (unit + 1)))
		unit++;
	tenths = unit ? (unsigned)(((bytes >> (10 * (unit - 1))) & 1023) * 10 / 1024) : 0;
	bytes >>= 10 * unit;
	if (tenths)
		fmt_print(t.text, sizeof(t.text), "%lu.%u %s", bytes, tenths, names[unit]);
	else
		fmt_print(t.text, sizeof(t.text), "%lu %s", bytes, names[unit]);
	return t;
}

struct units_text units_time(u64 ns)
{
	struct units_text t;
	char *to = t.text;

	if (ns < US)
		fmt_print(to, sizeof(t.text), "%lu ns", ns);
	else if (ns < MS)
		fmt_print(to, sizeof(t.text), "%lu.%lu us", ns / US, ns % US / 100);
	else if (ns < SECOND)
		fmt_print(to, sizeof(t.text), "%lu.%lu ms", ns / MS, ns % MS / (100 * US));
	else if (ns < MINUTE)
		fmt_print(to, sizeof(t.text), "%lu.%03lu s", ns / SECOND, ns % SECOND / MS);
	else if (ns < HOUR)
		fmt_print(to, sizeof(t.text), "%lu min %lu s", ns / MINUTE, ns % MINUTE / SECOND);
	else if (ns < DAY)
		fmt_print(to, sizeof(t.text), "%lu h %lu min", ns / HOUR, ns % HOUR / MINUTE);
	else
		fmt_print(to, sizeof(t.text), "%lu d %lu h", ns / DAY, ns % DAY / HOUR);
	return t;
}

struct units_text units_count(u64 n)
{
	struct units_text t;

	fmt_print(t.text, sizeof(t.text), "%lu", n);
	return t;
}

struct units_text units_share(u64 part, u64 all)
{
	struct units_text t;
	u64 permille;

	while (part >> 53) { /* part * 1000 must fit */
		part >>= 1;
		all >>= 1;
	}
	if (!all) {
		fmt_print(t.text, sizeof(t.text), "-");
		return t;
	}
	permille = (part * 1000 + all / 2) / all;
	fmt_print(t.text, sizeof(t.text), "%lu.%lu %%", permille / 10, permille % 10);
	return t;
}
