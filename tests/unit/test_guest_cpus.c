/* CPUs of a guest's own: which, how many, and what stays for the others. */
/* links: kernel/guest_cpus.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/guest_cpus.h"
#include "kernel/host_cpu.h"
#include "kernel/vcpu.h"

#define CPUS 8 /* two nodes of two cores of two threads */

static struct host_cpu cpus[CPUS], *list[CPUS];
struct host_cpu **host_cpus = list;
u32 host_cpu_count;
struct cpu_set sched_dedicated;
static struct guest guests[4];
static struct vcpu vcpus[4][CPUS], *vcpu_lists[4][CPUS];
static u32 kicked;

u32 guest_next(u32 id) { return id + 1 < 4 ? id + 1 : 0; }
struct guest *guest_find(u32 id) { return &guests[id]; }
void host_cpu_resched(u32 index) { kicked |= 1u << index; }

static int begin(void **state)
{
	host_cpu_count = CPUS;
	memset(cpus, 0, sizeof(cpus));
	memset(vcpus, 0, sizeof(vcpus));
	memset(&sched_dedicated, 0, sizeof(sched_dedicated));
	kicked = 0;
	for (u32 i = 0; i < CPUS; i++) {
		list[i] = &cpus[i];
		cpus[i].arch.index = i;
		cpus[i].place = (struct cpu_place){ i / 2, i / 4, i / 4, i / 4 };
		cpus[i].sibling = &cpus[i ^ 1];
	}
	for (u32 g = 0; g < 4; g++) {
		guests[g] = (struct guest){ .id = g, .vcpus = vcpu_lists[g], .params.dedicated = 1 };
		for (u32 i = 0; i < CPUS; i++)
			vcpu_lists[g][i] = &vcpus[g][i];
	}
	return 0;
}

/* The CPUs that guest g got, as bits; ~0: refused. */
static u32 take(u32 g, u32 vcpu_count, u32 node)
{
	struct admission a = { 0 };
	u32 set = 0;

	guests[g].vcpu_count = vcpu_count;
	guests[g].node = node;
	if (guest_take_cpus(&guests[g], &a)) {
		assert_int_equal(a.verdict, ADMIT_CPUS);
		assert_true(a.cpus < vcpu_count);
		for (u32 i = 0; i < vcpu_count; i++)
			assert_int_equal(vcpus[g][i].own_cpu, 0);
		guests[g].vcpu_count = 0;
		return ~0u;
	}
	for (u32 i = 0; i < vcpu_count; i++) {
		u32 cpu = vcpus[g][i].own_cpu - 1;

		assert_int_equal(cpus[cpu].dedicated, g);
		assert_true(cpu_set_has(&sched_dedicated, cpu));
		assert_true(guest_vcpu_may_use(&vcpus[g][i], cpu) && !guest_vcpu_may_use(&vcpus[g][i], cpu ^ 1));
		set |= 1u << cpu;
	}
	return set;
}

static void test_choice(void **state)
{
	assert_int_equal(take(1, 2, 0), 0x0c); /* a core, not CPU 0's other thread */
	assert_int_equal(kicked, 0x0c);
	assert_int_equal(take(2, 3, 1), 0x70); /* at home, its cores filled one after the other */
	assert_int_equal(take(3, 3, 0), ~0u);  /* two are left but for CPU 0 */
	assert_int_equal(take(3, 2, 0), 0x82);
	guest_release_cpus(&guests[2]);
	assert_int_equal(sched_dedicated.word[0], 0x8e);
	guests[2].vcpu_count = 0;
	assert_int_equal(take(2, 3, 0), 0x70);
}

static void test_not_asked_for(void **state)
{
	guests[1].params.dedicated = 0;
	guests[1].vcpu_count = 2;
	assert_int_equal(guest_take_cpus(&guests[1], &(struct admission){ 0 }), 0);
	assert_int_equal(sched_dedicated.word[0] | vcpus[1][0].own_cpu | kicked, 0);
	assert_true(guest_vcpu_may_use(&vcpus[1][0], 7));
}

/* A vCPU that is pinned to CPUs 2 and 3 keeps one of them. */
static void test_pins(void **state)
{
	guests[3].vcpu_count = 1;
	vcpus[3][0].pinned = true;
	vcpus[3][0].pins.word[0] = 0x0c;
	assert_int_equal(take(1, 7, 0), ~0u);
	assert_int_equal(take(1, 6, 0) & ~0x0cu, 0xf2);
	assert_int_equal(__builtin_popcount((unsigned)sched_dedicated.word[0] & 0x0c), 1);
	assert_int_equal(guest_vcpu_may_use(&vcpus[3][0], 2) + guest_vcpu_may_use(&vcpus[3][0], 3), 1);
}

/* Where a core runs one guest at a time nobody else gets what is left of a guest's core, nor CPU 0's other thread. */
static void test_whole_cores(void **state)
{
	for (u32 i = 0; i < CPUS; i++)
		cpus[i].core = &cpus[i & ~1u].own_core;
	assert_int_equal(take(1, 1, 0), 0x04);
	assert_int_equal(sched_dedicated.word[0], 0x0c);
	assert_int_equal(take(2, 3, 1), 0x70);
	assert_int_equal(sched_dedicated.word[0], 0xfc);
	assert_int_equal(take(3, 1, 0), ~0u);
	guest_release_cpus(&guests[1]);
	assert_int_equal(sched_dedicated.word[0], 0xf0);
	guests[1].vcpu_count = 0;
	assert_int_equal(take(3, 2, 0), 0x0c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_choice, begin), cmocka_unit_test_setup(test_not_asked_for, begin),
		cmocka_unit_test_setup(test_pins, begin), cmocka_unit_test_setup(test_whole_cores, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
