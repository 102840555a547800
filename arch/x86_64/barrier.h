/* What the processor forgets when it goes from one guest to another, so that the next one cannot find out by timing
 * what the last one did: branch predictions (IBPB), the L1 data cache, the buffers of loads and stores (VERW).  Each
 * where the processor has it and, for Intel's, is not said to be free of the fault that it is for. */
#ifndef ARCH_X86_64_BARRIER_H
#define ARCH_X86_64_BARRIER_H

#include "arch/x86_64/registers.h"

enum barrier { BARRIER_IBPB = 1 << 0, BARRIER_L1D = 1 << 1, BARRIER_BUFFERS = 1 << 2 };

/* Of a processor that answers so. */
u32 barrier_needed(struct cpuid (*leaf)(u32 leaf, u32 subleaf), u64 (*read)(u32 msr));

/* Once at boot. */
void barrier_init(bool wanted);

/* Are there some for what a core's hardware threads share, so that one could see what another does meanwhile? */
bool barrier_between_threads(void);

/* Their names, " "-separated; "none" or "off". */
const char *barrier_names(void);

/* On the way into a guest whose predecessor on this processor was another. */
void barrier_pass(void);

#endif
