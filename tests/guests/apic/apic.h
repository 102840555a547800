/* The parts of the interrupt and timer test. */
#ifndef GUESTS_APIC_APIC_H
#define GUESTS_APIC_APIC_H

#include "tests/guests/lib/guest.h"

#define VECTOR(n) (0x40 + (n))

/* How often each of the vectors 40h to 4fh came, and in which order the last ones did. */
extern volatile u32 counts[16];
extern volatile u8 order[16];
extern volatile u32 order_count;

void vectors_install(void); /* handlers that count, and EOI by the local APIC */
void vectors_clear(void);
void send_self(u32 vector); /* local.c: an IPI to this processor */

void test_local(const char *mode);      /* local.c: registers, self IPI, priorities, NMI */
void test_moved(void);                  /* local.c: its registers elsewhere */
void test_timer(const char *mode);      /* timer.c */
void test_processors(const char *mode, u32 count); /* smp.c */
void test_hotplug(u32 count);           /* hotplug.c */
void test_ioapic(void);                 /* ioapic.c: PIT and level-triggered lines */
void test_pic(void);                    /* pic.c: PIC mode */
void test_clocks(void);                 /* clocks.c: HPET, RTC, PM timer, TSC */

/* A name for a verdict that comes once for each APIC mode. */
const char *named(const char *mode, const char *what);

#endif
