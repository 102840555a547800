/* The VMX instructions.  CF or ZF after one of them says that it failed (SDM 3C §31.2): UD2 makes that a
 * panic with a backtrace. */
#include "arch/x86_64/vmx/vmcs.h"

u64 vmcs_read(enum vmcs_field field)
{
	u64 value;

	__asm__ volatile("vmread %1, %0; ja 1f; ud2; 1:" : "=r"(value) : "r"((u64)field) : "cc", "memory");
	return value;
}

void vmcs_write(enum vmcs_field field, u64 value)
{
	__asm__ volatile("vmwrite %0, %1; ja 1f; ud2; 1:" : : "r"(value), "r"((u64)field) : "cc", "memory");
}

void vmcs_load(u64 address)
{
	__asm__ volatile("vmptrld %0; ja 1f; ud2; 1:" : : "m"(address) : "cc", "memory");
}

void vmcs_clear(u64 address)
{
	__asm__ volatile("vmclear %0; ja 1f; ud2; 1:" : : "m"(address) : "cc", "memory");
}

void vmcs_vmxon(u64 address)
{
	__asm__ volatile("vmxon %0; ja 1f; ud2; 1:" : : "m"(address) : "cc", "memory");
}

void vmcs_vmxoff(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
}

void vmcs_invept(u64 type, u64 eptp)
{
	struct { u64 eptp, reserved; } operand = { eptp, 0 };

	__asm__ volatile("invept %0, %1; ja 1f; ud2; 1:" : : "m"(operand), "r"(type) : "cc", "memory");
}
