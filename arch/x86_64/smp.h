/* Starting the other CPUs. */
#ifndef ARCH_X86_64_SMP_H
#define ARCH_X86_64_SMP_H

#include "arch/x86_64/tsc_sync.h"
#include "kernel/lib/types.h"

#define SMP_INIT_DELAY_US 200 /* from INIT to start-up; the manual's 10 ms are for the APIC of the 486 */

/* Starts the CPU and waits until it runs entry(argument) on stack_top (16-byte aligned), with this CPU's CR0,
 * CR4, EFER (less SVME) and PAT, tables at cr3, interrupts off, no IDT, and a GDT that lies in the trampoline
 * page.  One at a time, by the boot CPU only.
 *
 * trampoline: a free page below 1 MiB, mapped writable here, and in cr3 at its own address and executable:
 * the instruction that turns paging on is there.  cr3 must be below 4 GiB, as 32-bit code loads it.
 * Before entry its TSC is set to this CPU's.
 * ERR_INVAL for addresses that do not fit; ERR_TIMEOUT when the CPU has not arrived in timeout_us; ERR_UNSUPPORTED when
 * its TSC cannot be set right, by sync: in both cases it has been reset and will not touch stack_top any more. */
int smp_start(u32 apic_id, u64 trampoline, hpa_t cr3, void *stack_top, void (*entry)(void *), void *argument,
	      u64 timeout_us, struct tsc_sync *sync) must_check;

#endif
