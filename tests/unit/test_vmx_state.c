/* Guest state into the VMCS and back, and the checker of it. */
/* links: arch/x86_64/vmx/state.c arch/x86_64/vmx/debug.c arch/x86_64/vmx/check.c arch/x86_64/vmx/controls.c
 * kernel/lib/fmt.c kernel/lib/string.c tests/unit/fake_vmcs.c tests/unit/fake_vmcs_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "tests/unit/fake_vmcs.h"

static struct virt_vcpu vcpu;
static u8 apic[4096];

/* Power-on, as kernel/vcpu.c sets it. */
static struct vcpu_state reset_state(void)
{
	struct vcpu_state s = { .cr0 = CR0_ET | CR0_NW | CR0_CD, .dr6 = 0xffff0ff0, .dr7 = 0x400, .xcr0 = 1 };

	for (u32 i = 0; i < SEG_LDTR; i++)
		s.seg[i] = (struct vcpu_segment){ .limit = 0xffff, .attr = 0x93 };
	s.seg[SEG_CS] = (struct vcpu_segment){ .base = 0xffff0000, .limit = 0xffff, .selector = 0xf000,
					       .attr = 0x9b };
	s.seg[SEG_LDTR] = (struct vcpu_segment){ .limit = 0xffff, .attr = 0x82 };
	s.seg[SEG_TR] = (struct vcpu_segment){ .limit = 0xffff, .attr = 0x8b };
	s.gdtr.limit = s.idtr.limit = 0xffff;
	return s;
}

static struct vcpu_state long_state(void)
{
	struct vcpu_state s = reset_state();

	s.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s.cr4 = CR4_PAE | CR4_PGE;
	s.efer = EFER_LME | EFER_LMA | EFER_NXE;
	s.cr3 = 0x1000;
	for (u32 i = 0; i < SEG_LDTR; i++)
		s.seg[i] = (struct vcpu_segment){ .limit = 0xffffffff, .selector = 0x10, .attr = 0xc93 };
	s.seg[SEG_CS] = (struct vcpu_segment){ .limit = 0xffffffff, .selector = 8, .attr = 0xa9b };
	return s;
}

static void put(const struct vcpu_state *s)
{
	vmx_state_set(&vcpu, s, VIRT_ALL);
	fake_vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	fake_vmcs[VMCS_LINK_POINTER] = ~0ull;
}

static int start(void **state)
{
	fake_vmcs_start();
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.apic = apic;
	vcpu.cr4_allowed = 0x3707ff & ~CR4_VMXE;
	vmx_state_refresh(&vcpu, VIRT_ALL);
	return 0;
}

static void test_round_trip(void **state)
{
	struct vcpu_state in[] = { reset_state(), long_state() }, out;

	for (u32 i = 0; i < ARRAY_SIZE(in); i++) {
		in[i].dr[2] = 0x1234;
		in[i].cr2 = 0xdead000;
		put(&in[i]);
		memset(&out, 0, sizeof(out));
		vmx_state_get(&vcpu, &out, VIRT_ALL);
		assert_memory_equal(&in[i], &out, sizeof(out));
	}
}

/* What VMX demands is in the processor, what the guest wrote is what it sees. */
static void test_fixed_bits_are_hidden(void **state)
{
	struct vcpu_state s = reset_state();

	put(&s);
	assert_int_equal(fake_vmcs[VMCS_GUEST_CR0] & (CR0_NE | CR0_CD | CR0_NW), CR0_NE);
	assert_int_equal(fake_vmcs[VMCS_GUEST_CR4] & (CR4_VMXE | CR4_MCE), CR4_VMXE | CR4_MCE);
	vmx_state_get(&vcpu, &s, VIRT_CONTROL);
	assert_int_equal(s.cr0, CR0_ET | CR0_NW | CR0_CD);
	assert_int_equal(s.cr4, 0);
	assert_true(vmx_cr4_mask(&vcpu) & CR4_VMXE);
	assert_false(vmx_cr4_mask(&vcpu) & CR4_PGE);
	assert_false(vmx_cr0_mask() & (CR0_PE | CR0_PG | CR0_TS | CR0_WP));
}

static void test_long_mode_follows(void **state)
{
	struct vcpu_state s = long_state();

	s.efer &= ~(u64)EFER_LMA;
	put(&s);
	assert_true(fake_vmcs[VMCS_GUEST_EFER] & EFER_LMA);
	assert_true(fake_vmcs[VMCS_ENTRY_CONTROLS] & ENTRY_IA32E);
	s.cr0 &= ~CR0_PG;
	s.efer |= EFER_LMA;
	put(&s);
	assert_false(fake_vmcs[VMCS_GUEST_EFER] & EFER_LMA);
	assert_false(fake_vmcs[VMCS_ENTRY_CONTROLS] & ENTRY_IA32E);
}

static void test_segments(void **state)
{
	struct vcpu_state s = long_state();

	s.seg[SEG_DS] = (struct vcpu_segment){ .attr = 0 };
	s.seg[SEG_ES].attr = 0xcf2; /* not accessed yet */
	put(&s);
	assert_true(fake_vmcs[VMCS_GUEST_ES_ACCESS + 2 * SEG_DS] & ACCESS_UNUSABLE);
	assert_int_equal(fake_vmcs[VMCS_GUEST_ES_ACCESS + 2 * SEG_ES], 0xc0f3);
	assert_int_equal(fake_vmcs[VMCS_GUEST_ES_ACCESS + 2 * SEG_CS], 0xa09b);
	fake_vmcs[VMCS_GUEST_ES_ACCESS + 2 * SEG_SS] = ACCESS_UNUSABLE | 0x60; /* null SS of CPL 3 keeps its DPL */
	vmx_state_refresh(&vcpu, VIRT_SEGMENTS);
	vmx_state_get(&vcpu, &s, VIRT_SEGMENTS);
	assert_int_equal(s.seg[SEG_SS].attr >> 5 & 3, 3);
	assert_false(s.seg[SEG_SS].attr & 0x80);
}

/* Ring 3 writes states back that it did not change: the guest keeps its translations. */
static void test_unchanged_registers_keep_the_vpid(void **state)
{
	struct vcpu_state s = long_state();

	put(&s);
	vcpu.vpid_generation = 5;
	s.seg[SEG_DS].base = 0x1000;
	put(&s);
	assert_int_equal(vcpu.vpid_generation, 5);
	s.cr3 = 0x2000;
	put(&s);
	assert_int_equal(vcpu.vpid_generation, 0);
}

/* ---- the checker ---- */

static void expect(u32 field, u64 value, const char *what)
{
	u64 before = fake_vmcs[field];
	const char *found;

	fake_vmcs[field] = value;
	found = vmx_check_guest();
	if (!strstr(found, what))
		fail_msg("field %x = %lx: %s, not %s", field, (unsigned long)value, found, what);
	fake_vmcs[field] = before;
}

static void test_good_states_pass(void **state)
{
	struct vcpu_state in[] = { reset_state(), long_state() };

	for (u32 i = 0; i < ARRAY_SIZE(in); i++) {
		put(&in[i]);
		assert_non_null(strstr(vmx_check_guest(), "does not know"));
	}
}

static void test_bad_control_is_named(void **state)
{
	struct vcpu_state s = long_state();

	put(&s);
	expect(VMCS_GUEST_CR0, CR0_PE | CR0_PG, "CR0");
	expect(VMCS_GUEST_CR0, CR0_NE | CR0_PG, "CR0.PG without");
	expect(VMCS_GUEST_CR4, CR4_PAE, "CR4");
	expect(VMCS_GUEST_CR4, CR4_VMXE, "long mode");
	expect(VMCS_GUEST_EFER, EFER_LME, "EFER.LMA");
	expect(VMCS_GUEST_EFER, BIT(20), "EFER");
	expect(VMCS_GUEST_PAT, 2, "PAT");
	expect(VMCS_GUEST_DR7, BIT(32), "DR7");
	expect(VMCS_GUEST_SYSENTER_EIP, BIT(63), "SYSENTER");
	expect(VMCS_GUEST_CR3, BIT(60), "CR3");
}

static void test_bad_segment_is_named(void **state)
{
	struct vcpu_state s = long_state();

	put(&s);
	expect(VMCS_GUEST_ES_ACCESS + 2 * SEG_CS, 0xa09a, "CS");
	expect(VMCS_GUEST_ES_ACCESS + 2 * SEG_CS, 0xe09b, "CS.L");
	expect(VMCS_GUEST_ES_ACCESS + 2 * SEG_CS, 0xa0fb, "CS.DPL");
	expect(VMCS_GUEST_ES_ACCESS + 2 * SEG_SS, 0xc099, "SS");
	expect(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS, 0xc092, "data segment");
	expect(VMCS_GUEST_ES_LIMIT + 2 * SEG_ES, 0xfffffff0, "limit");
	expect(VMCS_GUEST_ES_ACCESS + 2 * SEG_TR, 0x89, "TR");
	expect(VMCS_GUEST_ES_ACCESS + 2 * SEG_LDTR, 0x83, "LDTR");
	expect(VMCS_GUEST_GDTR_BASE, BIT(60), "GDTR");
	expect(VMCS_GUEST_FS_BASE, BIT(60), "FS");
}

static void test_bad_flags_and_shadows_are_named(void **state)
{
	struct vcpu_state s = long_state();

	put(&s);
	expect(VMCS_GUEST_RIP, BIT(60), "RIP");
	expect(VMCS_GUEST_RFLAGS, 0, "RFLAGS");
	expect(VMCS_GUEST_RFLAGS, 2 | RFLAGS_VM, "RFLAGS.VM");
	expect(VMCS_ENTRY_EVENT, BIT(31) | 0x30, "RFLAGS.IF");
	expect(VMCS_GUEST_SHADOW, SHADOW_STI, "shadow");
	expect(VMCS_GUEST_ACTIVITY, 1, "activity");
	fake_vmcs[VMCS_ENTRY_EVENT] = BIT(31) | INJECT_NMI << 8 | 2;
	expect(VMCS_GUEST_SHADOW, SHADOW_NMI, "NMI");
	s = reset_state();
	put(&s);
	fake_vmcs[VMCS_ENTRY_EVENT] = 0;
	expect(VMCS_GUEST_RIP, BIT(32), "RIP");
	expect(VMCS_GUEST_ES_ACCESS + 2 * SEG_SS, 0xf3, "SS.DPL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VMCS_TEST(test_round_trip, start),
		VMCS_TEST(test_fixed_bits_are_hidden, start),
		VMCS_TEST(test_long_mode_follows, start),
		VMCS_TEST(test_segments, start),
		VMCS_TEST(test_unchanged_registers_keep_the_vpid, start),
		VMCS_TEST(test_good_states_pass, start),
		VMCS_TEST(test_bad_control_is_named, start),
		VMCS_TEST(test_bad_segment_is_named, start),
		VMCS_TEST(test_bad_flags_and_shadows_are_named, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
