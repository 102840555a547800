/* A vCPU on a host CPU: the step that runs it, and its comings and goings. */
#ifndef KERNEL_VCPU_RUN_H
#define KERNEL_VCPU_RUN_H

#include "kernel/host_cpu.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

/* The step of a thread in SYS_VCPU_RUN: enters the guest once and handles its exit. */
enum step vcpu_step(struct thread *t);

/* t leaves this CPU (ready: it could go on) or comes to one: its vCPU leaves the processor with it, and the time
 * between, asleep or behind others, is no exit's cost. */
void vcpu_off_cpu(struct host_cpu *cpu, struct thread *t, bool ready);
void vcpu_on_cpu(struct thread *t);

/* t will not run its vCPU any more. */
void vcpu_detach(struct thread *t);

/* SYS_VCPU_RUN's other half: back to ring 3 with the exit in the vCPU's page.  Its answer ends vcpu_step. */
#define VCPU_RING3 ((enum step)-2)
enum step vcpu_return(struct thread *t, s64 result);

#endif
