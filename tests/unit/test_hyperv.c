/* Hyper-V's interfaces: leaves, MSRs, reference time, SynIC, timers, the assist page.  Any value is survived. */
/* links: kernel/hyperv_cpuid.c kernel/hyperv_msr.c kernel/hyperv_clock.c kernel/hyperv_synic.c kernel/hyperv_timer.c
 * kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c
 * kernel/cpuid.c kernel/cpuid_policy.c kernel/msr.c kernel/kvmclock.c kernel/steal.c tests/unit/fake_vcpu.c
 * tests/unit/fake_lapic.c */
#include "tests/unit/fake_lapic.h"

#include "kernel/pv_eoi.h"

#define OS_ID 0x40000000
#define HYPERCALL 0x40000001
#define RESET 0x40000003
#define TIME 0x40000020
#define TSC_PAGE 0x40000021
#define APIC_EOI_MSR 0x40000070
#define APIC_ICR_MSR 0x40000071
#define APIC_TPR_MSR 0x40000072
#define ASSIST 0x40000073
#define CONTROL 0x40000080
#define MESSAGES 0x40000083
#define EOM 0x40000084
#define SINT(n) (0x40000090 + (n))
#define CONFIG(n) (0x400000b0 + 2 * (n))
#define COUNT(n) (0x400000b1 + 2 * (n))
#define CRASH 0x40000100
#define CRASH_CONTROL 0x40000105
#define PAGE1 0x1000
#define SINT_USED 3
#define DIRECT(vector) (1 << 12 | (vector) << 4)
#define BY_SINT ((u64)SINT_USED << 16)
#define MS 10000u /* of reference time */
#define TSC_MS 2000000u
#define NEVER UINT64_MAX

static int setup(void **state)
{
	lapic_setup(state);
	start(4, true);
	fake_guest.hyperv = (struct hyperv_guest){ .mode = HYPERV_ON, .tsc_offset = -fake_tsc };
	for (u32 i = 0; i < 4; i++) {
		V(i)->tsc_offset = -fake_tsc;
		hyperv_reset(V(i));
	}
	return 0;
}

static void put(u32 msr, u64 value)
{
	assert_int_equal(msr_guest_write(V(0), msr, value), 0);
}

static void refuses(u32 msr, u64 value)
{
	assert_int_equal(msr_guest_write(V(0), msr, value), ERR_INVAL);
}

static u64 get(u32 msr)
{
	u64 value;

	assert_int_equal(msr_guest_read(V(0), msr, &value), 0);
	return value;
}

/* The vector that is pending, taken and ended; -1: none. */
static int take(void)
{
	int vector = lapic_pending(V(0));

	if (vector >= 0) {
		lapic_accept(V(0), (u8)vector);
		lapic_eoi(V(0));
	}
	return vector;
}

static void test_leaves(void **state)
{
	assert_int_equal(cpuid_guest(V(0), 0x40000000, 0).ebx, 0x7263694d);
	assert_int_equal(cpuid_guest(V(0), 0x40000001, 0).eax, 0x31237648);
	assert_int_equal(cpuid_guest(V(0), 0x40000100, 0).eax, 0x40000110);
	assert_int_equal(cpuid_guest(V(0), 0x40000100, 0).ebx, 0x4b4d564b);
	assert_int_not_equal(cpuid_guest(V(0), 0x40000101, 0).eax, 0);
	assert_int_equal(cpuid_guest(V(0), 0x40000200, 0).eax, 0);
	fake_guest.hyperv.mode = HYPERV_ONLY;
	assert_int_equal(cpuid_guest(V(0), 0x40000000, 0).ebx, 0x7263694d);
	assert_int_equal(cpuid_guest(V(0), 0x40000100, 0).ebx, 0);
	fake_guest.hyperv.mode = HYPERV_OFF;
	assert_int_equal(cpuid_guest(V(0), 0x40000000, 0).ebx, 0x4b4d564b);
	assert_int_equal(cpuid_guest(V(0), 0x40000100, 0).eax, 0);
}

/* A guest without it has none of the registers. */
static void test_off(void **state)
{
	u64 value;

	fake_guest.hyperv.mode = HYPERV_OFF;
	for (u32 msr = 0x40000000; msr < 0x40000110; msr++) {
		assert_int_equal(msr_guest_read(V(0), msr, &value), ERR_INVAL);
		assert_int_equal(msr_guest_write(V(0), msr, 1), ERR_INVAL);
	}
}

static void test_identity(void **state)
{
	put(HYPERCALL, PAGE1 | 1);
	assert_int_equal(get(HYPERCALL), PAGE1);
	put(OS_ID, 0x81000000);
	put(HYPERCALL, PAGE1 | 1);
	assert_memory_equal(fake_guest.memory + PAGE1, "\x0f\x01", 2);
	refuses(HYPERCALL, FAKE_MEMORY | 1);
	assert_int_equal(get(HYPERCALL), PAGE1 | 1);
	put(OS_ID, 0);
	assert_int_equal(get(HYPERCALL), PAGE1);
}

static void test_end(void **state)
{
	put(RESET, 0);
	put(CRASH_CONTROL, 1);
	assert_int_equal(fake_guest.stopped, STOP_NONE);
	put(CRASH + 2, 7);
	assert_int_equal(get(CRASH + 2), 7);
	put(CRASH_CONTROL, BIT(63));
	assert_int_equal(fake_guest.stopped, STOP_CRASH);
	put(RESET, 1);
	assert_int_equal(fake_guest.stopped, STOP_REBOOT);
}

struct reference {
	u32 sequence, reserved;
	u64 scale, offset;
};

static u64 page_time(void)
{
	const struct reference *r = (const void *)(fake_guest.memory + PAGE1);

	return (u64)((unsigned __int128)vcpu_tsc(V(0)) * r->scale >> 64) + r->offset;
}

/* The page's time is the counter's, at any moment, and a deadline is neither early nor more than 200 ns late. */
static void test_clock(void **state)
{
	static const u64 rates[] = { 100000000, 1000000000, 2000000000, 2893421759, 5999999999 };

	for (u32 i = 0; i < 20000; i++) {
		u64 start = (u64)random() << (random() & 31), time;

		fake_hz = rates[(u32)random() % ARRAY_SIZE(rates)];
		fake_tsc = start + ((u64)random() << (random() & 31));
		V(0)->tsc_offset = V(1)->tsc_offset = V(2)->tsc_offset = V(3)->tsc_offset = -start;
		fake_guest.hyperv.tsc_offset = -start;
		put(TSC_PAGE, PAGE1 | 1);
		time = get(TIME);
		assert_int_equal(page_time(), time);
		assert_true(time - (u64)((unsigned __int128)vcpu_tsc(V(0)) * HYPERV_HZ / fake_hz) + 1 <= 1);
		fake_tsc = hyperv_host_tsc(V(0), time + 5);
		assert_in_range(get(TIME), time + 5, time + 7);
	}
	assert_int_equal(hyperv_host_tsc(V(0), NEVER), NEVER);
	assert_int_equal(hyperv_host_tsc(V(0), NEVER - 1), NEVER);
}

static void test_clock_moved(void **state)
{
	struct reference *r = (void *)(fake_guest.memory + PAGE1);
	u64 time;

	fake_tsc += 5 * TSC_MS;
	put(TSC_PAGE, PAGE1 | 1);
	time = get(TIME);
	assert_in_range(time, 5 * MS - 1, 5 * MS);
	assert_int_equal(r->sequence, 1);
	assert_int_equal(msr_guest_write(V(1), MSR_TSC_ADJUST, 12345), 0); /* another vCPU's, too */
	assert_int_equal(r->sequence, 0);
	assert_int_equal(get(TIME), time);
	assert_int_equal(msr_guest_write(V(1), MSR_TSC_ADJUST, 0), 0);
	assert_int_equal(r->sequence, 1);
	put(TSC_PAGE, 0);
	put(MSR_TSC, 0);
	assert_int_equal(r->sequence, 1); /* it is the guest's again */
	refuses(TSC_PAGE, FAKE_MEMORY | 1);
	assert_int_equal(get(TIME), time);
}

static void test_one_shot(void **state)
{
	put(CONFIG(1), DIRECT(0x41) | 1);
	assert_int_equal(fake_guest.synthetic[0], NEVER);
	put(COUNT(1), 2 * MS);
	assert_in_range(fake_guest.synthetic[0] - fake_tsc, 2 * TSC_MS, 2 * TSC_MS + 400);
	fake_tsc += 2 * TSC_MS - 400;
	hyperv_timers(V(0)); /* too early: it is armed again */
	assert_int_equal(take(), -1);
	fake_tsc = fake_guest.synthetic[0];
	hyperv_timers(V(0));
	assert_int_equal(take(), 0x41);
	assert_int_equal(get(CONFIG(1)), DIRECT(0x41));
	assert_int_equal(fake_guest.synthetic[0], NEVER);
	put(CONFIG(1), DIRECT(0x41) | 1); /* its time has passed */
	assert_int_equal(take(), 0x41);
	put(CONFIG(2), DIRECT(0x42) | 8);
	put(COUNT(2), 100 * MS); /* enables it */
	assert_int_equal(get(CONFIG(2)), DIRECT(0x42) | 9);
	put(COUNT(2), 0);
	assert_int_equal(get(CONFIG(2)), DIRECT(0x42) | 8);
	assert_int_equal(fake_guest.synthetic[0], NEVER);
	refuses(CONFIG(2), 1 << 13);
	refuses(CONFIG(2), BIT(20));
	put(CONFIG(2), 1); /* by SINT 0: no */
	assert_int_equal(get(CONFIG(2)), 0);
}

static void test_periodic(void **state)
{
	put(CONFIG(0), DIRECT(0x50) | 3);
	put(COUNT(0), MS);
	for (u32 i = 1; i <= 10; i++) {
		fake_tsc = fake_guest.synthetic[0];
		hyperv_timers(V(0));
		assert_int_equal(take(), 0x50);
		assert_in_range(get(TIME), i * MS, i * MS + 2);
	}
	fake_tsc += 5 * TSC_MS + TSC_MS / 2; /* late: one interrupt, and the next at its old place */
	hyperv_timers(V(0));
	assert_int_equal(take(), 0x50);
	fake_tsc = fake_guest.synthetic[0];
	assert_in_range(get(TIME), 16 * MS, 16 * MS + 2);
	put(COUNT(0), 1); /* 100 ns: no more than the host can serve */
	assert_true(fake_guest.synthetic[0] - fake_tsc < 1000);
	fake_tsc = fake_guest.synthetic[0];
	hyperv_timers(V(0));
	assert_true(fake_guest.synthetic[0] - fake_tsc > TSC_MS / 6);
}

static u8 *slot(void)
{
	return fake_guest.memory + PAGE1 + SINT_USED * 256;
}

static u32 slot_type(void)
{
	u32 type;

	memcpy(&type, slot(), sizeof(type));
	return type;
}

static void start_synic(u64 sint)
{
	fake_tsc += TSC_MS;
	put(MESSAGES, 0);
	memset(fake_guest.memory + PAGE1, 0xaa, 4096);
	put(MESSAGES, PAGE1 | 1);
	assert_int_equal(slot_type(), 0);
	put(CONTROL, 1);
	put(SINT(SINT_USED), sint);
}

static void test_messages(void **state)
{
	u64 due;

	start_synic(0x60);
	put(CONFIG(2), BY_SINT | 1);
	put(COUNT(2), 1);
	assert_int_equal(slot_type(), 0x80000010);
	assert_int_equal(slot()[4], 24);
	assert_int_equal(slot()[16], 2);
	memcpy(&due, slot() + 24, sizeof(due));
	assert_int_equal(due, 1);
	assert_int_equal(take(), 0x60);
	put(CONFIG(1), BY_SINT | 1);
	put(COUNT(1), 2); /* the slot is taken */
	assert_int_equal(take(), -1);
	assert_int_equal(slot()[5], 1);
	put(EOM, 0);
	assert_int_equal(take(), -1);
	memset(slot(), 0, 4);
	put(EOM, 0);
	assert_int_equal(take(), 0x60);
	assert_int_equal(slot()[16], 1);
	assert_int_equal(slot()[5], 0);
	memset(slot(), 0, 4);
	put(EOM, 0);
	assert_int_equal(slot_type(), 0); /* once */
}

/* Masked, polled and switched off sources; pages that are not there. */
static void test_quiet(void **state)
{
	refuses(SINT(0), 15);
	put(SINT(0), 1 << 16 | 15);
	refuses(MESSAGES, FAKE_MEMORY | 1);
	start_synic(1 << 16 | 0x60);
	put(CONFIG(0), BY_SINT | 1);
	put(COUNT(0), 1);
	assert_int_equal(slot_type(), 0x80000010);
	assert_int_equal(take(), -1);
	start_synic(1 << 18 | 0x60);
	memset(slot(), 0, 4);
	put(CONFIG(0), BY_SINT | 1);
	assert_int_equal(slot_type(), 0x80000010);
	assert_int_equal(take(), -1);
	memset(slot(), 0, 4);
	put(CONTROL, 0);
	put(CONFIG(0), BY_SINT | 1);
	assert_int_equal(slot_type(), 0);
	put(CONTROL, 1);
	put(EOM, 0);
	assert_int_equal(slot_type(), 0x80000010);
}

static void test_auto_eoi(void **state)
{
	struct vcpu *v = V(0);

	put(SINT(1), 1 << 17 | 0x61);
	put(SINT(2), 0x62);
	for (u32 vector = 0x61; vector <= 0x62; vector++) {
		lapic_raise(v, (u8)vector);
		assert_int_equal(lapic_pending(v), vector);
		lapic_accept(v, (u8)vector);
		hyperv_accepted(v, &v->hyperv, (u8)vector);
		assert_int_equal(!!v->lapic.hw.isr_words, vector == 0x62);
	}
	put(APIC_EOI_MSR, 0);
	assert_false(v->lapic.hw.isr_words);
	put(SINT(1), 1 << 17 | 1 << 16 | 0x61);
	assert_false(v->hyperv.any_auto_eoi);
}

static void test_assist(void **state)
{
	struct vcpu *v = V(0);
	u32 *word = (u32 *)(fake_guest.memory + PAGE1);

	word[0] = 1, word[1] = 5;
	put(ASSIST, PAGE1 | 1);
	assert_true(word[0] == 0 && word[1] == 5);
	lapic_raise(v, 0x40);
	lapic_accept(v, (u8)lapic_pending(v));
	pv_eoi_offer(v);
	assert_int_equal(word[0], 1);
	word[0] = 0;
	pv_eoi_settle(v);
	assert_true(!v->lapic.hw.isr_words && v->pv_eois == 1);
	refuses(ASSIST, FAKE_MEMORY | 1);
	put(ASSIST, 0);
	lapic_raise(v, 0x40);
	lapic_accept(v, (u8)lapic_pending(v));
	pv_eoi_offer(v);
	assert_int_equal(word[0], 0);
}

static void test_apic(void **state)
{
	put(APIC_TPR_MSR, 0x30);
	assert_int_equal(lapic_tpr(V(0)), 0x30);
	assert_int_equal(get(APIC_TPR_MSR), 0x30);
	refuses(APIC_TPR_MSR, 0x100);
	put(APIC_TPR_MSR, 0);
	put(APIC_ICR_MSR, 0x45ull | 2ull << 32); /* x2APIC mode's form */
	assert_int_equal(lapic_pending(V(2)), 0x45);
	refuses(APIC_ICR_MSR, BIT(20));
	assert_int_equal(lapic_base_write(V(0), BASE | LAPIC_BASE_BSP), 0);
	assert_int_equal(lapic_base_write(V(0), BASE | LAPIC_BASE_BSP | LAPIC_BASE_ENABLE), 0);
	put(APIC_ICR_MSR, 0x46ull | 3ull << 56);
	assert_int_equal(lapic_pending(V(3)), 0x46);
	assert_int_equal(get(APIC_ICR_MSR), 0x46ull | 3ull << 56);
}

/* INIT takes a vCPU's part, not the guest's. */
static void test_reset(void **state)
{
	put(OS_ID, 5);
	start_synic(0x60);
	put(CONFIG(0), DIRECT(0x50) | 3);
	put(COUNT(0), MS);
	hyperv_reset(V(0));
	assert_int_equal(fake_guest.synthetic[0], NEVER);
	assert_true(!get(CONTROL) && !get(MESSAGES) && !get(CONFIG(0)) && get(SINT(SINT_USED)) == 1 << 16);
	assert_int_equal(get(OS_ID), 5);
}

static void test_random(void **state)
{
	for (u32 i = 0; i < 200000; i++) {
		u32 msr = 0x40000000 + (u32)random() % 0x110;
		u64 value = (u64)random() << (random() % 40) ^ (u64)random(), seen, first = NEVER;

		if (random() & 1)
			value = (value & 0x3f001) | (value & 1 ? PAGE1 : 0);
		(void)!msr_guest_write(V(0), msr, value);
		if (!msr_guest_read(V(0), msr, &seen) && msr == TIME)
			assert_true(seen < BIT(60));
		fake_tsc += (u64)random() % TSC_MS;
		if (random() % 4 == 0)
			hyperv_timers(V(0));
		for (u32 n = 0; n < HYPERV_TIMERS; n++) {
			const struct hyperv_timer *t = &V(0)->hyperv.timer[n];

			assert_true(t->due == NEVER || (t->config & 1 && t->count));
			first = MIN(first, t->due);
		}
		assert_true(fake_guest.synthetic[0] <= hyperv_host_tsc(V(0), first));
		take();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_leaves, setup), cmocka_unit_test_setup(test_off, setup),
		cmocka_unit_test_setup(test_identity, setup), cmocka_unit_test_setup(test_end, setup),
		cmocka_unit_test_setup(test_clock, setup), cmocka_unit_test_setup(test_clock_moved, setup),
		cmocka_unit_test_setup(test_one_shot, setup), cmocka_unit_test_setup(test_periodic, setup),
		cmocka_unit_test_setup(test_messages, setup), cmocka_unit_test_setup(test_quiet, setup),
		cmocka_unit_test_setup(test_auto_eoi, setup), cmocka_unit_test_setup(test_assist, setup),
		cmocka_unit_test_setup(test_apic, setup),
		cmocka_unit_test_setup(test_reset, setup), cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
