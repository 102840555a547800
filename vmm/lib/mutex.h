/* A lock between the threads of a process that is waited for in the kernel (futex). */
#ifndef VMM_LIB_MUTEX_H
#define VMM_LIB_MUTEX_H

#include "kernel/lib/types.h"

struct mutex {
	u32 state; /* 0 free, 1 taken, 2 taken and waited for */
};

void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

#endif
