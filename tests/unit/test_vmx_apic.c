/* A local APIC that the processor works on: what an entry tells it and what an exit takes over, against a small
 * processor that delivers and ends interrupts as SDM 3C §30.1 and §30.2 say. */
/* links: arch/x86_64/vmx/apic.c arch/x86_64/vmx/controls.c kernel/lib/fmt.c kernel/lib/string.c
 * tests/unit/fake_vmcs.c tests/unit/fake_vmcs_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "arch/x86_64/virt_options.h"
#include "kernel/lib/error.h"
#include "tests/unit/fake_vmcs.h"

#define ISR 0x10
#define TMR 0x18
#define IRR 0x20
#define NONE 0

static struct virt_vcpu vcpu;
static struct virt_apic apic;

static int setup(void **state)
{
	fake_vmcs_start();
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&apic, 0, sizeof(apic));
	vcpu.lapic = &apic;
	vmx_apic_create(&vcpu);
	return 0;
}

/* ---- the kernel's side ---- */

static void request(u32 vector)
{
	apic.page[IRR + vector / 32][0] |= 1u << vector % 32;
	apic.irr_words |= 1u << vector / 32;
}

static void check_words(void)
{
	for (u32 n = 0; n < 8; n++) {
		assert_int_equal(!!apic.page[IRR + n][0], apic.irr_words >> n & 1);
		assert_int_equal(!!apic.page[ISR + n][0], apic.isr_words >> n & 1);
	}
}

/* ---- the processor's ---- */

static u32 top(u32 reg)
{
	for (u32 vector = 255; vector; vector--)
		if (apic.page[reg + vector / 32][0] & 1u << vector % 32)
			return vector;
	return NONE;
}

static u32 rvi(void) { return fake_vmcs[VMCS_GUEST_INTERRUPT_STATUS] & 0xff; }
static u32 svi(void) { return fake_vmcs[VMCS_GUEST_INTERRUPT_STATUS] >> 8; }

static void status(u32 requested, u32 in_service)
{
	fake_vmcs[VMCS_GUEST_INTERRUPT_STATUS] = requested | in_service << 8;
}

/* The vector that it delivers, or NONE. */
static u32 deliver(void)
{
	u32 vector = rvi();

	if (vector >> 4 <= svi() >> 4)
		return NONE;
	apic.page[ISR + vector / 32][0] |= 1u << vector % 32;
	apic.page[IRR + vector / 32][0] &= ~(1u << vector % 32);
	status(top(IRR), vector);
	return vector;
}

/* True: it exits. */
static bool end_of_interrupt(void)
{
	u32 vector = svi();

	apic.page[ISR + vector / 32][0] &= ~(1u << vector % 32);
	status(rvi(), top(ISR));
	return fake_vmcs[VMCS_EOI_EXIT0 + vector / 64 * 2] >> vector % 64 & 1;
}

static void self_ipi(u32 vector)
{
	apic.page[IRR + vector / 32][0] |= 1u << vector % 32;
	status(vector > rvi() ? vector : rvi(), svi());
}

/* ---- */

static void test_the_highest_goes_first(void **state)
{
	request(0x31);
	request(0x61);
	vmx_apic_enter(&vcpu);
	assert_int_equal(rvi(), 0x61);
	assert_int_equal(svi(), NONE);
	assert_int_equal(deliver(), 0x61);
	assert_int_equal(deliver(), NONE);
	vmx_apic_exit(&vcpu);
	check_words();
	request(0x62); /* of the same class: it waits */
	vmx_apic_enter(&vcpu);
	assert_int_equal(deliver(), NONE);
	assert_false(end_of_interrupt());
	assert_int_equal(deliver(), 0x62);
	assert_false(end_of_interrupt());
	assert_int_equal(deliver(), 0x31);
	vmx_apic_exit(&vcpu);
	check_words();
	assert_int_equal(apic.irr_words, 0);
	assert_int_equal(apic.isr_words, 1 << 1);
}

/* A status that stayed the same hides nothing: a self-IPI below the highest request. */
static void test_requests_of_the_guest_are_seen(void **state)
{
	request(0xe1);
	vmx_apic_enter(&vcpu);
	self_ipi(0x41);
	vmx_apic_exit(&vcpu);
	check_words();
	assert_int_equal(apic.irr_words, 1 << 2 | 1 << 7);
}

/* What the kernel takes back, at a reset say, is not delivered. */
static void test_the_kernel_s_changes_count(void **state)
{
	request(0x51);
	vmx_apic_enter(&vcpu);
	vmx_apic_exit(&vcpu);
	memset(apic.page, 0, sizeof(apic.page));
	apic.irr_words = apic.isr_words = 0;
	vmx_apic_enter(&vcpu);
	assert_int_equal(deliver(), NONE);
	vmx_apic_exit(&vcpu);
	check_words();
}

static void test_only_ends_of_level_triggered_vectors_exit(void **state)
{
	static const u8 vectors[] = { 0x21, 0x3f, 0x40, 0x7f, 0x80, 0xfe };

	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
		for (u32 level = 0; level < 2; level++) {
			u32 n = vectors[i] / 32, bit = 1u << vectors[i] % 32;

			apic.page[TMR + n][0] = level ? bit : ~bit;
			apic.changed = true;
			request(vectors[i]);
			vmx_apic_enter(&vcpu);
			assert_false(apic.changed);
			assert_int_equal(deliver(), vectors[i]);
			assert_int_equal(end_of_interrupt(), level);
			vmx_apic_exit(&vcpu);
		}
	}
}

static void test_the_way_to_the_apic_follows_its_mode(void **state)
{
	static u8 bitmaps[2];

	vmx_msr_bitmap = &bitmaps[0];
	vmx_msr_bitmap_x2apic = &bitmaps[1];
	apic.mode = VIRT_APIC_MSRS;
	apic.changed = true;
	vmx_apic_enter(&vcpu);
	assert_int_equal(fake_vmcs[VMCS_SECONDARY_CONTROLS] & SECONDARY_APICV, SECONDARY_APICV & ~SECONDARY_APIC_ACCESSES);
	assert_ptr_equal(fake_vmcs[VMCS_MSR_BITMAP], vmx_msr_bitmap_x2apic);
	apic.mode = VIRT_APIC_OFF;
	apic.changed = true;
	vmx_apic_enter(&vcpu);
	assert_int_equal(fake_vmcs[VMCS_SECONDARY_CONTROLS] & SECONDARY_APICV,
			 SECONDARY_APIC_REGISTERS | SECONDARY_VIRTUAL_INTERRUPTS);
	assert_ptr_equal(fake_vmcs[VMCS_MSR_BITMAP], vmx_msr_bitmap);
}

static bool uses_apicv(u64 (*read)(u32 msr), struct virt_options said)
{
	struct vmx_features f;
	const char *missing;

	assert_int_equal(vmx_controls_choose(&f, &said, read, &missing), 0);
	return f.controls[CONTROL_SECONDARY] & SECONDARY_APICV;
}

static bool used_without(u64 off)
{
	return uses_apicv(fake_vmx_msr, (struct virt_options){ off, VIRT_VMX_APICV & ~off });
}

static u64 bochs(u32 msr)
{
	return msr == MSR_VMX_BASIC ? BIT(55) | 0x2b : fake_vmx_msr(msr);
}

static void test_a_faulty_one_is_used_on_demand(void **state)
{
	assert_false(uses_apicv(bochs, (struct virt_options){ 0 }));
	assert_true(uses_apicv(bochs, (struct virt_options){ .on = VIRT_VMX_APICV }));
}

static void test_it_needs_all_of_its_parts(void **state)
{
	assert_true(uses_apicv(fake_vmx_msr, (struct virt_options){ 0 }));
	assert_true(used_without(0));
	assert_false(used_without(VIRT_VMX_APICV));
	assert_false(used_without(VIRT_VMX_TPR_SHADOW));
	assert_false(used_without(VIRT_VMX_MSR_BITMAP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VMCS_TEST(test_the_highest_goes_first, setup),
		VMCS_TEST(test_requests_of_the_guest_are_seen, setup),
		VMCS_TEST(test_the_kernel_s_changes_count, setup),
		VMCS_TEST(test_only_ends_of_level_triggered_vectors_exit, setup),
		VMCS_TEST(test_the_way_to_the_apic_follows_its_mode, setup),
		cmocka_unit_test(test_it_needs_all_of_its_parts),
		cmocka_unit_test(test_a_faulty_one_is_used_on_demand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
