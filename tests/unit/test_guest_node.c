/* Which NUMA node a guest is at home in. */
/* links: kernel/guest_node.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/guest.h"
#include "kernel/guest_node.h"
#include "kernel/host_cpu.h"

static struct host_cpu cpus[6], *list[6];
struct host_cpu **host_cpus = list;
u32 host_cpu_count;
static struct guest guests[8];
static u64 free_frames[FRAME_NODES];

u64 frame_free_near(u32 node) { return free_frames[node]; }
u32 guest_next(u32 id) { return id + 1 < 8 && guests[id + 1].id ? id + 1 : 0; }
struct guest *guest_find(u32 id) { return &guests[id]; }

static void test_choice(void **state)
{
	struct node_state nodes[FRAME_NODES] = { { 4, 0, 100 }, { 4, 0, 200 } };

	assert_int_equal(guest_node_choose(nodes, 50, 1), 1); /* more memory, the rest being equal */
	nodes[1].vcpus = 1;
	assert_int_equal(guest_node_choose(nodes, 50, 1), 0); /* fewer vCPUs */
	assert_int_equal(guest_node_choose(nodes, 150, 1), 1); /* but its memory must fit */
	assert_int_equal(guest_node_choose(nodes, 500, 1), 1); /* or most of it */
	nodes[1].cpus = 8;
	assert_int_equal(guest_node_choose(nodes, 50, 4), 1); /* (1 + 4) / 8 < 4 / 4 */
	nodes[2] = (struct node_state){ 0, 0, 100000 };       /* memory without CPUs is nobody's home */
	assert_int_equal(guest_node_choose(nodes, 500, 4), 1);
	assert_int_equal(guest_node_choose((struct node_state[FRAME_NODES]){ { 0 }, { 0 }, { 1, 9, 0 } }, 500, 4), 2);
	assert_int_equal(guest_node_choose((struct node_state[FRAME_NODES]){ { 0 } }, 500, 4), 0);
}

/* Guests of two vCPUs one after the other on two nodes: they alternate. */
static void test_spread(void **state)
{
	host_cpu_count = 6;
	for (u32 i = 0; i < 6; i++) {
		list[i] = &cpus[i];
		cpus[i].place.node = i / 3;
	}
	free_frames[0] = free_frames[1] = 1000;
	for (u32 i = 1; i < 7; i++) {
		u32 node = guest_node(100, 2);

		assert_int_equal(node, (i + 1) % 2);
		free_frames[node] -= 100;
		guests[i] = (struct guest){ .id = i, .node = node, .vcpu_count = 2 };
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_choice), cmocka_unit_test(test_spread) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
