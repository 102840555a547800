/* The lock order's check, in debug builds. */
#include "kernel/lock.h"

#include "arch/x86_64/cpu.h"
#include "kernel/panic.h"

void lock_check_take(const struct spinlock *l)
{
	struct cpu *cpu = cpu_self();

	if (cpu->locks_held >> l->class)
		panic("lock order: class %u is taken while %x are held", l->class, cpu->locks_held);
	cpu->locks_held |= 1u << l->class;
}

void lock_check_put(const struct spinlock *l)
{
	cpu_self()->locks_held &= ~(1u << l->class);
}
