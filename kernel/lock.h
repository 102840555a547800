/* Spinlocks and their one order.  Ring 0 runs with interrupts off, so a lock is only ever waited for by
 * other CPUs.  A CPU takes locks in rising order of class; a debug build (make DEBUG=1) checks it.
 *
 * Classes of shared fields, used in comments all over the kernel:
 *   c - constant after creation      a - atomic
 *   o - owner: only the thread (or CPU) that the object belongs to
 *   g, p, m, r, ... - guarded by the lock that the struct's comment names with that letter */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "kernel/lib/types.h"

enum lock_class {
	LOCK_GUEST_LIST = 1,
	LOCK_GUEST,
	LOCK_PROCESS,
	LOCK_GMEM,
	LOCK_MERGE,
	LOCK_ZPAGE,
	LOCK_LEDGER,
	LOCK_POOL,
	LOCK_HEAP,
	LOCK_TIMER,
	LOCK_RUN_QUEUE,
	LOCK_CHANNEL,
	LOCK_LOG,
	LOCK_DEVICE,
};

struct spinlock {
	u32 taken;
	u32 class; /* enum lock_class */
};

#define SPINLOCK(lock_class) { 0, lock_class }

/* The order check, per CPU: panics when class is not above everything held.  In lock.c. */
void lock_check_take(const struct spinlock *l);
void lock_check_put(const struct spinlock *l);

static inline void spin_lock(struct spinlock *l)
{
	if (LOCK_CHECK)
		lock_check_take(l);
	while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&l->taken, __ATOMIC_RELAXED))
			__builtin_ia32_pause();
}

static inline void spin_unlock(struct spinlock *l)
{
	if (LOCK_CHECK)
		lock_check_put(l);
	__atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}

static inline bool spin_try(struct spinlock *l)
{
	if (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))
		return false;
	if (LOCK_CHECK)
		lock_check_take(l);
	return true;
}

#endif
