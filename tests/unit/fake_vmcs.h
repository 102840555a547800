/* A VMCS as an array, and the ring-0 parts of the VMX back end that its pure files call. */
#ifndef TESTS_UNIT_FAKE_VMCS_H
#define TESTS_UNIT_FAKE_VMCS_H

#include "arch/x86_64/vmx/vmx.h"

extern u64 fake_vmcs[0x8000];
extern u64 fake_dr6;

/* An empty VMCS and the capabilities of an ordinary processor. */
void fake_vmcs_start(void);

/* A capability MSR of that processor. */
u64 fake_vmx_msr(u32 msr);

#endif
