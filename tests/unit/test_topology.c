/* Where CPUs are, from what real processors' CPUID says, and from what a hypervisor might make up. */
/* links: arch/x86_64/topology.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "arch/x86_64/topology.h"

#define INTEL 0x756e6547
#define AMD 0x68747541
#define HTT BIT(28)
#define END { ~0u, 0, { 0 } }

struct answer {
	u32 leaf, subleaf;
	struct cpuid r;
};

static const struct answer *now;

static struct cpuid leaf(u32 number, u32 subleaf)
{
	for (const struct answer *a = now; a->leaf != ~0u; a++)
		if (a->leaf == number && a->subleaf == subleaf)
			return a->r;
	return (struct cpuid){ 0 };
}

static void expect(const struct answer *answers, u32 core, u32 cache, u32 package)
{
	struct topology t;

	now = answers;
	topology_read(leaf, &t);
	assert_int_equal(t.core, core);
	assert_int_equal(t.cache, cache);
	assert_int_equal(t.package, package);
}

/* Core i7-2600K: 4 cores, 8 threads, one L3. */
static const struct answer sandy_bridge[] = {
	{ 0, 0, { 0xd, INTEL, 0, 0 } }, { 1, 0, { 0x206a7, 0x00100800, 0x1fbae3ff, 0xbfebfbff } },
	{ 4, 0, { 0x1c004121, 0, 0, 0 } }, { 4, 1, { 0x1c004122, 0, 0, 0 } }, { 4, 2, { 0x1c004143, 0, 0, 0 } },
	{ 4, 3, { 0x1c03c163, 0, 0, 0 } },
	{ 0xb, 0, { 1, 2, 0x100, 0 } }, { 0xb, 1, { 4, 8, 0x201, 0 } }, { 0xb, 2, { 0, 0, 2, 0 } }, END,
};

/* Core 2 Quad Q6600: no leaf Bh; two pairs of cores, each with an L2. */
static const struct answer core2_quad[] = {
	{ 0, 0, { 0xa, INTEL, 0, 0 } }, { 1, 0, { 0x6fb, 0x00040800, 0xe3bd, 0xbfebfbff } },
	{ 4, 0, { 0x0c000121, 0, 0, 0 } }, { 4, 1, { 0x0c000122, 0, 0, 0 } }, { 4, 2, { 0x0c004143, 0, 0, 0 } }, END,
};

/* Ryzen 7 1700X: no leaf Bh; two complexes of 4 cores with an L3 each. */
static const struct answer zen1[] = {
	{ 0, 0, { 0xd, AMD, 0, 0 } }, { 1, 0, { 0x800f11, 0x00100800, 0x7ed8320b, 0x178bfbff } },
	{ 0x80000000, 0, { 0x8000001f, AMD, 0, 0 } }, { 0x80000001, 0, { 0x800f11, 0, 0x35c233ff, 0x2fd3fbff } },
	{ 0x80000008, 0, { 0x3030, 0x7, 0x400f, 0 } },
	{ 0x8000001d, 0, { 0x4121, 0, 0, 0 } }, { 0x8000001d, 1, { 0x4122, 0, 0, 0 } },
	{ 0x8000001d, 2, { 0x4143, 0, 0, 0 } }, { 0x8000001d, 3, { 0x1c163, 0, 0, 0 } },
	{ 0x8000001e, 0, { 0, 0x100, 0, 0 } }, END,
};

/* EPYC 7742: 64 cores in complexes of four. */
static const struct answer zen2[] = {
	{ 0, 0, { 0x10, AMD, 0, 0 } }, { 1, 0, { 0x830f10, 0x00800800, 0x7ed8320b, 0x178bfbff } },
	{ 0xb, 0, { 1, 2, 0x100, 0 } }, { 0xb, 1, { 7, 0x80, 0x201, 0 } }, { 0xb, 2, { 0, 0, 2, 0 } },
	{ 0x80000000, 0, { 0x80000020, AMD, 0, 0 } }, { 0x80000001, 0, { 0x830f10, 0, 0x75c237ff, 0x2fd3fbff } },
	{ 0x8000001d, 0, { 0x4121, 0, 0, 0 } }, { 0x8000001d, 1, { 0x4122, 0, 0, 0 } },
	{ 0x8000001d, 2, { 0x4143, 0, 0, 0 } }, { 0x8000001d, 3, { 0x1c163, 0, 0, 0 } },
	{ 0x8000001e, 0, { 0, 0x100, 0, 0 } }, END,
};

static void test_real(void **state)
{
	expect(sandy_bridge, 1, 4, 4);
	expect(core2_quad, 0, 1, 2);
	expect(zen1, 1, 3, 4);
	expect(zen2, 1, 3, 7);
}

/* Leaf 1Fh goes before Bh: dies between cores and package; its last level is the package's. */
static void test_dies(void **state)
{
	static const struct answer dies[] = {
		{ 0, 0, { 0x1f, INTEL, 0, 0 } }, { 1, 0, { 0, 0, 0, HTT } },
		{ 4, 3, { 0, 0, 0, 0 } },
		{ 0xb, 0, { 1, 2, 0x100, 0 } }, { 0xb, 1, { 6, 64, 0x201, 0 } },
		{ 0x1f, 0, { 1, 2, 0x100, 0 } }, { 0x1f, 1, { 5, 32, 0x201, 0 } }, { 0x1f, 2, { 7, 64, 0x502, 0 } }, END,
	};

	expect(dies, 1, 7, 7);
}

static void test_nothing_told(void **state)
{
	static const struct answer single[] = { { 0, 0, { 1, INTEL, 0, 0 } }, { 1, 0, { 0, 0x00100800, 0, 0 } }, END };
	static const struct answer old[] = { { 0, 0, { 1, INTEL, 0, 0 } }, { 1, 0, { 0, 0x00020800, 0, HTT } }, END };
	static const struct answer old_amd[] = {
		{ 0, 0, { 1, AMD, 0, 0 } }, { 1, 0, { 0, 0x00020800, 0, HTT } }, { 0x80000000, 0, { 0x80000008, 0, 0, 0 } },
		{ 0x80000008, 0, { 0, 0, 2, 0 } }, END,
	};

	expect(single, 0, 0, 0);
	expect(old, 1, 1, 1);     /* a Pentium 4: two threads of one core */
	expect(old_amd, 0, 2, 2); /* three cores */
}

static struct cpuid noise(u32 number, u32 subleaf)
{
	if (number == 0)
		return (struct cpuid){ (u32)rand() % 64, rand() % 2 ? INTEL : AMD, 0, 0 };
	return (struct cpuid){ (u32)rand() << 4 ^ (u32)rand(), (u32)rand() << 4, (u32)rand(), (u32)rand() << 1 };
}

static void test_noise(void **state)
{
	srand(3);
	for (int i = 0; i < 100000; i++) {
		struct topology t;

		topology_read(noise, &t);
		assert_true(t.core <= t.cache && t.cache <= t.package && t.package < 32);
	}
}

static enum cpu_distance distance(u32 a, u32 b, u32 node_b)
{
	struct topology t;
	struct cpu_place one, other;

	now = zen1;
	topology_read(leaf, &t);
	one = topology_place(&t, a, 0);
	other = topology_place(&t, b, node_b);
	assert_int_equal(topology_distance(&one, &other), topology_distance(&other, &one));
	return topology_distance(&one, &other);
}

static void test_distances(void **state)
{
	assert_int_equal(distance(2, 3, 0), SAME_CORE);
	assert_int_equal(distance(2, 7, 0), SAME_CACHE);
	assert_int_equal(distance(2, 8, 0), SAME_NODE);
	assert_int_equal(distance(2, 8, 1), FARTHER);
	assert_int_equal(distance(2, 16, 0), FARTHER); /* another package */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real), cmocka_unit_test(test_dies), cmocka_unit_test(test_nothing_told),
		cmocka_unit_test(test_noise), cmocka_unit_test(test_distances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
