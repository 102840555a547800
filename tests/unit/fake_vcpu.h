/* What the kernel is to lapic.c, cpuid.c and msr.c, for host tests: a guest whose time, memory and back end
 * are plain variables. */
#ifndef TESTS_UNIT_FAKE_VCPU_H
#define TESTS_UNIT_FAKE_VCPU_H

#include "kernel/vcpu.h"

#define FAKE_MEMORY 8192
#define FAKE_MSRS 32

struct guest {
	u32 count;
	u64 absent;              /* those that are not plugged in */
	struct vcpu vcpus[VCPU_MAX];
	u64 armed[VCPU_MAX];     /* host TSC of each vCPU's timer */
	u64 synthetic[VCPU_MAX]; /* and of its Hyper-V timers */
	struct hyperv_guest hyperv;
	u32 stopped;             /* guest_stop's reason */
	u64 cr4, xcr0;           /* of every vCPU */
	u8 memory[FAKE_MEMORY];  /* at gpa 0 */
	bool short_of_memory;    /* guest_phys_swap32 cannot be done now */
	u32 lapic_left;          /* calls of guest_lapic_left */
	u32 writes;              /* to memory */
	u8 first_write[64][64];  /* and the first bytes of each */
};

extern struct guest fake_guest;
extern u64 fake_tsc;     /* the host's */
extern u64 fake_hz;
extern u64 fake_clock_ns; /* clock at host TSC 0 */
extern struct vcpu_state fake_state;
extern bool fake_holds_tsc_aux;
extern u8 fake_cr8; /* what the back end was told last */
extern struct virt_code fake_code; /* where every vCPU is */

/* A guest of count vCPUs, all freshly powered on; time begins at host TSC 1,000,000 and 2 GHz. */
void fake_start(u32 count);

/* The same for the back end's MSRs; ERR_NOENT if nobody set it. */
int fake_msr(u32 msr, u64 *value);

#endif
