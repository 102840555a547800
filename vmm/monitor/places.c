/* The host's topology as an operator reads it: the kernel's marks become numbers from 0 on. */
#include "vmm/monitor/places.h"

#include "kernel/lib/shares.h"
#include "vmm/lib/sys.h"
#include "vmm/monitor/guests.h"
#include "vmm/monitor/output.h"
#include "vmm/monitor/table.h"
#include "vmm/monitor/units.h"

enum { CORE, CACHE, PACKAGE, NODE, KINDS };

/* The different marks of each kind, in the order of their coming. */
static struct {
	u32 mark[CPU_SET_MAX];
	u32 count;
} seen[KINDS];

static u32 number(u32 kind, u32 mark)
{
	u32 n = 0;

	while (n < seen[kind].count && seen[kind].mark[n] != mark)
		n++;
	if (n == seen[kind].count && n < CPU_SET_MAX)
		seen[kind].mark[seen[kind].count++] = mark;
	return n;
}

/* CPU index and its numbers; from index 0 on.  False: there is none. */
static bool read_place(u32 index, struct cpu_info *cpu, u32 numbers[KINDS])
{
	if (sys_cpu_info(index, cpu) != 0)
		return false;
	for (u32 kind = 0; kind < KINDS && !index; kind++)
		seen[kind].count = 0;
	numbers[CORE] = number(CORE, cpu->core);
	numbers[CACHE] = number(CACHE, cpu->cache);
	numbers[PACKAGE] = number(PACKAGE, cpu->package);
	numbers[NODE] = cpu->node; /* memory has this number, too */
	(void)number(NODE, cpu->node);
	return true;
}

static const char *user(const struct cpu_info *cpu)
{
	static struct guest_info info;

	for (GUESTS_EACH(&info))
		if (info.id == cpu->guest)
			return info.name;
	return "everybody";
}

void places_print(void)
{
	static const struct column columns[] = {
		{ "CPU", 4, true }, { "NODE", 5, true }, { "PACKAGE", 8, true }, { "CACHE", 6, true }, { "CORE", 5, true },
		{ "FOR", 31, false }, { NULL, 0, false },
	};
	u32 n[KINDS];
	struct cpu_info cpu;

	table_head(columns);
	for (u32 i = 0; read_place(i, &cpu, n); i++)
		TABLE_ROW(columns, units_count(i).text, units_count(n[NODE]).text, units_count(n[PACKAGE]).text,
			  units_count(n[CACHE]).text, units_count(n[CORE]).text, user(&cpu));
}

void places_facts(void)
{
	u32 count = 0, n[KINDS];
	struct cpu_info cpu;

	while (read_place(count, &cpu, n))
		count++;
	table_fact("CPUs", "%u", count);
	table_fact("Topology", "nodes %u, packages %u, caches %u, cores %u", seen[NODE].count, seen[PACKAGE].count,
		   seen[CACHE].count, seen[CORE].count);
}
