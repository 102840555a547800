/* What processors say of their faults. */
#include "arch/x86_64/erratum.h"

#define VENDOR_INTEL 0x756e6547u /* "Genu" */
#define SEVEN_ARCH_CAPABILITIES BIT(29)
#define PSCHANGE_MC_NO BIT(6) /* IA32_ARCH_CAPABILITIES, SDM 4 table 2-2 */

bool erratum_page_size_change(struct cpuid (*leaf)(u32 leaf, u32 subleaf), u64 (*read)(u32 msr))
{
	u32 seven = leaf(0, 0).eax >= 7 ? leaf(7, 0).edx : 0;

	if (leaf(0, 0).ebx != VENDOR_INTEL)
		return false;
	return !(seven & SEVEN_ARCH_CAPABILITIES && read(MSR_ARCH_CAPABILITIES) & PSCHANGE_MC_NO);
}
