/* A lock between the threads of a process that is waited for in the kernel (futex).  Taking and giving back
 * a free one is inline: one locked instruction each. */
#ifndef VMM_LIB_MUTEX_H
#define VMM_LIB_MUTEX_H

#include "kernel/lib/types.h"

struct mutex {
	u32 state; /* 0 free, 1 taken, 2 taken and waited for */
};

void mutex_wait(struct mutex *m); /* takes it when it was not free */
void mutex_wake(struct mutex *m); /* after it was given back in state 2 */

static inline void mutex_lock(struct mutex *m)
{
	u32 free = 0;

	if (!__atomic_compare_exchange_n(&m->state, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		mutex_wait(m);
}

static inline void mutex_unlock(struct mutex *m)
{
	if (__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2)
		mutex_wake(m);
}

#endif
