/* Ring 0's indirect branches: where the processor keeps by itself away from them what less trusted code taught its
 * predictors (Intel's enhanced IBRS, AMD's automatic IBRS) it is told to, once on each CPU. */
#ifndef ARCH_X86_64_IBRS_H
#define ARCH_X86_64_IBRS_H

#include "kernel/lib/types.h"

struct cpuid;

enum ibrs { IBRS_NONE, IBRS_ENHANCED, IBRS_AUTOMATIC };

/* Of a processor that answers so. */
enum ibrs ibrs_offered(struct cpuid (*leaf)(u32 leaf, u32 subleaf), u64 (*read)(u32 msr));

/* Once at boot, and on each CPU. */
void ibrs_init(bool wanted);
void ibrs_enable(void);

/* "enhanced-ibrs", "automatic-ibrs", "none" or "off". */
const char *ibrs_name(void);

#endif
