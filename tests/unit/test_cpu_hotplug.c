/* The registers by which vCPUs come and go, as ssdt.asl drives them and as a hostile guest may. */
/* links: tests/unit/fake_machine.c vmm/machine/cpu_hotplug.c vmm/machine/pm.c vmm/machine/pci.c vmm/machine/pic.c
 * vmm/machine/ioapic.c vmm/machine/irq.c vmm/machine/bus.c */
#include "tests/unit/fake_machine.h"

#define SELECT 0x610
#define STATUS 0x611
#define EVENT 0x612
#define ANSWER 0x613
#define GPE_STATUS 0x60c

static struct machine *setup(u32 at_boot, u32 at_most)
{
	struct machine *m = fake_machine();

	m->info.vcpu_count = at_most;
	fake.vcpu_target = at_boot;
	pm_attach(m);
	pci_attach(m);
	cpu_hotplug_attach(m);
	pic_reset(m);
	ioapic_reset(m);
	pm_reset(m);
	pci_reset(m);
	cpu_hotplug_reset(m);
	return m;
}

static void ask(struct machine *m, u32 vcpus)
{
	fake.vcpu_target = vcpus;
	cpu_hotplug_ask(m);
}

static u8 status(struct machine *m, u8 index)
{
	fake_out(m, SELECT, 1, index);
	return (u8)fake_in(m, STATUS, 1);
}

static void set_status(struct machine *m, u8 index, u8 value)
{
	fake_out(m, SELECT, 1, index);
	fake_out(m, STATUS, 1, value);
}

static bool event(struct machine *m)
{
	bool is = fake_in(m, GPE_STATUS, 1) == 4;

	fake_out(m, GPE_STATUS, 1, 4);
	return is;
}

static void power_on(void **state)
{
	struct machine *m = setup(3, 5);

	assert_int_equal(fake.vcpus, 7);
	assert_int_equal(status(m, 2), 1);
	assert_int_equal(status(m, 3), 0);
	assert_int_equal(fake_in(m, EVENT, 1), 0xff);
	assert_false(event(m));
	assert_int_equal(setup(9, 2)->cpu_hotplug.present, 3); /* no more than there can be */
}

static void vcpus_come(void **state)
{
	struct machine *m = setup(1, 4);

	ask(m, 3);
	assert_int_equal(fake.vcpus, 7); /* before the guest can know */
	assert_true(event(m));
	assert_int_equal(fake_in(m, EVENT, 1), 1);
	assert_int_equal(status(m, 1), 3);
	set_status(m, 1, 2);
	assert_int_equal(status(m, 1), 1);
	assert_int_equal(fake_in(m, EVENT, 1), 2);
	set_status(m, 2, 2);
	assert_int_equal(fake_in(m, EVENT, 1), 0xff);
	ask(m, 3);
	assert_false(event(m)); /* it has them */
}

static void vcpus_go(void **state)
{
	struct machine *m = setup(4, 4);

	ask(m, 2);
	assert_int_equal(fake.vcpus, 15); /* it is asked */
	assert_true(event(m));
	assert_int_equal(fake_in(m, EVENT, 1), 2);
	assert_int_equal(status(m, 3), 5);
	set_status(m, 3, 4);
	assert_int_equal(fake.vcpus, 15);
	ask(m, 2);
	assert_int_equal(status(m, 3), 5); /* it is asked again */
	set_status(m, 3, 8);
	assert_int_equal(fake.vcpus, 7);
	assert_int_equal(status(m, 3), 0);
	set_status(m, 3, 8);
	ask(m, 4); /* the other need not go any more, this one comes back */
	assert_int_equal(fake.vcpus, 15);
	assert_int_equal(status(m, 2), 1);
	assert_int_equal(status(m, 3), 3);
	ask(m, 3);
	assert_int_equal(status(m, 3), 7); /* it came and should go: it is told both */
}

static void first_stays(void **state)
{
	struct machine *m = setup(2, 2);

	set_status(m, 0, 0xff);
	assert_int_equal(fake.vcpus, 3);
	assert_int_equal(status(m, 0), 1);
}

static void answers_are_told(void **state)
{
	struct machine *m = setup(2, 2);

	fake_out(m, SELECT, 1, 1);
	fake_out(m, ANSWER, 1, 0);
	fake_out(m, ANSWER, 1, 0x84);
	assert_int_equal(fake.log_lines, 0);
	fake_out(m, ANSWER, 1, 0x81);
	assert_int_equal(fake.log_lines, 1);
}

static void none_beyond_the_last(void **state)
{
	struct machine *m = setup(2, 3);

	for (u32 i = 3; i < 256; i++) {
		set_status(m, (u8)i, 0xff);
		fake_out(m, ANSWER, 1, 0x81);
		assert_int_equal(status(m, (u8)i), 0);
		assert_int_equal(fake_in(m, SELECT, 1), i);
	}
	assert_int_equal(fake.vcpus, 3);
	assert_int_equal(fake.log_lines, 0);
}

/* Whatever is written: device and kernel agree, and vCPU 0 stays. */
static void fuzz(void **state)
{
	struct machine *m = setup(40, 64);

	for (u32 i = 0; i < 2000; i++) {
		fake_fuzz(m, 50, true, NULL, NULL);
		ask(m, 1 + fake_random() % 64);
		assert_int_equal(m->cpu_hotplug.present, fake.vcpus);
		assert_true(fake.vcpus & 1);
		assert_int_equal((m->cpu_hotplug.came | m->cpu_hotplug.should_go) & ~fake.vcpus, 0);
	}
}

/* A state that a process left which was taken over. */
static void any_state(void **state)
{
	struct machine *m = setup(2, 64);

	for (u32 i = 0; i < 2000; i++) {
		u8 *byte = (u8 *)&m->cpu_hotplug;

		for (u32 b = 0; b < sizeof(m->cpu_hotplug); b++)
			byte[b] = (u8)fake_random();
		fake_fuzz(m, 50, true, NULL, NULL);
		ask(m, 1 + fake_random() % 64);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_on), cmocka_unit_test(vcpus_come), cmocka_unit_test(vcpus_go),
		cmocka_unit_test(first_stays), cmocka_unit_test(answers_are_told), cmocka_unit_test(none_beyond_the_last),
		cmocka_unit_test(fuzz), cmocka_unit_test(any_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
