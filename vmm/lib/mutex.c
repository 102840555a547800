/* The slow halves of mutex_lock and mutex_unlock. */
#include "vmm/lib/mutex.h"

#include "vmm/lib/sys.h"

/* Takes it in state 2 even when nobody else waits any more: that costs one needless wake, where keeping
 * count of sleepers would cost every unlock. */
void mutex_wait(struct mutex *m)
{
	while (__atomic_exchange_n(&m->state, 2, __ATOMIC_ACQUIRE) != 0)
		(void)sys_futex_wait(&m->state, 2);
}

void mutex_wake(struct mutex *m)
{
	(void)sys_futex_wake(&m->state, 1);
}
