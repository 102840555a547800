/* Entries to a VMX guest: events, windows and what is written, against a small processor behind vmx_enter. */
/* links: arch/x86_64/vmx/run.c arch/x86_64/vmx/apic.c arch/x86_64/vmx/event.c arch/x86_64/vmx/exit.c
 * arch/x86_64/vmx/cr.c arch/x86_64/vmx/debug.c arch/x86_64/vmx/state.c arch/x86_64/vmx/check.c
 * arch/x86_64/vmx/controls.c kernel/lib/fmt.c kernel/lib/string.c tests/unit/fake_vmcs.c tests/unit/fake_vmcs_trap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "kernel/lib/error.h"
#include "tests/unit/fake_vmcs.h"

#define EXIT_INTERRUPT_WINDOW 7
#define EXIT_NMI_WINDOW 8
#define EXIT_HLT 12
#define EXIT_TPR 43

static struct virt_vcpu vcpu;
static struct vcpu_page page;
static struct virt_exit last;
static u8 apic[4096];
static u64 injected; /* what the last entry delivered, 0: nothing */
static bool refuse;

/* SDM 3C §26.2, §27.6.5, §27.7.1: a window that is open exits before the first instruction, which is HLT here. */
static u32 reason_of(void)
{
	u64 primary = fake_vmcs[VMCS_PRIMARY_CONTROLS], blocking = fake_vmcs[VMCS_GUEST_SHADOW];

	if (!injected && primary & PRIMARY_NMI_WINDOW && !blocking)
		return EXIT_NMI_WINDOW;
	if (!injected && primary & PRIMARY_INTERRUPT_WINDOW && fake_vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF && !blocking)
		return EXIT_INTERRUPT_WINDOW;
	if (primary & PRIMARY_TPR_SHADOW && apic[0x80] >> 4 < fake_vmcs[VMCS_TPR_THRESHOLD])
		return EXIT_TPR;
	return EXIT_HLT;
}

u64 vmx_enter(u64 *gpr, bool launched)
{
	assert_int_equal(launched, vcpu.launched);
	if (refuse)
		return 1;
	injected = fake_vmcs[VMCS_ENTRY_EVENT] & EVENT_VALID ? fake_vmcs[VMCS_ENTRY_EVENT] : 0;
	fake_vmcs[VMCS_ENTRY_EVENT] &= ~EVENT_VALID;
	fake_vmcs[VMCS_EXIT_REASON] = reason_of();
	fake_vmcs[VMCS_EXIT_INSN_LEN] = 1;
	return 0;
}

void vmx_msrs_load(struct virt_vcpu *v) {}
void vmx_translations(struct virt_vcpu *v) {}

static u32 run(u8 cr8)
{
	vmx_set_cr8(&vcpu, cr8);
	assert_int_equal(vmx_run(&vcpu, &page, &last), 0);
	return (u32)last.code;
}

static int start(void **state)
{
	fake_vmcs_start();
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&page, 0, sizeof(page));
	memset(apic, 0, sizeof(apic));
	vcpu.apic = apic;
	vcpu.primary = vcpu.primary_wanted = vmx_features.controls[CONTROL_PRIMARY];
	fake_vmcs[VMCS_PRIMARY_CONTROLS] = vcpu.primary;
	page.rflags = RFLAGS_FIXED | RFLAGS_IF;
	refuse = false;
	return 0;
}

/* The PIC's interrupt that was waited for was masked in the meantime: nobody asks for a window any more. */
static void test_a_window_is_one_run_s(void **state)
{
	u8 cr8 = 0;

	assert_false(vmx_window(&vcpu, &page, WINDOW_ANY, false));
	assert_int_equal(run(cr8), EXIT_INTERRUPT_WINDOW);
	assert_int_equal(last.reason, REASON_WINDOW);
	assert_int_equal(run(cr8), EXIT_HLT);
	assert_false(vmx_window(&vcpu, &page, WINDOW_NONE, true));
	assert_int_equal(run(cr8), EXIT_NMI_WINDOW);
	assert_int_equal(run(cr8), EXIT_HLT);
}

/* An exit for another reason ends the wish too: the kernel asks again when something still waits. */
static void test_a_window_that_stayed_shut_is_over(void **state)
{
	u8 cr8 = 0;

	page.rflags &= ~(u64)RFLAGS_IF;
	vmx_window(&vcpu, &page, WINDOW_ANY, false);
	assert_int_equal(run(cr8), EXIT_HLT);
	page.rflags |= RFLAGS_IF;
	assert_int_equal(run(cr8), EXIT_HLT);
}

static void test_cr8_window(void **state)
{
	u8 cr8 = 5;

	vmx_window(&vcpu, &page, WINDOW_CR8, false);
	assert_int_equal(run(cr8), EXIT_HLT);
	assert_int_equal(fake_vmcs[VMCS_TPR_THRESHOLD], 5);
	assert_int_equal(run(cr8), EXIT_HLT);
	assert_int_equal(fake_vmcs[VMCS_TPR_THRESHOLD], 0);
	apic[0x80] = 0x30;
	assert_int_equal(vcpu.apic[0x80] >> 4, 3);
	cr8 = 3;
	run(cr8);
	assert_int_equal(last.cr8, 3);
}

static void test_an_event_is_injected_once(void **state)
{
	struct virt_event e = { .valid = true, .type = INJECT_EXCEPTION, .vector = 14, .has_error = true, .error = 7 };
	u8 cr8 = 0;

	fake_vmcs[VMCS_GUEST_CR0] = CR0_PE;
	vmx_inject(&vcpu, &e);
	assert_false(vmx_can_interrupt(&vcpu, &page));
	assert_false(vmx_can_nmi(&vcpu, &page));
	run(cr8);
	assert_int_equal(injected, EVENT_VALID | EVENT_ERROR | INJECT_EXCEPTION << 8 | 14);
	assert_int_equal(fake_vmcs[VMCS_ENTRY_ERROR], 7);
	run(cr8);
	assert_int_equal(injected, 0);
	fake_vmcs[VMCS_GUEST_CR0] = 0; /* real mode */
	vmx_inject(&vcpu, &e);
	run(cr8);
	assert_int_equal(injected, EVENT_VALID | INJECT_EXCEPTION << 8 | 14);
}

static void test_a_cancelled_event_comes_back(void **state)
{
	struct virt_event e = { .valid = true, .type = INJECT_EXTERNAL, .vector = 0x41 }, back = { 0 };
	u8 cr8 = 0;

	vmx_inject(&vcpu, &e);
	vmx_cancel(&vcpu, &back);
	assert_true(back.valid);
	assert_int_equal(back.vector, 0x41);
	run(cr8);
	assert_int_equal(injected, 0);
	back.valid = false;
	vmx_cancel(&vcpu, &back);
	assert_false(back.valid);
}

/* STI's shadow is the next instruction's: gone when that was completed in software. */
static void test_shadow_goes_with_the_instruction(void **state)
{
	u8 cr8 = 0;

	fake_vmcs[VMCS_GUEST_SHADOW] = SHADOW_STI;
	fake_vmcs[VMCS_GUEST_RIP] = 0x1000;
	page.rip = vcpu.rip = 0x1000;
	run(cr8);
	assert_true(vmx_shadow(&vcpu, &page));
	assert_false(vmx_can_interrupt(&vcpu, &page));
	page.rip++;
	assert_false(vmx_shadow(&vcpu, &page));
	assert_true(vmx_can_interrupt(&vcpu, &page));
	run(cr8);
	assert_int_equal(fake_vmcs[VMCS_GUEST_SHADOW], 0);
	assert_int_equal(fake_vmcs[VMCS_GUEST_RIP], 0x1001);
}

/* The delivery of an NMI blocks others; one whose delivery an exit cut short is injected without that. */
static void test_nmi_blocking(void **state)
{
	struct virt_event nmi = { .valid = true, .type = INJECT_NMI, .vector = 2 };
	u8 cr8 = 0;

	fake_vmcs[VMCS_GUEST_SHADOW] = SHADOW_NMI;
	assert_false(vmx_can_nmi(&vcpu, &page));
	assert_true(vmx_can_interrupt(&vcpu, &page));
	vmx_inject(&vcpu, &nmi);
	run(cr8);
	assert_int_equal(fake_vmcs[VMCS_GUEST_SHADOW], 0);
}

static void test_refusals(void **state)
{
	refuse = true;
	fake_vmcs[VMCS_INSTRUCTION_ERROR] = 7;
	assert_int_equal(vmx_run(&vcpu, &page, &last), ERR_STATE);
	assert_int_equal(last.code, 7);
	assert_non_null(last.refusal);
	assert_false(vcpu.launched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VMCS_TEST(test_a_window_is_one_run_s, start),
		VMCS_TEST(test_a_window_that_stayed_shut_is_over, start),
		VMCS_TEST(test_cr8_window, start),
		VMCS_TEST(test_an_event_is_injected_once, start),
		VMCS_TEST(test_a_cancelled_event_comes_back, start),
		VMCS_TEST(test_shadow_goes_with_the_instruction, start),
		VMCS_TEST(test_nmi_blocking, start),
		VMCS_TEST(test_refusals, start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
