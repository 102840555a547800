/* The parts of the processor test, each called once by main. */
#ifndef GUESTS_CPU_CPU_H
#define GUESTS_CPU_CPU_H

#include "tests/guests/lib/guest.h"

void test_cpuid(void);
void test_msrs(void);
void test_exceptions(void);
void test_control(void);
void test_debug(void);
void test_vectors(void); /* x87, SSE, AVX, XCR0 */

#endif
