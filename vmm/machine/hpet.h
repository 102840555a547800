/* The HPET (IA-PC HPET 1.0a): a 100 MHz counter and three timers with legacy, I/O APIC and MSI routes. */
#ifndef VMM_MACHINE_HPET_H
#define VMM_MACHINE_HPET_H

#include "kernel/lib/types.h"
#include "vmm/machine/backlog.h"

struct machine;

#define HPET_TIMERS 3
#define HPET_LEN 1024
#define HPET_TICK_NS 10
#define HPET_ID 0x8086a201u /* capabilities' low half, as ACPI's HPET table repeats it */

struct hpet_timer {
	u64 config;     /* without the constant bits */
	u64 comparator; /* the next match */
	u64 period;     /* periodic: ticks, 0: none was written */
	u64 message;    /* FSB route: data, address << 32 */
	u64 seen;       /* counter up to which matches were looked for */
	struct backlog backlog;
};

struct hpet {
	struct hpet_timer timer[HPET_TIMERS];
	u64 config;
	u64 status;
	u64 base; /* the counter when halted; counter - machine time / HPET_TICK_NS when it runs */
};

void hpet_attach(struct machine *m);
void hpet_reset(struct machine *m);
u64 hpet_deadline(const struct machine *m);
void hpet_tick(struct machine *m, u64 now);

/* True while timers 0 and 1 have taken IRQ 0 and IRQ 8 from the PIT and the RTC. */
static inline bool hpet_legacy(const struct hpet *h)
{
	return (h->config & 3) == 3; /* ENABLE_CNF, LEG_RT_CNF */
}

#endif
