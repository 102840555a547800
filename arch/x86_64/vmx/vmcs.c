/* The VMX instructions that are executed seldom. */
#include "arch/x86_64/vmx/vmcs.h"

void vmcs_load(u64 address)
{
	__asm__ volatile("vmptrld %0" VMX_TRAP : : "m"(address) : "cc", "memory");
}

void vmcs_clear(u64 address)
{
	__asm__ volatile("vmclear %0" VMX_TRAP : : "m"(address) : "cc", "memory");
}

void vmcs_vmxon(u64 address)
{
	__asm__ volatile("vmxon %0" VMX_TRAP : : "m"(address) : "cc", "memory");
}

void vmcs_vmxoff(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
}

void vmcs_invept(u64 type, u64 eptp)
{
	struct { u64 eptp, reserved; } operand = { eptp, 0 };

	__asm__ volatile("invept %0, %1" VMX_TRAP : : "m"(operand), "r"(type) : "cc", "memory");
}
