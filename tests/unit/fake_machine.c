/* See fake_machine.h. */
#include "tests/unit/fake_machine.h"

#include <string.h>

#include "vmm/lib/sys.h"

struct fake fake;

static struct machine machine;
static u64 random_state;

struct machine *fake_machine(void)
{
	memset(&machine, 0, sizeof(machine));
	memset(&fake, 0, sizeof(fake));
	fake.rescheduled = NEVER;
	fake.vcpus = 1;
	fake.message_result = 1;
	random_state = 88172645463325252ull;
	return &machine;
}

u32 fake_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 16);
}

u64 sys_clock(void)
{
	return machine.clock_base + fake.now;
}

void sys_guest_extint(bool level)
{
	fake.extint = level;
	fake.extint_count++;
}

int sys_guest_msi(u64 address, u32 data)
{
	fake.messages[fake.message_count++ % ARRAY_SIZE(fake.messages)] = (struct fake_message){ address, data };
	return fake.message_result;
}

s64 sys_console_write(const void *buf, u64 len)
{
	if (fake.console_len + len <= sizeof(fake.console)) {
		memcpy(fake.console + fake.console_len, buf, len);
		fake.console_len += (u32)len;
	}
	return (s64)len;
}

u32 sys_vcpu_target(void)
{
	return fake.vcpu_target;
}

int sys_vcpu_present(u32 index, bool present)
{
	if (index >= machine.info.vcpu_count || (!index && !present))
		return ERR_INVAL;
	fake.vcpus = present ? fake.vcpus | BIT(index) : fake.vcpus & ~BIT(index);
	return 0;
}

void sys_log(enum log_level level, const char *format, ...)
{
	fake.log_lines++;
}

u64 machine_now(const struct machine *m)
{
	return fake.now;
}

void machine_reschedule(struct machine *m, u64 deadline)
{
	fake.rescheduled = MIN(fake.rescheduled, deadline);
}

_Noreturn void machine_stop(struct machine *m, enum stop_reason reason, const char *format, ...)
{
	fake.stopped = reason;
	longjmp(fake.stop, 1);
}

static u64 access_bus(struct machine *m, struct bus *bus, u64 addr, u32 size, bool write, u64 value)
{
	struct access a = { .addr = addr, .size = size, .write = write, .value = value };

	bus_access(m, bus, &a);
	assert_int_equal(a.addr, addr);
	return size == 8 ? a.value : a.value & (BIT(8 * size) - 1);
}

u64 fake_in(struct machine *m, u16 port, u32 size)
{
	return access_bus(m, &m->ports, port, size, false, 0);
}

void fake_out(struct machine *m, u16 port, u32 size, u64 value)
{
	access_bus(m, &m->ports, port, size, true, value);
}

u64 fake_read(struct machine *m, u64 gpa, u32 size)
{
	return access_bus(m, &m->memory, gpa, size, false, 0);
}

void fake_write(struct machine *m, u64 gpa, u32 size, u64 value)
{
	access_bus(m, &m->memory, gpa, size, true, value);
}

u32 fake_run(struct machine *m, u64 until, u64 late, fake_deadline_fn deadline, fake_tick_fn tick)
{
	u32 ticks = 0;

	for (;;) {
		u64 next = deadline(m);

		if (next > until || next + late > until)
			break;
		fake.now = MAX(fake.now, next + late);
		tick(m, fake.now);
		assert_true(deadline(m) > fake.now);
		ticks++;
	}
	fake.now = until;
	return ticks;
}

/* Mostly short, now and then hours. */
static u64 random_time(void)
{
	return ((u64)fake_random() << 32 | fake_random()) >> (18 + fake_random() % 46);
}

static void fuzz_access(struct machine *m, struct bus *bus)
{
	const struct region *r = &bus->regions[fake_random() % bus->count];
	u64 addr = r->base + fake_random() % (r->len + 16) - 8;
	u64 value = (u64)fake_random() << 32 | fake_random();

	if (fake_random() % 4 == 0) /* small values find more registers */
		value &= 0xff;
	access_bus(m, bus, addr, 1u << fake_random() % 4, fake_random() & 1, value);
}

/* A stop is fine: one goes on with the machine as it is. */
static void fuzz_bus(struct machine *m)
{
	if (!setjmp(fake.stop))
		fuzz_access(m, m->memory.count && (!m->ports.count || fake_random() & 1) ? &m->memory : &m->ports);
}

void fake_fuzz(struct machine *m, u32 rounds, bool strict, fake_deadline_fn deadline, fake_tick_fn tick)
{
	for (u32 i = 0; i < rounds; i++) {
		fuzz_bus(m);
		if (fake_random() % 4 == 0)
			fake.now += random_time();
		if (!tick || fake_random() % 2)
			continue;
		tick(m, fake.now);
		if (strict)
			assert_true(deadline(m) > fake.now);
		else
			(void)deadline(m);
	}
}
