/* The processor and the memory, before the firmware is left: afterwards nobody could tell the operator.
 * An MSR is read only when CPUID says that it exists. */
#include "boot/check.h"

#include "arch/x86_64/registers.h"
#include "boot/console.h"
#include "boot/ranges.h"

#define MEMORY_MIN (64 * MIB)
#define CPUID_EXTENDED 0x80000001u
#define CPUID_SVM 0x8000000au
#define ECX_VMX BIT(5)        /* leaf 1 */
#define ECX_SVM BIT(2)        /* extended leaf */
#define EDX_NX BIT(20)
#define EDX_LONG_MODE BIT(29)
#define EDX_NPT BIT(0)        /* SVM leaf, APM 3 E.4.9 */
#define VM_CR_SVMDIS BIT(4)   /* APM 2 §15.30.1 */
#define PRIMARY_SECONDARY BIT(31) /* SDM 3C §25.6.2 */
#define SECONDARY_EPT BIT(1)
#define SECONDARY_UNRESTRICTED BIT(7)

static bool missing(const char *what)
{
	console_print("Quire: cannot run: %s\n", what);
	return false;
}

/* A control's capability says in its upper half which bits may be 1 (SDM 3D A.3). */
static bool may_set(u32 msr, u64 bit)
{
	return rdmsr(msr) >> 32 & bit;
}

/* The back end's probe looks at every control; here is what an operator can be told to change. */
static bool check_vmx(void)
{
	u64 control = rdmsr(MSR_FEATURE_CONTROL);

	if (control & FEATURE_CONTROL_LOCKED && !(control & FEATURE_CONTROL_VMX))
		return missing("VMX is switched off: turn on \"Intel Virtualization Technology\" in the "
			       "firmware setup");
	if (!may_set(MSR_VMX_PRIMARY, PRIMARY_SECONDARY) || !may_set(MSR_VMX_SECONDARY, SECONDARY_EPT))
		return missing("the processor's VMX has no extended page tables (EPT, in Intel processors "
			       "since 2008); if it should, turn them on in the hypervisor below");
	if (!may_set(MSR_VMX_SECONDARY, SECONDARY_UNRESTRICTED))
		return missing("the processor's VMX has no unrestricted guests (in Intel processors since "
			       "2010)");
	return true;
}

static bool check_svm(u32 max_extended)
{
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) /* only the firmware can clear it: APM 2 §15.4 */
		return missing("SVM is switched off: turn on \"SVM Mode\" (or \"AMD-V\", \"Virtualization\") "
			       "in the firmware setup, under CPU or Advanced");
	if (max_extended < CPUID_SVM || !(cpuid(CPUID_SVM, 0).edx & EDX_NPT))
		return missing("the processor has no nested paging (NPT, in AMD processors since 2007); if "
			       "it should, turn on \"Nested Paging\" in the firmware setup");
	return true;
}

static bool check_virtualisation(u32 max_extended)
{
	if (max_extended >= CPUID_EXTENDED && cpuid(CPUID_EXTENDED, 0).ecx & ECX_SVM)
		return check_svm(max_extended);
	if (cpuid(1, 0).ecx & ECX_VMX)
		return check_vmx();
	return missing("the processor has neither SVM (AMD-V) nor VMX (Intel VT-x); if it should, turn on \"SVM "
		       "Mode\" or \"Intel Virtualization Technology\" in the firmware setup, or nested "
		       "virtualisation in the hypervisor below");
}

bool check_machine(const struct boot_info *info)
{
	u32 max_extended = cpuid(0x80000000u, 0).eax;
	u64 memory = ranges_total(info, BOOT_RANGE_FREE) + ranges_total(info, BOOT_RANGE_FIRMWARE);
	u32 edx = max_extended >= CPUID_EXTENDED ? cpuid(CPUID_EXTENDED, 0).edx : 0;
	bool ok = check_virtualisation(max_extended);

	if (!(edx & EDX_LONG_MODE))
		ok = missing("the processor has no 64-bit long mode");
	if (!(edx & EDX_NX))
		ok = missing("NX is off: turn on \"No-Execute Memory Protection\" (\"Execute Disable Bit\") "
			     "in the firmware setup");
	if (memory < MEMORY_MIN) {
		console_print("Quire: cannot run: %llu MiB of memory are free, 64 MiB are needed\n",
			      memory / MIB);
		ok = false;
	}
	return ok;
}
