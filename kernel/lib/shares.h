/* How a guest's part of the processors is told: weights, caps and sets of host CPUs. */
#ifndef KERNEL_LIB_SHARES_H
#define KERNEL_LIB_SHARES_H

#include "kernel/lib/types.h"

#define WEIGHT_MIN 64
#define WEIGHT_DEFAULT 256
#define WEIGHT_MAX 1024
#define CAP_MAX 6400      /* percent of a CPU; 0: no cap */
#define CPU_SET_MAX 1024  /* host CPUs, by index */

/* Words are read and written whole; who reads while another writes sees some of both, which costs him nothing
 * but a second look. */
struct cpu_set {
	u64 word[CPU_SET_MAX / 64];
};

static inline bool cpu_set_has(const struct cpu_set *s, u32 index)
{
	return index < CPU_SET_MAX && __atomic_load_n(&s->word[index / 64], __ATOMIC_RELAXED) >> index % 64 & 1;
}

#endif
