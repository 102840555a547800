/* ksm verify: is what the merger keeps true?  The monitor's calls only, one after the other. */
#ifndef KERNEL_MERGE_VERIFY_H
#define KERNEL_MERGE_VERIFY_H

#include "kernel/abi.h"
#include "kernel/lib/error.h"

/* A bounded part of it, into a result of the kernel's; begin: anew.  1: go on, 0: *result has it (with the first
 * violation, if there is one), ERR_NOMEM.  The scanner rests from begin until the end, or until it is abandoned. */
int merge_verify_step(bool begin, const struct merge_verify **result) must_check;
void merge_verify_abandon(void);

#endif
