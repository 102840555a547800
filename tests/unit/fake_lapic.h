/* What the tests of the local APIC share: a guest of the fake kernel whose APICs are enabled. */
#ifndef TESTS_UNIT_FAKE_LAPIC_H
#define TESTS_UNIT_FAKE_LAPIC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/cpuid.h"
#include "kernel/lapic_regs.h"
#include "tests/unit/fake_vcpu.h"

#define V(i) (&fake_guest.vcpus[i])
#define BASE 0xfee00000ull
#define X2 (BASE | LAPIC_BASE_ENABLE | LAPIC_BASE_X2)
#define OFFSET(reg) ((reg) * 16)
#define MSR(reg) (0x800 + (reg))

int lapic_setup(void **state);        /* before each test */
void start(u32 count, bool x2);       /* count enabled APICs */
void check(const struct vcpu *v);     /* IRR, ISR and posted sets agree with their summaries */

static inline void wr(struct vcpu *v, u32 reg, u32 value)
{
	lapic_write(v, OFFSET(reg), value);
}

static inline u32 rd(struct vcpu *v, u32 reg)
{
	return lapic_read(v, OFFSET(reg));
}

static inline void ipi(u32 from, u32 dest, u32 icr)
{
	wr(V(from), REG_ICR_HIGH, dest << 24);
	wr(V(from), REG_ICR, icr);
}

#endif
