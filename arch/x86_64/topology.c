/* Topology from CPUID: leaves 1Fh or 0Bh, where there are any; else the counts that were there before. */
#include "arch/x86_64/topology.h"

#include "arch/x86_64/registers.h"

#define VENDOR_INTEL 0x756e6547u /* "Genu" */
#define LEVELS 8                 /* subleaves looked at: the manual defines six kinds */
#define LEVEL_END 0
#define LEVEL_SMT 1
#define HTT BIT(28)              /* leaf 1, EDX: its EBX counts logical processors */
#define TOPOLOGY_EXTENSIONS BIT(22) /* 80000001h, ECX */
#define SHIFT_MAX 31
#define CACHE_NONE 0
#define CACHE_INSTRUCTIONS 2

typedef struct cpuid (*leaf_reader)(u32 leaf, u32 subleaf);

/* Bits that tell so many apart. */
static u8 bits_for(u32 count)
{
	u8 bits = 0;

	while (bits < SHIFT_MAX && BIT(bits) < count)
		bits++;
	return bits;
}

static bool has_extensions(leaf_reader leaf)
{
	return leaf(0x80000000, 0).eax >= 0x8000001e && leaf(0x80000001, 0).ecx & TOPOLOGY_EXTENSIONS;
}

/* SDM 2A, CPUID 0Bh and 1Fh: a shift for each level, from the threads of a core up to what is below a package. */
static bool read_levels(leaf_reader leaf, u32 number, struct topology *t)
{
	if (leaf(0, 0).eax < number || !leaf(number, 0).ebx)
		return false;
	for (u32 i = 0; i < LEVELS; i++) {
		struct cpuid level = leaf(number, i);
		u32 type = level.ecx >> 8 & 0xff;

		if (type == LEVEL_END)
			break;
		if (type == LEVEL_SMT)
			t->core = level.eax & 0x1f;
		t->package = level.eax & 0x1f;
	}
	return true;
}

/* APM 3 §E.5: the size of an APIC ID's core field, else the number of cores; and 8000001Eh's threads of a core. */
static void read_amd(leaf_reader leaf, struct topology *t)
{
	u32 sizes = leaf(0x80000000, 0).eax >= 0x80000008 ? leaf(0x80000008, 0).ecx : 0;

	t->package = sizes >> 12 & 0xf ? sizes >> 12 & 0xf : bits_for((sizes & 0xff) + 1);
	if (has_extensions(leaf))
		t->core = bits_for((leaf(0x8000001e, 0).ebx >> 8 & 0xff) + 1);
}

/* SDM 3A §9.9.3.2: logical processors of a package, and by leaf 4 its cores. */
static void read_counts(leaf_reader leaf, struct topology *t)
{
	u32 cores = leaf(0, 0).eax >= 4 ? (leaf(4, 0).eax >> 26) + 1 : 1;

	t->package = bits_for(leaf(1, 0).ebx >> 16 & 0xff);
	t->core = t->package - MIN(t->package, bits_for(cores));
}

/* Leaf 4 and 8000001Dh have one form (APM 3, SDM 2A): how many APIC IDs share the last cache with data. */
static void read_cache(leaf_reader leaf, struct topology *t)
{
	bool intel = leaf(0, 0).ebx == VENDOR_INTEL;
	u32 last = 0;

	t->cache = t->package;
	if (intel ? leaf(0, 0).eax < 4 : !has_extensions(leaf))
		return;
	for (u32 i = 0; i < LEVELS; i++) {
		struct cpuid cache = leaf(intel ? 4 : 0x8000001d, i);
		u32 type = cache.eax & 0x1f, level = cache.eax >> 5 & 7;

		if (type == CACHE_NONE)
			break;
		if (type == CACHE_INSTRUCTIONS || level < last)
			continue;
		last = level;
		t->cache = bits_for((cache.eax >> 14 & 0xfff) + 1);
	}
}

/* A hypervisor beneath us may tell anything. */
static void make_consistent(struct topology *t)
{
	t->package = MIN(t->package, SHIFT_MAX);
	t->core = MIN(t->core, t->package);
	t->cache = MAX(MIN(t->cache, t->package), t->core);
}

void topology_read(leaf_reader leaf, struct topology *t)
{
	*t = (struct topology){ 0 };
	if (!(leaf(1, 0).edx & HTT))
		return;
	if (!read_levels(leaf, 0x1f, t) && !read_levels(leaf, 0xb, t)) {
		if (leaf(0, 0).ebx == VENDOR_INTEL)
			read_counts(leaf, t);
		else
			read_amd(leaf, t);
	}
	read_cache(leaf, t);
	make_consistent(t);
}

static u32 group(u32 apic_id, u8 bits)
{
	return apic_id >> bits << bits;
}

struct cpu_place topology_place(const struct topology *t, u32 apic_id, u32 node)
{
	return (struct cpu_place){ .core = group(apic_id, t->core), .cache = group(apic_id, t->cache),
				   .package = group(apic_id, t->package), .node = node };
}
