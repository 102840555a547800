/* Faults of processors that a guest could use against the host. */
#ifndef ARCH_X86_64_ERRATUM_H
#define ARCH_X86_64_ERRATUM_H

#include "arch/x86_64/registers.h"

/* Can a guest stop the machine by changing the size of its pages where the host maps code by large ones (Intel's
 * "machine check error on page size change", CVE-2018-12207)?  leaf and read: CPUID and RDMSR. */
bool erratum_page_size_change(struct cpuid (*leaf)(u32 leaf, u32 subleaf), u64 (*read)(u32 msr));

#endif
