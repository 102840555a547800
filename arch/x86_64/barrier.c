/* Barriers between guests (SDM 3A §2.5 and Intel's guidance on L1TF and MDS; AMD's indirect branch control extension).
 * Written once, before other processors run. */
#include "arch/x86_64/barrier.h"

#include "arch/x86_64/cpu.h"
#include "kernel/lib/string.h"

#define VENDOR_INTEL 0x756e6547u /* "Genu" */
#define SEVEN_MD_CLEAR BIT(10)
#define SEVEN_IBRS_IBPB BIT(26)
#define SEVEN_L1D_FLUSH BIT(28)
#define SEVEN_ARCH_CAPABILITIES BIT(29)
#define AMD_IBPB BIT(12)
#define RDCL_NO BIT(0)       /* IA32_ARCH_CAPABILITIES: nor L1TF */
#define SKIP_L1DFL BIT(3)    /* a hypervisor beneath us does it */
#define PRED_IBPB 1
#define FLUSH_L1D 1

static u32 used;
static char names[32];

u32 barrier_needed(struct cpuid (*leaf)(u32 leaf, u32 subleaf), u64 (*read)(u32 msr))
{
	bool intel = leaf(0, 0).ebx == VENDOR_INTEL;
	u32 seven = leaf(0, 0).eax >= 7 ? leaf(7, 0).edx : 0, needed = 0;
	u64 capabilities = seven & SEVEN_ARCH_CAPABILITIES ? read(MSR_ARCH_CAPABILITIES) : 0;

	if (seven & SEVEN_IBRS_IBPB || (leaf(0x80000000, 0).eax >= 0x80000008 && leaf(0x80000008, 0).ebx & AMD_IBPB))
		needed |= BARRIER_IBPB;
	if (intel && seven & SEVEN_L1D_FLUSH && !(capabilities & (RDCL_NO | SKIP_L1DFL)))
		needed |= BARRIER_L1D;
	if (intel && seven & SEVEN_MD_CLEAR) /* a part that says so pays for it, whichever of the faults it has */
		needed |= BARRIER_BUFFERS;
	return needed;
}

static void name(enum barrier which, const char *text)
{
	size_t at = strlen(names);

	if (used & which)
		str_copy(names + at, sizeof(names) - at, at ? text : text + 1);
}

void barrier_init(bool wanted)
{
	used = wanted ? barrier_needed(cpuid, rdmsr) : 0;
	name(BARRIER_IBPB, " ibpb");
	name(BARRIER_L1D, " l1d-flush");
	name(BARRIER_BUFFERS, " verw");
	if (!names[0])
		str_copy(names, sizeof(names), wanted ? "none" : "off");
}

bool barrier_between_threads(void)
{
	return used & (BARRIER_L1D | BARRIER_BUFFERS);
}

const char *barrier_names(void)
{
	return names;
}

void barrier_pass(void)
{
	static const u16 selector = SELECTOR_KERNEL_DATA;

	if (used & BARRIER_IBPB)
		wrmsr(MSR_PRED_CMD, PRED_IBPB);
	if (used & BARRIER_L1D)
		wrmsr(MSR_FLUSH_CMD, FLUSH_L1D);
	if (used & BARRIER_BUFFERS) /* the form with an operand in memory is the one that clears them */
		__asm__ volatile("verw %0" : : "m"(selector) : "cc");
}
