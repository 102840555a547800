/* The list of processors from EFI_MP_SERVICES_PROTOCOL (PI 1.7 volume 2 §13.4), for firmware without ACPI. */
#ifndef BOOT_MP_SERVICES_H
#define BOOT_MP_SERVICES_H

#include "kernel/boot_info.h"

/* Adds the enabled processors to info->cpus, whose first is there already. */
void mp_services_read_cpus(struct boot_info *info);

#endif
