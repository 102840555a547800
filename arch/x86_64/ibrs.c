/* Enhanced IBRS (Intel, "Speculative Execution Side Channel Mitigations"; IA32_ARCH_CAPABILITIES, SDM 4 table 2-2): the
 * bit stays set in guests too, who have no access to the register.  Automatic IBRS (APM 2 §3.2.9 and §3.1.7): host's
 * EFER alone, which #VMEXIT brings back.  Written once, before other processors run. */
#include "arch/x86_64/ibrs.h"

#include "arch/x86_64/registers.h"

#define VENDOR_INTEL 0x756e6547u    /* "Genu" */
#define SEVEN_IBRS_IBPB BIT(26)
#define SEVEN_ARCH_CAPABILITIES BIT(29)
#define IBRS_ALL BIT(1)             /* IA32_ARCH_CAPABILITIES */
#define SPEC_CTRL_IBRS BIT(0)
#define LEAF_EXTENDED_FEATURES_2 0x80000021u
#define AUTOMATIC_IBRS BIT(8)       /* its EAX */
#define EFER_AIBRSE BIT(21)

static bool is_wanted;
static enum ibrs used;

enum ibrs ibrs_offered(struct cpuid (*leaf)(u32 leaf, u32 subleaf), u64 (*read)(u32 msr))
{
	u32 seven = leaf(0, 0).eax >= 7 ? leaf(7, 0).edx : 0;

	if (leaf(0, 0).ebx == VENDOR_INTEL && seven & SEVEN_IBRS_IBPB && seven & SEVEN_ARCH_CAPABILITIES &&
	    read(MSR_ARCH_CAPABILITIES) & IBRS_ALL)
		return IBRS_ENHANCED;
	if (leaf(0x80000000, 0).eax >= LEAF_EXTENDED_FEATURES_2 &&
	    leaf(LEAF_EXTENDED_FEATURES_2, 0).eax & AUTOMATIC_IBRS)
		return IBRS_AUTOMATIC;
	return IBRS_NONE;
}

void ibrs_init(bool wanted)
{
	is_wanted = wanted;
	used = wanted ? ibrs_offered(cpuid, rdmsr) : IBRS_NONE;
}

void ibrs_enable(void)
{
	if (used == IBRS_ENHANCED)
		wrmsr(MSR_SPEC_CTRL, rdmsr(MSR_SPEC_CTRL) | SPEC_CTRL_IBRS);
	if (used == IBRS_AUTOMATIC)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AIBRSE);
}

const char *ibrs_name(void)
{
	static const char *const names[] = { "none", "enhanced-ibrs", "automatic-ibrs" };

	return is_wanted ? names[used] : "off";
}
