/* ksm matrix: how many pages each two guests share.  The monitor's calls only, one after the other. */
#ifndef KERNEL_MERGE_MATRIX_H
#define KERNEL_MERGE_MATRIX_H

#include "kernel/abi.h"
#include "kernel/lib/error.h"

/* A bounded part of the count, into a matrix of the kernel's; begin: a new one.  1: go on, 0: *matrix has it,
 * ERR_NOMEM. */
int merge_matrix_step(bool begin, const struct merge_matrix **matrix) must_check;
void merge_matrix_abandon(void);

#endif
