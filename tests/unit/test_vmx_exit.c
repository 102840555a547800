/* VMX exits as the kernel sees them, and the choice of controls. */
/* links: arch/x86_64/vmx/exit.c arch/x86_64/vmx/cr.c arch/x86_64/vmx/state.c arch/x86_64/vmx/debug.c
 * arch/x86_64/vmx/controls.c kernel/lib/fmt.c kernel/lib/string.c tests/unit/fake_vmcs.c tests/unit/fake_vmcs_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "arch/x86_64/virt_options.h"
#include "tests/unit/fake_vmcs.h"

#define LONG_CODE 0xa09b

static struct virt_vcpu vcpu;
static struct vcpu_page page;
static u8 apic[4096];

static struct virt_exit decode(u32 reason, u64 qualification)
{
	struct virt_exit e = { .refusal = "stale", .insn_count = 9 };

	fake_vmcs[VMCS_EXIT_REASON] = reason;
	fake_vmcs[VMCS_QUALIFICATION] = qualification;
	vmx_decode_exit(&vcpu, &page, &e);
	assert_null(e.refusal);
	assert_int_equal(e.insn_count, 0);
	assert_int_equal(e.code, reason);
	return e;
}

static int start(void **state)
{
	fake_vmcs_start();
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&page, 0, sizeof(page));
	vcpu.apic = apic;
	vcpu.cr4_allowed = 0x3707ff;
	vcpu.state.dr6 = 0xffff0ff0;
	page.rip = 0x1000;
	fake_vmcs[VMCS_EXIT_INSN_LEN] = 2;
	fake_vmcs[VMCS_GUEST_EFER] = EFER_LME | EFER_LMA;
	fake_vmcs[VMCS_GUEST_ES_ACCESS + 2 * SEG_CS] = LONG_CODE;
	return 0;
}

static void test_plain_reasons(void **state)
{
	static const struct { u8 exit; u8 reason, len; } rows[] = {
		{ 1, REASON_INTERRUPT, 0 }, { 2, REASON_SHUTDOWN, 0 }, { 7, REASON_WINDOW, 0 },
		{ 8, REASON_WINDOW, 0 }, { 10, REASON_CPUID, 2 }, { 12, REASON_HLT, 2 }, { 13, REASON_WBINVD, 2 },
		{ 18, REASON_HYPERCALL, 2 }, { 27, REASON_INVALID_OPCODE, 2 }, { 29, REASON_DR, 2 },
		{ 31, REASON_MSR_READ, 2 }, { 32, REASON_MSR_WRITE, 2 }, { 36, REASON_INVALID_OPCODE, 2 },
		{ 40, REASON_PAUSE, 2 }, { 43, REASON_WINDOW, 0 }, { 52, REASON_INTERRUPT, 0 }, { 54, REASON_WBINVD, 2 },
		{ 55, REASON_XSETBV, 2 }, { 49, REASON_OTHER, 0 }, { 200, REASON_OTHER, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct virt_exit e = decode(rows[i].exit, 0);

		assert_int_equal(e.reason, rows[i].reason);
		assert_int_equal(e.insn_len, rows[i].len);
		assert_false(e.interrupted.valid);
	}
	assert_int_equal(decode(BIT(31) | 33, 0).reason, REASON_OTHER);
}

static void test_io(void **state)
{
	struct virt_exit e = decode(30, 0x3f8ull << 16 | 0);

	assert_int_equal(e.reason, REASON_IO);
	assert_int_equal(e.io.port, 0x3f8);
	assert_int_equal(e.io.size, 1);
	assert_false(e.io.in || e.io.string || e.io.rep);
	assert_int_equal(e.io.next_rip, 0x1002);
	e = decode(30, 0xcfcull << 16 | 3 | BIT(3) | BIT(4) | BIT(5));
	assert_int_equal(e.io.size, 4);
	assert_true(e.io.in && e.io.string && e.io.rep);
}

static void test_stage2(void **state)
{
	struct virt_exit e;

	fake_vmcs[VMCS_GUEST_PHYSICAL] = 0xfee00030;
	fake_vmcs[VMCS_GUEST_LINEAR] = 0xffffffff81000000;
	e = decode(48, BIT(1) | BIT(7) | BIT(8));
	assert_int_equal(e.reason, REASON_STAGE2);
	assert_int_equal(e.fault.gpa, 0xfee00030);
	assert_int_equal(e.fault.gva, 0xffffffff81000000);
	assert_true(e.fault.write);
	assert_false(e.fault.fetch || e.fault.present || e.fault.table_walk);
	e = decode(48, BIT(0) | BIT(3) | BIT(7)); /* a guest page table was read */
	assert_true(e.fault.table_walk && e.fault.present);
	e = decode(48, BIT(2)); /* no linear address: PDPTEs of MOV to CR3 */
	assert_true(e.fault.table_walk && e.fault.fetch);
	assert_int_equal(e.fault.gva, 0);
}

/* SDM 3C table 28-6 */
static void test_local_apic(void **state)
{
	struct virt_exit e = decode(44, 0x0a0 | 1 << 12);

	assert_int_equal(e.reason, REASON_STAGE2);
	assert_int_equal(e.fault.gpa, 0xfee000a0);
	assert_int_equal(e.fault.gva, 0);
	assert_true(e.fault.present && e.fault.write);
	assert_false(e.fault.fetch || e.fault.table_walk);
	assert_true(decode(44, 0x390 | 2 << 12).fault.fetch);
	assert_false(decode(44, 0x390).fault.write);
	assert_true(decode(44, 15 << 12).fault.table_walk);
	e = decode(45, 0x51);
	assert_int_equal(e.reason, REASON_EOI);
	assert_int_equal(e.ended, 0x51);
	e = decode(56, 0x300);
	assert_int_equal(e.reason, REASON_LAPIC);
	assert_int_equal(e.apic_offset, 0x300);
	assert_int_equal(e.insn_len, 0);
}

static void test_exceptions(void **state)
{
	struct virt_exit e;

	fake_vmcs[VMCS_EXIT_EVENT] = BIT(31) | INJECT_NMI << 8 | 2;
	assert_int_equal(decode(0, 0).reason, REASON_NMI);
	fake_vmcs[VMCS_EXIT_EVENT] = BIT(31) | BIT(11) | INJECT_EXCEPTION << 8 | 17;
	fake_vmcs[VMCS_EXIT_ERROR] = 0;
	e = decode(0, 0);
	assert_int_equal(e.reason, REASON_EXCEPTION);
	assert_int_equal(e.exception.vector, 17);
	assert_true(e.exception.valid && e.exception.has_error);
	fake_vmcs[VMCS_EXIT_EVENT] = BIT(31) | INJECT_PRIVILEGED << 8 | 1; /* INT1 */
	fake_vmcs[VMCS_EXIT_INSN_LEN] = 1;
	e = decode(0, 0);
	assert_int_equal(e.exception.type, INJECT_PRIVILEGED);
	assert_int_equal(e.exception.insn_len, 1);
	e = decode(15, 0); /* RDPMC is hidden */
	assert_int_equal(e.reason, REASON_EXCEPTION);
	assert_int_equal(e.exception.vector, 13);
	assert_int_equal(e.exception.type, INJECT_EXCEPTION);
	assert_true(e.exception.has_error);
	assert_int_equal(e.exception.error, 0);
}

/* DR6 gets what the processor would have put there, and DR7.GD goes with BD. */
static void test_debug(void **state)
{
	vcpu.state.dr6 = 0xffff0ff0 | 3 | BIT(14);
	fake_vmcs[VMCS_GUEST_DR7] = 0x400 | BIT(13);
	fake_vmcs[VMCS_EXIT_EVENT] = BIT(31) | INJECT_EXCEPTION << 8 | 1;
	decode(0, 4);
	assert_int_equal(vcpu.state.dr6, 0xffff0ff0 | 4 | BIT(14));
	assert_int_equal(fake_vmcs[VMCS_GUEST_DR7], 0x400 | BIT(13));
	decode(0, BIT(13));
	assert_int_equal(fake_vmcs[VMCS_GUEST_DR7], 0x400);
}

/* A single step over STI ends in its shadow. */
static void test_debug_in_a_shadow(void **state)
{
	fake_vmcs[VMCS_EXIT_EVENT] = BIT(31) | INJECT_EXCEPTION << 8 | 1;
	fake_vmcs[VMCS_GUEST_SHADOW] = SHADOW_STI;
	decode(0, BIT(14));
	assert_int_equal(fake_vmcs[VMCS_GUEST_PENDING_DEBUG], 0);
	start(NULL);
	fake_vmcs[VMCS_EXIT_EVENT] = BIT(31) | INJECT_EXCEPTION << 8 | 1;
	fake_vmcs[VMCS_GUEST_SHADOW] = SHADOW_STI;
	vcpu.rflags = RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF;
	decode(0, BIT(14));
	assert_int_equal(fake_vmcs[VMCS_GUEST_PENDING_DEBUG], BIT(14));
}

static void test_interrupted(void **state)
{
	struct virt_exit e;

	fake_vmcs[VMCS_VECTORING_EVENT] = BIT(31) | BIT(11) | INJECT_EXCEPTION << 8 | 14;
	fake_vmcs[VMCS_VECTORING_ERROR] = 6;
	e = decode(48, BIT(0));
	assert_true(e.interrupted.valid && e.interrupted.has_error);
	assert_int_equal(e.interrupted.vector, 14);
	assert_int_equal(e.interrupted.error, 6);
	fake_vmcs[VMCS_VECTORING_EVENT] = BIT(31) | INJECT_EXTERNAL << 8 | 0x31;
	e = decode(48, BIT(0));
	assert_true(e.interrupted.valid && !e.interrupted.has_error);
	assert_int_equal(e.interrupted.vector, 0x31);
	for (u32 type = INJECT_SOFTWARE; type <= INJECT_TRAP; type++) { /* RIP is still at the instruction */
		fake_vmcs[VMCS_VECTORING_EVENT] = BIT(31) | type << 8 | 3;
		assert_false(decode(48, BIT(0)).interrupted.valid);
	}
}

/* On Bochs what is told is the event before; the virtual interrupt is what is in service with IF still set. */
static void test_interrupted_virtual_interrupt(void **state)
{
	static struct virt_apic lapic;
	struct virt_exit e;

	vcpu.lapic = &lapic;
	vcpu.rflags = RFLAGS_FIXED | RFLAGS_IF;
	vcpu.interrupt_status = 0xec00;
	fake_vmcs[VMCS_VECTORING_EVENT] = BIT(31) | BIT(11) | INJECT_EXCEPTION << 8 | 14;
	assert_int_equal(decode(48, BIT(0)).interrupted.vector, 14);
	vmx_features.stale_vectoring = true;
	e = decode(48, BIT(0));
	assert_true(e.interrupted.valid && !e.interrupted.has_error);
	assert_int_equal(e.interrupted.type, INJECT_EXTERNAL);
	assert_int_equal(e.interrupted.vector, 0xec);
	vcpu.rflags = RFLAGS_FIXED; /* its handler runs */
	assert_int_equal(decode(48, BIT(0)).interrupted.vector, 14);
	fake_vmcs[VMCS_VECTORING_EVENT] = 0;
	vcpu.rflags |= RFLAGS_IF;
	assert_false(decode(48, BIT(0)).interrupted.valid);
}

/* An IRET that faulted has unblocked NMIs too early; not so when the exit came during a delivery. */
static void test_nmi_unblocked_by_iret(void **state)
{
	decode(48, BIT(0) | BIT(12));
	assert_int_equal(fake_vmcs[VMCS_GUEST_SHADOW], SHADOW_NMI);
	start(NULL);
	fake_vmcs[VMCS_EXIT_EVENT] = BIT(31) | BIT(12) | INJECT_EXCEPTION << 8 | 17;
	decode(0, 0);
	assert_int_equal(fake_vmcs[VMCS_GUEST_SHADOW], SHADOW_NMI);
	start(NULL);
	fake_vmcs[VMCS_VECTORING_EVENT] = BIT(31) | INJECT_EXTERNAL << 8 | 0x31;
	decode(48, BIT(0) | BIT(12));
	assert_int_equal(fake_vmcs[VMCS_GUEST_SHADOW], 0);
}

/* ---- control registers ---- */

static void test_cr_writes_change_the_shadow(void **state)
{
	struct virt_exit e;

	page.gpr[GPR_RBX] = CR0_PE | CR0_PG | CR0_CD;
	e = decode(28, 0 | GPR_RBX << 8);
	assert_int_equal(e.reason, REASON_CR);
	assert_true(e.cr.done && e.cr.write && e.cr.number == 0);
	assert_int_equal(fake_vmcs[VMCS_CR0_SHADOW], page.gpr[GPR_RBX]);
	page.gpr[9] = CR4_PAE | CR4_MCE;
	e = decode(28, 4 | 9 << 8);
	assert_true(e.cr.done);
	assert_int_equal(fake_vmcs[VMCS_CR4_SHADOW], CR4_PAE | CR4_MCE);
}

static void test_cr_writes_that_fault(void **state)
{
	struct virt_exit e;

	page.gpr[GPR_RAX] = CR0_PE | CR0_NW;
	e = decode(28, 0);
	assert_int_equal(e.reason, REASON_EXCEPTION);
	assert_int_equal(e.exception.vector, 13);
	assert_true(e.exception.has_error);
	page.gpr[GPR_RAX] = CR4_PAE | CR4_VMXE;
	assert_int_equal(decode(28, 4).reason, REASON_EXCEPTION);
	page.gpr[GPR_RAX] = CR4_PAE | BIT(32);
	assert_int_equal(decode(28, 4).reason, REASON_EXCEPTION);
	assert_int_equal(fake_vmcs[VMCS_CR4_SHADOW], 0);
	fake_vmcs[VMCS_GUEST_EFER] = 0; /* outside of 64-bit mode the upper half of the register is nobody's */
	assert_int_equal(decode(28, 4).reason, REASON_CR);
}

static void test_cr8_is_the_kernels(void **state)
{
	struct virt_exit e = decode(28, 8 | 14 << 8);

	assert_int_equal(e.reason, REASON_CR);
	assert_true(e.cr.decoded && e.cr.write && e.cr.wide && !e.cr.done);
	assert_int_equal(e.cr.number, 8);
	assert_int_equal(e.cr.gpr, 14);
	assert_int_equal(e.insn_len, 2);
	assert_false(decode(28, 8 | 1 << 4).cr.write);
}

/* ---- controls ---- */

static u64 removed_bits;
static u32 removed_from;

static u64 poorer(u32 msr)
{
	u64 value = fake_vmx_msr(msr);

	return msr == removed_from ? value & ~removed_bits : value;
}

static const char *choose_without(u32 msr, u64 bits)
{
	struct vmx_features f;
	const char *missing = "";

	removed_from = msr;
	removed_bits = bits;
	return vmx_controls_choose(&f, &(struct virt_options){ 0 }, poorer, &missing) ? missing : NULL;
}

static void test_controls_follow_capabilities(void **state)
{
	const u32 *c = vmx_features.controls;

	assert_int_equal(c[CONTROL_PRIMARY] & 0x04006172, 0x04006172); /* what must be 1 */
	assert_int_equal(c[CONTROL_PRIMARY] & (PRIMARY_CR3_LOAD | PRIMARY_CR3_STORE), 0);
	assert_true(c[CONTROL_PRIMARY] & PRIMARY_TPR_SHADOW);
	assert_false(c[CONTROL_PRIMARY] & PRIMARY_CR8_LOAD);
	assert_int_equal(c[CONTROL_ENTRY] & ENTRY_IA32E, 0);
	assert_int_equal(vmx_features.revision, 0x12);
	assert_true(vmx_features.ept_ad && vmx_features.invept_single);
}

static void test_what_is_missing_is_named(void **state)
{
	assert_null(choose_without(0, 0));
	assert_string_equal(choose_without(MSR_VMX_SECONDARY, SECONDARY_EPT << 32), "EPT");
	assert_string_equal(choose_without(MSR_VMX_SECONDARY, SECONDARY_UNRESTRICTED << 32), "unrestricted guest");
	assert_string_equal(choose_without(MSR_VMX_TRUE_PIN, PIN_VIRTUAL_NMI << 32), "virtual NMIs");
	assert_string_equal(choose_without(MSR_VMX_BASIC, BIT(55)), "CR3 without exits");
	assert_non_null(choose_without(MSR_VMX_EPT_VPID, BIT(6)));
	assert_null(choose_without(MSR_VMX_SECONDARY, (SECONDARY_VPID | SECONDARY_PAUSE_LOOP) << 32));
}

static void test_options_force_features_off(void **state)
{
	struct vmx_features f;
	const char *missing;
	char text[128];

	assert_int_equal(vmx_controls_choose(&f, &(struct virt_options){ .off = ~0ull }, fake_vmx_msr, &missing), 0);
	assert_int_equal(f.controls[CONTROL_PRIMARY] & (PRIMARY_TPR_SHADOW | PRIMARY_MSR_BITMAP), 0);
	assert_int_equal(f.controls[CONTROL_PRIMARY] & (PRIMARY_CR8_LOAD | PRIMARY_CR8_STORE),
			 PRIMARY_CR8_LOAD | PRIMARY_CR8_STORE);
	assert_int_equal(f.controls[CONTROL_SECONDARY] & (SECONDARY_VPID | SECONDARY_PAUSE_LOOP), 0);
	assert_true(f.controls[CONTROL_SECONDARY] & SECONDARY_EPT);
	assert_false(f.ept_ad || f.invept_single);
	vmx_controls_describe(&f, text, sizeof(text));
	assert_null(strstr(text, "vpid"));
	vmx_controls_describe(&vmx_features, text, sizeof(text));
	assert_non_null(strstr(text, "vpid"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VMCS_TEST(test_plain_reasons, start),
		VMCS_TEST(test_io, start),
		VMCS_TEST(test_stage2, start), VMCS_TEST(test_local_apic, start),
		VMCS_TEST(test_exceptions, start),
		VMCS_TEST(test_debug, start),
		VMCS_TEST(test_debug_in_a_shadow, start),
		VMCS_TEST(test_interrupted, start),
		VMCS_TEST(test_interrupted_virtual_interrupt, start),
		VMCS_TEST(test_nmi_unblocked_by_iret, start),
		VMCS_TEST(test_cr_writes_change_the_shadow, start),
		VMCS_TEST(test_cr_writes_that_fault, start),
		VMCS_TEST(test_cr8_is_the_kernels, start),
		VMCS_TEST(test_controls_follow_capabilities, start),
		VMCS_TEST(test_what_is_missing_is_named, start),
		VMCS_TEST(test_options_force_features_off, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
