/* The host's local APIC, in xAPIC or x2APIC mode: interrupts between CPUs and each CPU's timer.
 *
 * The mode is chosen once, on the boot CPU, and is the same on all.  In xAPIC mode the kernel must have
 * mapped the page at apic_address() uncached.  Everything here acts on the CPU that calls it. */
#ifndef ARCH_X86_64_APIC_H
#define ARCH_X86_64_APIC_H

#include "kernel/lib/types.h"

/* Every interrupt vector of the host. */
enum apic_vector {
	VECTOR_UART = 0x40,
	VECTOR_KICK = 0xe0,     /* look at your requests; needs no work but the EOI */
	VECTOR_TIMER = 0xf0,    /* the deadline of apic_timer_set passed */
	VECTOR_ERROR = 0xfe,    /* apic_error says what */
	VECTOR_SPURIOUS = 0xff, /* takes no EOI */
};

#define APIC_ID_ALL_BUT_SELF 0xfffffffeu /* for apic_send_nmi */
#define APIC_TIMER_OFF UINT64_MAX

struct apic_timer { /* one in each CPU's struct, set by apic_enable */
	u64 deadline; /* o: what the hardware is programmed for, APIC_TIMER_OFF: nothing */
};

/* Boot CPU, first: chooses the mode.  ERR_UNSUPPORTED without a local APIC. */
int apic_init(bool x2apic_wanted) must_check;

/* Where the xAPIC's page is (physical = virtual); 0 in x2APIC mode. */
u64 apic_address(void);

/* Each CPU: switches its local APIC on, with everything masked but the timer and the errors, and nothing
 * left in service from the firmware's days. */
void apic_enable(struct apic_timer *t);

u32 apic_id(void);
void apic_eoi(void);

/* Sends vector to one CPU; by the time it returns the other CPU will get it. */
void apic_send(u32 to, u8 vector);
void apic_send_nmi(u32 to);
void apic_send_init(u32 to);
void apic_send_startup(u32 to, u8 page); /* real-mode code at page * 4096 */

/* The error status register (SDM 3A §10.5.3), cleared by reading it. */
u32 apic_error(void);

/* One VECTOR_TIMER at about host TSC deadline, at once if that is past; APIC_TIMER_OFF: none.  Replaces the
 * former deadline and costs nothing when it is the same.  May come early when the deadline is further off
 * than the hardware counts, and once more after it was replaced: the handler looks at the clock. */
void apic_timer_set(struct apic_timer *t, u64 deadline);

/* For VECTOR_TIMER's handler, before it sets the next deadline. */
static inline void apic_timer_fired(struct apic_timer *t)
{
	t->deadline = APIC_TIMER_OFF;
}

/* For the calibration: the timer counts down from its maximum, silent; then its rate is told. */
void apic_timer_measure(void);
u32 apic_timer_count(void);
void apic_timer_rate(u64 timer_hz, u64 tsc_hz);

/* "xAPIC, one-shot timer" and so on. */
const char *apic_describe(void);

#endif
