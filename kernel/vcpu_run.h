/* A vCPU on a host CPU: the step that runs it, and its comings and goings. */
#ifndef KERNEL_VCPU_RUN_H
#define KERNEL_VCPU_RUN_H

#include "kernel/host_cpu.h"
#include "kernel/process.h"
#include "kernel/vcpu.h"

/* The step of a thread in SYS_VCPU_RUN: enters the guest once and handles its exit. */
enum step vcpu_step(struct thread *t);

/* Takes the vCPU that is loaded on this CPU out of the processor, if there is one. */
void vcpu_unload(struct host_cpu *cpu);

/* t will not run its vCPU any more. */
void vcpu_detach(struct thread *t);

/* SYS_VCPU_RUN's other half: back to ring 3 with the exit in the vCPU's page. */
enum step vcpu_return(struct thread *t, s64 result);

#endif
