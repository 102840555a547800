/* Hyper-V's CPUID leaves, TLFS §2.4: what is offered here is all that hyperv_*.c have. */
#include "kernel/hyperv.h"

#include "kernel/vcpu.h"

#define MAX_LEAF (HYPERV_LEAF + 0xa)
#define B(n) (1u << (n))

/* reference counter, SynIC, synthetic timers, APIC MSRs, hypercall MSRs, VP index, reset, reference TSC, frequencies */
#define PRIVILEGES (B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(7) | B(9) | B(11))
/* frequency MSRs, crash MSRs, direct mode of the synthetic timers */
#define FEATURES (B(8) | B(10) | B(19))
/* TLB flushes by hypercall, APIC by MSR, relaxed timing, no AutoEOI, IPIs by hypercall, sparse sets of processors */
#define HINTS (B(2) | B(3) | B(5) | B(9) | B(10) | B(11))
#define SPINS 4095 /* before HvCallNotifyLongSpinWait */
/* second-level address translation */
#define HARDWARE B(3)

struct cpuid hyperv_cpuid(const struct vcpu *v, u32 leaf)
{
	switch (leaf - HYPERV_LEAF) {
	case 0:
		return (struct cpuid){ MAX_LEAF, 0x7263694d, 0x666f736f, 0x76482074 }; /* "Microsoft Hv" */
	case 1:
		return (struct cpuid){ .eax = 0x31237648 }; /* "Hv#1" */
	case 2: /* version: Windows looks for none older than 6.0; build, major and minor */
		return (struct cpuid){ .eax = 1, .ebx = 10 << 16 };
	case 3:
		return (struct cpuid){ .eax = PRIVILEGES, .edx = FEATURES };
	case 4:
		return (struct cpuid){ .eax = HINTS, .ebx = SPINS };
	case 5:
		return (struct cpuid){ .eax = VCPU_MAX, .ebx = VCPU_MAX };
	case 6:
		return (struct cpuid){ .eax = HARDWARE };
	default:
		return (struct cpuid){ 0 };
	}
}
