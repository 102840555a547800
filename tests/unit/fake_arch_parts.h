/* Between the parts of the fake machine: fake_arch.c and fake_trap.c. */
#ifndef TESTS_UNIT_FAKE_ARCH_PARTS_H
#define TESTS_UNIT_FAKE_ARCH_PARTS_H

#include "tests/unit/fake_arch.h"

extern int fake_ram_file;

void fake_trap_start(void);
void fake_trap_stop(void);
void fake_halt(void);
void fake_cr3_set(u64 value);

#endif
