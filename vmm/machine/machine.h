/* The PC: one struct that all state of the guest hangs off, and the rules of its devices.
 *
 * Lock: m->lock guards everything but the configuration.  It is waited for in the kernel (futex), and no
 * blocking call is made under it.
 * Time: machine_now() counts nanoseconds of the machine, from 0 at its power on; device state holds only such
 * times, so that it can be saved and continued elsewhere. */
#ifndef VMM_MACHINE_MACHINE_H
#define VMM_MACHINE_MACHINE_H

#include "kernel/abi.h"
#include "vmm/lib/mutex.h"
#include "vmm/machine/balloon.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/cpu_hotplug.h"
#include "vmm/machine/hpet.h"
#include "vmm/machine/i8042.h"
#include "vmm/machine/ioapic.h"
#include "vmm/machine/pci.h"
#include "vmm/machine/pic.h"
#include "vmm/machine/pit.h"
#include "vmm/machine/pm.h"
#include "vmm/machine/rtc.h"
#include "vmm/machine/settings.h"
#include "vmm/machine/uart.h"

#define NEVER UINT64_MAX

/* The PC's fixed places. */
#define IOAPIC_BASE 0xfec00000ull
#define HPET_BASE 0xfed00000ull
#define LAPIC_BASE 0xfee00000ull
#define ECAM_BASE 0xe0000000ull /* PCI configuration space, 256 MiB less: see acpi MCFG */
#define LOW_RAM_END 0xc0000000ull /* RAM above continues at 4 GiB */
#define PM_BASE 0x600 /* PM1 event 0x600, control 0x604, timer 0x608, GPE0 0x60c */
#define CPU_HOTPLUG_BASE 0x610
#define RESET_PORT 0xcf9
#define SCI_IRQ 9

struct machine {
	struct mutex lock;
	struct machine_info info;
	struct settings settings;      /* from info.definition */
	struct vcpu_page *vcpus;       /* info.vcpu_count of them */
	struct bus ports, memory;
	struct pci_wirings pci_wirings;
	u64 clock_base;                /* sys_clock() at machine time 0 */
	u64 next_deadline;             /* what the event thread sleeps until, machine time */

	/* What the guest can see, one plain struct a device (see device.h's table). */
	struct pic pic;
	struct ioapic ioapic;
	struct pit pit;
	struct rtc rtc;
	struct pm pm;
	struct uart uart;
	struct pci pci;
	struct hpet hpet;
	struct i8042 i8042;
	struct balloon balloon;
	struct cpu_hotplug cpu_hotplug;
};

u64 machine_now(const struct machine *m);

/* A device calls this when its next deadline may have become earlier; wakes the event thread if needed. */
void machine_reschedule(struct machine *m, u64 deadline);

/* Sets an interrupt line by GSI (ISA IRQs 0-15 go to PIC and IOAPIC; IRQ 0 is IOAPIC pin 2). */
void machine_irq(struct machine *m, u32 irq, bool level);

/* Ends the machine; does not return. */
_Noreturn void machine_stop(struct machine *m, enum stop_reason reason, const char *format, ...)
	printf_like(3, 4);

#endif
