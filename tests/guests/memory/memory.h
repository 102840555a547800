/* The parts of the memory test. */
#ifndef GUESTS_MEMORY_MEMORY_H
#define GUESTS_MEMORY_MEMORY_H

#include "tests/guests/lib/guest.h"

void test_ram(void);       /* ram.c: untouched memory is zero, then patterns over all of it */
void test_crossing(void);  /* ram.c: accesses over page boundaries */
void test_strings(void);   /* strings.c: INS, OUTS, and REP MOVS and STOS on MMIO */
void test_emulation(void); /* emulation.c: every kind of instruction on MMIO as on RAM */

#endif
