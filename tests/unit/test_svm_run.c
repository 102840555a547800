/* Entries to an SVM guest: events, windows and what is written, against a small processor behind svm_enter. */
/* links: arch/x86_64/svm/run.c arch/x86_64/svm/event.c arch/x86_64/svm/exit.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/registers.h"
#include "arch/x86_64/svm/percpu.h"
#include "arch/x86_64/svm/svm.h"
#include "kernel/lib/error.h"

#define TIMER 0xec

struct svm_features svm_features;

static struct vmcb vmcb;
static struct svm_cpu cpu;
static struct virt_vcpu vcpu;
static struct vcpu_page page;
static struct virt_exit last;
static bool host_interrupt; /* one of the host waits: it comes first */
static bool stack_faults;   /* stage 2 has no page for the guest's stack */
static bool as_qemu;        /* which tells that in its own way */
static bool exception_faults; /* the guest's #UD finds no stack either */
static u32 taken;           /* the vector that the guest took in the last run, 0: none */
static u32 renewed;

void svm_asid_renew(struct virt_vcpu *v)
{
	renewed++;
	v->entry_generation = v->cpu->generation;
}

void svm_dr_load(struct virt_vcpu *v) { v->dr_loaded = true; }

static void leave(u64 code)
{
	vmcb.exit_code = code;
}

/* APM 2 §15.20 to §15.21.4: what is injected comes first, then the host's interrupt, then the virtual one. */
void svm_enter(struct vmcb *b, u64 *gpr, u64 host);
void svm_enter(struct vmcb *b, u64 *gpr, u64 host)
{
	bool open = b->rflags & RFLAGS_IF && !(b->interrupt_state & INTERRUPT_SHADOW);

	taken = 0;
	b->exit_int_info = 0;
	if (b->event_inject & EVENT_VALID)
		taken = (u8)b->event_inject;
	b->event_inject &= ~(u64)EVENT_VALID;
	if (host_interrupt)
		return leave(SVM_INTR);
	if (b->vintr & VINTR_IRQ && open) {
		if (b->intercept & INTERCEPT_VINTR)
			return leave(SVM_VINTR);
		if (!stack_faults || !as_qemu)
			b->vintr &= ~(u64)VINTR_IRQ;
		if (stack_faults) {
			b->exit_int_info = EVENT_VALID | (as_qemu ? INJECT_EXCEPTION : INJECT_EXTERNAL) << EVENT_TYPE_SHIFT |
					   b->vintr >> VINTR_VECTOR_SHIFT;
			return leave(SVM_NPF);
		}
		taken = (u8)(b->vintr >> VINTR_VECTOR_SHIFT);
	}
	if (exception_faults) {
		b->exit_int_info = EVENT_VALID | INJECT_EXCEPTION << EVENT_TYPE_SHIFT | 6;
		return leave(SVM_NPF);
	}
	b->interrupt_state = 0;
	b->v_tpr = 3;
	leave(SVM_CPUID);
}

static u64 run(void)
{
	assert_int_equal(svm_run(&vcpu, &page, &last), 0);
	assert_false(vmcb.vintr & VINTR_IRQ); /* a wish, or what was injected, is one run's */
	return last.code;
}

static int start(void **state)
{
	memset(&vmcb, 0, sizeof(vmcb));
	memset(&page, 0, sizeof(page));
	memset(&last, 0, sizeof(last));
	cpu.generation = 1;
	svm_features.tcg = true;
	vcpu = (struct virt_vcpu){ .vmcb = &vmcb, .cpu = &cpu };
	page.rflags = RFLAGS_FIXED | RFLAGS_IF;
	host_interrupt = stack_faults = as_qemu = exception_faults = false;
	renewed = 0;
	return 0;
}

static const struct virt_event timer = { .valid = true, .type = INJECT_EXTERNAL, .vector = TIMER };

static void test_an_interrupt_is_taken_once(void **state)
{
	assert_true(svm_can_interrupt(&vcpu, &page));
	svm_inject(&vcpu, &timer);
	assert_false(svm_can_interrupt(&vcpu, &page));
	assert_false(svm_window(&vcpu, &page, WINDOW_NONE, false));
	assert_int_equal(run(), SVM_CPUID);
	assert_int_equal(taken, TIMER);
	assert_false(last.interrupted.valid);
	assert_int_equal(run(), SVM_CPUID);
	assert_int_equal(taken, 0);
	assert_int_equal(renewed, 1);
}

/* The same elsewhere: by EVENTINJ, with a window for the next one behind it. */
static void test_an_interrupt_by_eventinj(void **state)
{
	svm_features.tcg = false;
	svm_inject(&vcpu, &timer);
	assert_false(svm_can_interrupt(&vcpu, &page));
	assert_false(svm_window(&vcpu, &page, WINDOW_ANY, false));
	assert_int_equal(run(), SVM_VINTR);
	assert_int_equal(taken, TIMER);
	assert_false(last.interrupted.valid);
	assert_int_equal(run(), SVM_CPUID);
	assert_int_equal(taken, 0);
}

/* An interrupt of the host that comes first leaves it to the next entry. */
static void test_what_was_not_taken_comes_back(void **state)
{
	host_interrupt = true;
	svm_inject(&vcpu, &timer);
	assert_int_equal(run(), SVM_INTR);
	assert_int_equal(last.reason, REASON_INTERRUPT);
	assert_true(last.interrupted.valid);
	assert_int_equal(last.interrupted.type, INJECT_EXTERNAL);
	assert_int_equal(last.interrupted.vector, TIMER);
	last.interrupted.valid = false;
	host_interrupt = false;
	svm_inject(&vcpu, &timer);
	run();
	assert_int_equal(taken, TIMER);
}

/* A delivery that an exit cut short is told once: it counts as taken. */
static void test_a_delivery_that_faults(void **state)
{
	stack_faults = true;
	for (u32 i = 0; i < 2; i++) {
		as_qemu = i;
		last.interrupted.valid = false;
		svm_inject(&vcpu, &timer);
		assert_int_equal(run(), SVM_NPF);
		assert_true(last.interrupted.valid);
		assert_int_equal(last.interrupted.type, INJECT_EXTERNAL);
		assert_int_equal(last.interrupted.vector, TIMER);
	}
}

/* While a window is waited for, the delivery of an exception is cut short. */
static void test_an_exception_s_delivery_that_faults(void **state)
{
	page.rflags &= ~(u64)RFLAGS_IF;
	svm_window(&vcpu, &page, WINDOW_ANY, false);
	exception_faults = true;
	run();
	assert_true(last.interrupted.valid);
	assert_int_equal(last.interrupted.type, INJECT_EXCEPTION);
	assert_int_equal(last.interrupted.vector, 6);
}

static void test_a_cancelled_event_comes_back(void **state)
{
	struct virt_event nmi = { .valid = true, .type = INJECT_NMI, .vector = 2 }, back = { 0 };

	svm_inject(&vcpu, &timer);
	svm_cancel(&vcpu, &back);
	assert_true(back.valid);
	assert_int_equal(back.vector, TIMER);
	run();
	assert_int_equal(taken, 0);
	svm_inject(&vcpu, &nmi);
	svm_cancel(&vcpu, &back);
	assert_int_equal(back.type, INJECT_NMI);
	run();
	assert_int_equal(taken, 0);
	back.valid = false;
	svm_window(&vcpu, &page, WINDOW_ANY, false);
	svm_cancel(&vcpu, &back);
	assert_false(back.valid); /* a window is no event */
}

static void test_a_window_is_one_run_s(void **state)
{
	assert_false(svm_window(&vcpu, &page, WINDOW_ANY, false));
	assert_int_equal(run(), SVM_VINTR);
	assert_int_equal(last.reason, REASON_WINDOW);
	assert_false(last.interrupted.valid);
	assert_int_equal(run(), SVM_CPUID);
	page.rflags &= ~(u64)RFLAGS_IF;
	svm_window(&vcpu, &page, WINDOW_ANY, false);
	assert_int_equal(run(), SVM_CPUID); /* it stayed shut */
	page.rflags |= RFLAGS_IF;
	assert_int_equal(run(), SVM_CPUID);
}

/* While one is injected there is no window: the guest is to be left soon. */
static void test_no_window_while_one_is_injected(void **state)
{
	svm_inject(&vcpu, &timer);
	assert_true(svm_window(&vcpu, &page, WINDOW_ANY, false));
	run();
	assert_int_equal(taken, TIMER);
}

/* After a window that was waited for, the interrupt itself is not intercepted. */
static void test_injection_after_a_window(void **state)
{
	svm_window(&vcpu, &page, WINDOW_ANY, false);
	assert_int_equal(run(), SVM_VINTR);
	svm_inject(&vcpu, &timer);
	assert_int_equal(run(), SVM_CPUID);
	assert_int_equal(taken, TIMER);
}

static void test_exceptions_and_nmis_are_injected(void **state)
{
	struct virt_event fault = { .valid = true, .type = INJECT_EXCEPTION, .vector = 14, .has_error = true, .error = 7 };
	struct virt_event nmi = { .valid = true, .type = INJECT_NMI, .vector = 2 };

	page.rflags &= ~(u64)RFLAGS_IF;
	svm_inject(&vcpu, &fault);
	assert_int_equal(vmcb.event_inject & UINT32_MAX, EVENT_VALID | EVENT_HAS_ERROR | INJECT_EXCEPTION << 8 | 14);
	assert_int_equal(vmcb.event_inject >> 32, 7);
	run();
	assert_int_equal(taken, 14);
	assert_true(svm_can_nmi(&vcpu, &page));
	svm_inject(&vcpu, &nmi);
	run();
	assert_int_equal(taken, 2);
	assert_false(svm_can_nmi(&vcpu, &page)); /* until its IRET */
}

/* STI's shadow is the next instruction's: gone when that was completed in software. */
static void test_shadow_goes_with_the_instruction(void **state)
{
	page.rip = vmcb.rip = 0x1000;
	vmcb.interrupt_state = INTERRUPT_SHADOW;
	assert_false(svm_can_interrupt(&vcpu, &page));
	assert_true(svm_window(&vcpu, &page, WINDOW_ANY, false));
	page.rip++;
	assert_true(svm_can_interrupt(&vcpu, &page));
	svm_inject(&vcpu, &timer);
	run();
	assert_int_equal(taken, TIMER);
}

static void test_registers_and_cr8(void **state)
{
	page.gpr[GPR_RAX] = 5;
	page.gpr[GPR_RSP] = 6;
	page.rip = 0x77;
	run();
	assert_int_equal(vmcb.rax, 5);
	assert_int_equal(vmcb.rsp, 6);
	assert_int_equal(vmcb.rip, 0x77);
	assert_int_equal(last.cr8, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_interrupt_is_taken_once, start),
		cmocka_unit_test_setup(test_an_interrupt_by_eventinj, start),
		cmocka_unit_test_setup(test_what_was_not_taken_comes_back, start),
		cmocka_unit_test_setup(test_a_delivery_that_faults, start),
		cmocka_unit_test_setup(test_an_exception_s_delivery_that_faults, start),
		cmocka_unit_test_setup(test_a_cancelled_event_comes_back, start),
		cmocka_unit_test_setup(test_a_window_is_one_run_s, start),
		cmocka_unit_test_setup(test_no_window_while_one_is_injected, start),
		cmocka_unit_test_setup(test_injection_after_a_window, start),
		cmocka_unit_test_setup(test_exceptions_and_nmis_are_injected, start),
		cmocka_unit_test_setup(test_shadow_goes_with_the_instruction, start),
		cmocka_unit_test_setup(test_registers_and_cr8, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
