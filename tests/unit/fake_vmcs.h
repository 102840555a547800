/* A VMCS as an array, and the ring-0 parts of the VMX back end that its pure files call. */
#ifndef TESTS_UNIT_FAKE_VMCS_H
#define TESTS_UNIT_FAKE_VMCS_H

#include "arch/x86_64/vmx/vmx.h"

extern u64 fake_vmcs[0x8000];
extern u64 fake_dr6;

/* A test in cmocka's list, with its setup: VMREAD and VMWRITE reach fake_vmcs in both (fake_vmcs_trap.c). */
struct fake_vmcs_test { int (*setup)(void **); void (*run)(void **); };
#define VMCS_TEST(name, setup) { #name, fake_vmcs_run, NULL, NULL, &(struct fake_vmcs_test){ setup, name } }
void fake_vmcs_run(void **state);
void fake_vmcs_trap(void);

/* An empty VMCS and the capabilities of an ordinary processor. */
void fake_vmcs_start(void);

/* A capability MSR of that processor. */
u64 fake_vmx_msr(u32 msr);

#endif
