/* What processor a guest sees: the host's, without what is not virtualised.  Built once at boot, because the
 * CPUID instruction is itself an exit when Quire runs under another hypervisor. */
#ifndef KERNEL_CPUID_H
#define KERNEL_CPUID_H

#include "arch/x86_64/registers.h"
#include "kernel/lib/types.h"

/* Reads the host's CPUID (host: the instruction, or a test's table).  Needs vcpu_tsc_hz.  xcr0: the
 * extended states that the back end switches; 0 hides XSAVE and all that needs it. */
void cpuid_init(struct cpuid (*host)(u32 leaf, u32 subleaf), u64 xcr0);

u32 cpuid_phys_bits(void);  /* of a guest-physical address */
bool cpuid_is_amd(void);    /* AMD's or Hygon's: has AMD's model-specific registers */
bool cpuid_has_tsc_aux(void); /* RDTSCP or RDPID */

/* ---- between cpuid_policy.c and cpuid.c ---- */

#define CPUID_BASIC 0x17     /* leaves kept: 0 to 16h */
#define CPUID_EXTENDED 0x22  /* 80000000h to 80000021h */
#define CPUID_CACHES 8

struct cpuid_policy {
	struct cpuid basic[CPUID_BASIC], extended[CPUID_EXTENDED];
	struct cpuid features1;                              /* leaf 7, subleaf 1 */
	struct cpuid cache[CPUID_CACHES], amd_cache[CPUID_CACHES]; /* leaves 4 and 8000001Dh */
	struct cpuid xsave[64];                              /* leaf Dh; [0], [1] without their sizes */
	u64 xcr0, cr4, efer;                                 /* bits that the guest may set */
	bool amd, intel;
};

extern struct cpuid_policy cpuid_policy; /* constant after cpuid_init */

/* Is it a basic leaf that every vCPU sees alike, whatever the subleaf?  Then it is cpuid_policy.basic[leaf]. */
static inline bool cpuid_is_plain(u32 leaf)
{
	const u64 patched = BIT(1) | BIT(4) | BIT(7) | BIT(0xb) | BIT(0xd);

	return leaf < CPUID_BASIC && !(patched >> leaf & 1);
}

#endif
