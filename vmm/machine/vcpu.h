/* The threads of the vCPUs: run, answer an exit, run again. */
#ifndef VMM_MACHINE_VCPU_H
#define VMM_MACHINE_VCPU_H

struct machine;

/* Starts a thread for each vCPU; stops the guest if it cannot. */
void vcpu_start_all(struct machine *m);

#endif
