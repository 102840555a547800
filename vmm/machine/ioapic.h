/* The I/O APIC (82093AA with the EOI register of version 20h): 24 pins that become MSI messages. */
#ifndef VMM_MACHINE_IOAPIC_H
#define VMM_MACHINE_IOAPIC_H

#include "kernel/lib/types.h"

struct machine;

#define IOAPIC_PINS 24

struct ioapic {
	u64 entry[IOAPIC_PINS]; /* redirection entries as the guest reads them */
	u32 lines;              /* the pins that are asserted now */
	u32 index;              /* register that the window shows */
	u32 id;                 /* bits 24-27 */
};

void ioapic_attach(struct machine *m);
void ioapic_reset(struct machine *m);

/* Pin is asserted or not: the line's meaning, not its voltage. */
void ioapic_set(struct machine *m, u32 pin, bool asserted);

/* EXIT_EOI: a local APIC ended the level-triggered vector. */
void ioapic_eoi(struct machine *m, u8 vector);

#endif
