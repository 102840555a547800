/* Plugging vCPUs in and out: which are there, and what the guest is asked and answers.
 *
 * Byte-wide ports from CPU_HOTPLUG_BASE; ssdt.asl is their driver.
 *   0  SELECT   the vCPU that STATUS and ANSWER are about
 *   1  STATUS   read: 1 present, 2 it came and the guest was not told, 4 it should go and the guest was not told
 *               write: 2 and 4 the guest was told, 8 eject it
 *   2  EVENT    read: the first vCPU of which the guest was not told something, FFh: none
 *   3  ANSWER   write: _OST's status after a request to eject
 * What is no vCPU has STATUS 0 and takes no writes. */
#ifndef VMM_MACHINE_CPU_HOTPLUG_H
#define VMM_MACHINE_CPU_HOTPLUG_H

#include "kernel/lib/types.h"

struct machine;

#define CPU_HOTPLUG_LEN 4

struct cpu_hotplug {
	u64 present;   /* bits for vCPUs, as the kernel knows them */
	u64 came;      /* of those, the guest was not told yet */
	u64 should_go; /* the same */
	u8 selected;
};

void cpu_hotplug_attach(struct machine *m);
void cpu_hotplug_reset(struct machine *m);

/* The operator asks: what is there beyond what the guest should have is asked to go, what lacks is plugged in. */
void cpu_hotplug_ask(struct machine *m);

#endif
