/* The emulator on a real vCPU: linear memory by way of the kernel's page walk, RAM by system calls,
 * everything else to the machine's bus or the vCPU's local APIC.
 * Lock: one of these for each vCPU thread, used by it alone; the bus callbacks take what they need. */
#ifndef VMM_LIB_EMULATE_MEMORY_H
#define VMM_LIB_EMULATE_MEMORY_H

#include "vmm/lib/emulate.h"

/* The machine, as instructions see it.  Device memory is accessed in naturally aligned 1, 2, 4 or 8 bytes. */
struct emulate_bus {
	u32 (*port_in)(void *machine, u16 port, u32 size);
	void (*port_out)(void *machine, u16 port, u32 size, u32 value);
	u64 (*mmio_read)(void *machine, u64 gpa, u32 size);
	void (*mmio_write)(void *machine, u64 gpa, u32 size, u64 value);
};

#define EMULATE_TRANSLATIONS 4
#define EMULATE_KEPT 8 /* a power of two */

struct emulate_memory {
	u32 vcpu;
	struct vcpu_page *page;
	const struct emulate_bus *bus;
	void *machine;
	struct emulate emulate[EMULATE_KEPT]; /* by RIP: what was decoded last is kept */
	/* of the instruction that is being executed */
	bool have_state;
	u32 translation_count;
	struct {
		u64 linear, gpa; /* of the page */
		u32 access;      /* enum access_bits that were asked for */
	} translations[EMULATE_TRANSLATIONS];
	struct vcpu_state state;
};

void emulate_memory_init(struct emulate_memory *m, u32 vcpu, struct vcpu_page *page,
			 const struct emulate_bus *bus, void *machine);

/* Completes the instruction of the vCPU's EXIT_MMIO or string EXIT_IO: emulate_run's results. */
int emulate_memory_run(struct emulate_memory *m) must_check;

#endif
