/* The host's power: off and reset. */
#ifndef DRIVERS_POWER_H
#define DRIVERS_POWER_H

#include "kernel/boot_info.h"

void power_init(const struct boot_info *info);

/* Both send out what the UART still has, then try each way in turn: ACPI's, the firmware's (if
 * options.runtime_services, with its runtime regions mapped writable and executable), the PC's.
 * Power off halts with a message if none of them works. */
_Noreturn void power_off(void);
_Noreturn void power_reboot(void);

/* The same in a panic, and without the firmware, which might be what is broken. */
void power_panic_reboot(void);

#endif
