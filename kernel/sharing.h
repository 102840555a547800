/* What sharing of memory comes to, over all guests: merged pages, files, and zeroes that were given back. */
#ifndef KERNEL_SHARING_H
#define KERNEL_SHARING_H

#include "kernel/abi.h"

/* Fills in shared and debt; for the monitor, since it looks at each frame of the files. */
void sharing_info(struct ledger_info *info);

#endif
