/* The guest's local APIC: priorities against a naive model, and where messages go. */
/* links: kernel/lapic.c kernel/pv_eoi.c kernel/lapic_regs.c kernel/lapic_timer.c kernel/lapic_route.c kernel/cpuid.c
 * kernel/cpuid_policy.c kernel/hyperv_cpuid.c tests/unit/fake_vcpu.c tests/unit/fake_lapic.c */
#include <pthread.h>

#include "tests/unit/fake_lapic.h"

static void test_reset(void **state)
{
	fake_start(3);
	assert_int_equal(rd(V(2), REG_ID), 2u << 24);
	assert_int_equal(rd(V(2), REG_VERSION), 0x50014);
	assert_int_equal(rd(V(2), REG_SVR), 0xff);
	assert_int_equal(rd(V(2), REG_LVT_LINT0), LVT_MASKED);
	assert_int_equal(rd(V(0), REG_LVT_LINT0), LAPIC_EXTINT << 8);
	assert_true(lapic_wants_extint(V(0)));
	assert_false(lapic_wants_extint(V(1)));
	assert_int_equal(V(0)->lapic.base, BASE | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP);
	assert_int_equal(V(1)->lapic.base, BASE | LAPIC_BASE_ENABLE);
	wr(V(0), REG_SVR, 0x1ff);
	wr(V(0), REG_SVR, 0xff); /* disabling masks LINT0 */
	assert_false(lapic_wants_extint(V(0)));
	lapic_reset(V(0), false); /* and INIT does not bring virtual wire mode back */
	assert_false(lapic_wants_extint(V(0)));
}

static void test_one_interrupt(void **state)
{
	struct vcpu *v = V(0);

	start(1, false);
	assert_int_equal(lapic_pending(v), -1);
	assert_int_equal(lapic_masked_class(v), 0);
	assert_true(lapic_post(v, 0x41, false));
	assert_int_equal(v->requests, REQUEST_KICK);
	v->requests = 0;
	assert_false(lapic_post(v, 0x41, false));
	assert_true(lapic_post(v, 0x61, false));
	assert_int_equal(v->requests, 0); /* the first kick is for all */
	assert_int_equal(lapic_pending(v), 0x61);
	assert_false(lapic_post(v, 0x41, false)); /* coalesced with IRR too */
	v->requests = 0;
	lapic_accept(v, 0x61);
	assert_int_equal(rd(v, REG_PPR), 0x60);
	assert_int_equal(lapic_pending(v), -1);
	assert_int_equal(lapic_masked_class(v), 0); /* not TPR keeps 41h away but 61h in service */
	wr(v, REG_EOI, 0);
	assert_int_equal(lapic_pending(v), 0x41);
	assert_int_equal(lapic_take_eoi(v), -1);
	assert_int_equal(lapic_masked_class(v), 4);
	lapic_set_tpr(v, 0x4f);
	assert_int_equal(lapic_pending(v), -1);
	assert_int_equal(lapic_masked_class(v), 4); /* TPR 3xh would let it in */
	assert_int_equal(fake_cr8, 4); /* the processor's view follows */
	lapic_set_tpr(v, 0x3f);
	assert_int_equal(fake_cr8, 3);
	assert_int_equal(lapic_pending(v), 0x41);
	wr(v, REG_EOI, 0); /* nothing in service */
	check(v);
}

#define POSTERS 3
#define POSTS 200000

static u32 posters_left;

static void *poster(void *argument)
{
	u32 seed = (u32)(uintptr_t)argument + 1;
	uintptr_t delivered = 0;

	for (u32 i = 0; i < POSTS; i++) {
		seed = seed * 1103515245 + 12345;
		delivered += lapic_post(V(0), (u8)(0x20 + (seed >> 16) % 0x60), seed >> 30 & 1);
	}
	__atomic_fetch_sub(&posters_left, 1, __ATOMIC_RELEASE);
	return (void *)delivered;
}

/* Senders on other CPUs: who looks only when kicked finds everything, and nothing is told delivered twice. */
static void test_concurrent_posts(void **state)
{
	struct vcpu *v = V(0);
	pthread_t threads[POSTERS];
	uintptr_t delivered = 0, accepted = 0;
	bool last;

	start(1, false);
	posters_left = POSTERS;
	for (uintptr_t i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, poster, (void *)i), 0);
	do {
		last = !__atomic_load_n(&posters_left, __ATOMIC_ACQUIRE);
		if (!__atomic_exchange_n(&v->requests, 0, __ATOMIC_ACQ_REL))
			continue;
		for (int vector = lapic_pending(v); vector >= 0; vector = lapic_pending(v)) {
			lapic_accept(v, (u8)vector);
			lapic_eoi(v);
			accepted++;
		}
	} while (!last);
	for (u32 i = 0; i < POSTERS; i++) {
		void *told;

		pthread_join(threads[i], &told);
		delivered += (uintptr_t)told;
	}
	check(v);
	assert_int_equal(v->lapic.hw.posted_any, 0);
	assert_int_equal(v->lapic.hw.irr_words, 0);
	assert_true(delivered > 0 && delivered <= accepted && accepted <= POSTERS * POSTS);
}

static void test_level(void **state)
{
	struct vcpu *v = V(0);

	start(1, false);
	assert_true(lapic_post(v, 0x31, true));
	lapic_accept(v, (u8)lapic_pending(v));
	assert_true(lapic_post(v, 0x52, true));
	lapic_accept(v, (u8)lapic_pending(v)); /* nested */
	assert_int_equal(rd(v, REG_TMR + 1), 1u << 0x11);
	wr(v, REG_EOI, 0);
	wr(v, REG_EOI, 0);
	assert_int_equal(lapic_take_eoi(v), 0x52); /* both are told although nobody asked between */
	assert_int_equal(lapic_take_eoi(v), 0x31);
	assert_int_equal(lapic_take_eoi(v), -1);
	assert_true(lapic_post(v, 0x31, false));
	lapic_accept(v, (u8)lapic_pending(v));
	assert_int_equal(rd(v, REG_TMR + 1), 0);
	wr(v, REG_EOI, 0);
	assert_int_equal(lapic_take_eoi(v), -1);
}

struct model { bool irr[256], isr[256], tmr[256], eoi[256]; u32 tpr; };

static int model_top(const bool *set)
{
	for (int i = 255; i >= 0; i--)
		if (set[i])
			return i;
	return -1;
}

static int model_pending(const struct model *m)
{
	int irr = model_top(m->irr), isr = model_top(m->isr);
	int priority = MAX(isr < 0 ? 0 : isr / 16, (int)m->tpr / 16);

	return irr >= 0 && irr / 16 > priority ? irr : -1;
}

static void test_against_model(void **state)
{
	struct model m = { 0 };
	struct vcpu *v = V(0);

	srand(1);
	start(1, false);
	for (int round = 0; round < 200000; round++) {
		u8 vector = (u8)(rand() % 16 ? 16 + rand() % 240 : rand());
		bool level = rand() & 1;
		int top;

		switch (rand() % 5) {
		case 0:
			if (vector >= 16) {
				assert_int_equal(lapic_post(v, vector, level), !m.irr[vector]);
				m.irr[vector] = true;
				m.tmr[vector] = level;
			} else {
				assert_false(lapic_post(v, vector, level));
			}
			break;
		case 1:
			m.tpr = rand() % 3 ? 0 : rand() & 0xff;
			wr(v, REG_TPR, m.tpr);
			break;
		case 2:
			top = model_top(m.isr);
			if (top >= 0) {
				m.isr[top] = false;
				m.eoi[top] |= m.tmr[top] && !m.irr[top];
				lapic_pending(v); /* TMR follows at the drain */
				m.eoi[top] |= m.tmr[top];
			}
			wr(v, REG_EOI, 0);
			break;
		case 3:
			assert_int_equal(lapic_take_eoi(v), model_top(m.eoi));
			if (model_top(m.eoi) >= 0)
				m.eoi[model_top(m.eoi)] = false;
			break;
		default:
			top = model_pending(&m);
			assert_int_equal(lapic_pending(v), top);
			assert_int_equal(v->lapic.hw.posted_any, 0);
			if (top >= 0) {
				lapic_accept(v, (u8)top);
				m.irr[top] = false;
				m.isr[top] = true;
			}
		}
		check(v);
	}
}

/* Which of the vCPUs got vector, as bits; takes it from them. */
static u64 receivers(u8 vector)
{
	u64 got = 0;

	for (u32 i = 0; i < fake_guest.count; i++)
		if (lapic_pending(V(i)) == vector) {
			lapic_accept(V(i), vector);
			lapic_eoi(V(i));
			got |= BIT(i);
		}
	return got;
}

static void test_xapic_destinations(void **state)
{
	start(8, false);
	ipi(0, 3, 0x4050);
	assert_int_equal(receivers(0x50), BIT(3));
	ipi(0, 9, 0x4050);
	assert_int_equal(receivers(0x50), 0);
	ipi(2, 0xff, 0x4050);
	assert_int_equal(receivers(0x50), 0xff);
	ipi(2, 0, 0x44050); /* shorthands */
	assert_int_equal(receivers(0x50), BIT(2));
	ipi(2, 0, 0x84050);
	assert_int_equal(receivers(0x50), 0xff);
	ipi(2, 0, 0xc4050);
	assert_int_equal(receivers(0x50), 0xff & ~BIT(2));

	for (u32 i = 0; i < 8; i++)
		wr(V(i), REG_LDR, 1u << i << 24);
	ipi(0, 0x81, 0x4850); /* flat */
	assert_int_equal(receivers(0x50), 0x81);
	ipi(0, 0xff, 0x4850);
	assert_int_equal(receivers(0x50), 0xff);
	for (u32 i = 0; i < 8; i++) {
		wr(V(i), REG_DFR, 0x0fffffff);
		wr(V(i), REG_LDR, (i / 4 << 4 | 1u << i % 4) << 24);
	}
	ipi(0, 0x15, 0x4850); /* cluster 1, members 0 and 2 */
	assert_int_equal(receivers(0x50), BIT(4) | BIT(6));
	wr(V(4), REG_SVR, 0xff);
	ipi(0, 0x15, 0x4850); /* a disabled one takes none, */
	assert_int_equal(receivers(0x50), BIT(6));
	ipi(0, 4, 0x4400); /* but an NMI */
	assert_int_equal(V(4)->requests & REQUEST_NMI, REQUEST_NMI);
}

static void test_x2apic_destinations(void **state)
{
	start(40, true);
	for (u32 i = 0; i < 40; i++) {
		u64 ldr;

		assert_int_equal(lapic_msr_read(V(i), MSR(REG_LDR), &ldr), 0);
		assert_int_equal(ldr, (i / 16) << 16 | 1u << i % 16);
	}
	assert_int_equal(lapic_msr_write(V(0), MSR(REG_ICR), 39ull << 32 | 0x50), 0);
	assert_int_equal(receivers(0x50), BIT(39));
	assert_int_equal(lapic_msr_write(V(0), MSR(REG_ICR), 0x28001ull << 32 | 0x850), 0);
	assert_int_equal(receivers(0x50), BIT(32)); /* of cluster 2: 32; 47 does not exist */
	assert_int_equal(lapic_msr_write(V(0), MSR(REG_ICR), 0xffffffffull << 32 | 0x50), 0);
	assert_int_equal(receivers(0x50), BIT(40) - 1);
	assert_int_equal(lapic_msr_write(V(0), MSR(REG_ICR), 0xffull << 32 | 0x50), 0); /* not a broadcast here */
	assert_int_equal(receivers(0x50), 0);
	assert_int_equal(lapic_msr_write(V(7), MSR(REG_SELF_IPI), 0x50), 0);
	assert_int_equal(receivers(0x50), BIT(7));
	assert_int_equal(lapic_msi(&fake_guest, 0xfee00004 | 0x81 << 12, 0x50), 1); /* cluster 0 */
	assert_int_equal(receivers(0x50), BIT(0) | BIT(7));
}

/* No message reaches a vCPU that is not plugged in, whatever state its APIC is in. */
static void test_absent(void **state)
{
	start(4, false);
	fake_guest.absent = BIT(2);
	ipi(0, 2, 0x4050);
	ipi(0, 2, 0x4400); /* an NMI, INIT, a start-up IPI */
	ipi(0, 2, 0x4500);
	ipi(0, 2, 0x4610);
	assert_int_equal(lapic_msi(&fake_guest, 0xfee00000 | 2 << 12, 0x50), 0);
	ipi(0, 0xff, 0x4050);
	assert_int_equal(receivers(0x50), 0xb);
	ipi(0, 0, 0xc4400);
	ipi(0, 0, 0xc4500);
	ipi(0, 0, 0xc4610);
	assert_int_equal(V(3)->requests & (REQUEST_NMI | REQUEST_INIT | REQUEST_SIPI),
			 REQUEST_NMI | REQUEST_INIT | REQUEST_SIPI);
	assert_int_equal(V(2)->requests, 0);
	for (u8 vector = 0x50; vector < 0x60; vector++) { /* lowest priority: the search begins at any of them */
		assert_int_equal(lapic_msi(&fake_guest, 0xfee00000 | 0xff << 12, 0x100 | vector), 1);
		assert_int_equal(receivers(vector) & BIT(2), 0);
	}
}

static void test_init_sipi(void **state)
{
	start(3, false);
	ipi(0, 1, 0x4500);
	assert_int_equal(V(1)->requests, REQUEST_INIT);
	V(1)->requests = 0;
	ipi(0, 1, 0x8500); /* level de-assert */
	assert_int_equal(V(1)->requests, 0);
	ipi(0, 1, 0x469a);
	assert_int_equal(V(1)->requests, REQUEST_SIPI);
	assert_int_equal(V(1)->sipi_vector, 0x9a);
	ipi(0, 0, 0xc4500); /* all others */
	assert_int_equal(V(0)->requests, 0);
	assert_int_equal(V(2)->requests, REQUEST_INIT);
	ipi(0, 0, 0x4700); /* ExtINT and SMI are nobody's */
	ipi(0, 0, 0x4200);
	assert_int_equal(V(0)->requests, 0);
	assert_int_equal(lapic_base_write(V(1), BASE), 0); /* an APIC that is off hears nothing */
	V(1)->requests = 0;
	ipi(0, 1, 0x4500);
	ipi(0, 0xff, 0x4500);
	assert_int_equal(V(1)->requests, 0);
}

static void test_lowest_priority(void **state)
{
	u64 seen = 0;

	start(4, false);
	for (u32 i = 0; i < 4; i++)
		wr(V(i), REG_LDR, 1u << i << 24);
	for (u32 vector = 0x50; vector < 0x54; vector++) {
		assert_int_equal(lapic_msi(&fake_guest, 0xfee0f00c, 0x100 | vector), 1);

		u64 got = receivers((u8)vector);

		assert_int_equal(__builtin_popcountll(got), 1);
		seen |= got;
	}
	assert_int_equal(seen, 15); /* equals share */
	for (u32 i = 0; i < 4; i++)
		lapic_set_tpr(V(i), i == 2 ? 0x20 : 0x30);
	for (u32 vector = 0x50; vector < 0x54; vector++) {
		lapic_msi(&fake_guest, 0xfee0f00c, 0x100 | vector);
		assert_int_equal(receivers((u8)vector), BIT(2));
	}
}

static void test_msi(void **state)
{
	start(2, false);
	assert_int_equal(lapic_msi(&fake_guest, 0xfee01000, 0x8031), 1);
	assert_int_equal(lapic_msi(&fake_guest, 0xfee01000, 0x8031), 0);
	assert_int_equal(lapic_pending(V(1)), 0x31);
	assert_int_equal(reg_get(V(1), REG_TMR + 1), 1u << 0x11);
	assert_int_equal(lapic_msi(&fake_guest, 0xfee05000, 0x31), 0);
	assert_int_equal(lapic_msi(&fake_guest, 0xfed00000, 0x31), 0);
	assert_int_equal(lapic_msi(&fake_guest, 0x1fee00000, 0x31), 0);
	assert_int_equal(lapic_msi(&fake_guest, 0xfee00000, 0x3), 0);
	assert_int_equal(lapic_msi(&fake_guest, 0xfee00000, 0x400), 1);
	assert_int_equal(V(0)->requests & REQUEST_NMI, REQUEST_NMI);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reset, lapic_setup),
		cmocka_unit_test_setup(test_one_interrupt, lapic_setup),
		cmocka_unit_test_setup(test_concurrent_posts, lapic_setup),
		cmocka_unit_test_setup(test_level, lapic_setup),
		cmocka_unit_test_setup(test_against_model, lapic_setup),
		cmocka_unit_test_setup(test_xapic_destinations, lapic_setup),
		cmocka_unit_test_setup(test_x2apic_destinations, lapic_setup),
		cmocka_unit_test_setup(test_absent, lapic_setup),
		cmocka_unit_test_setup(test_init_sipi, lapic_setup),
		cmocka_unit_test_setup(test_lowest_priority, lapic_setup),
		cmocka_unit_test_setup(test_msi, lapic_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
