/* What other commands show of the ledger. */
#ifndef VMM_MONITOR_COMMANDS_LEDGER_H
#define VMM_MONITOR_COMMANDS_LEDGER_H

#include "kernel/lib/types.h"

/* freecell's rows, of bytes and of counts; nodeinfo's lines. */
void commands_ledger_rows(void (*row)(const char *what, u64 bytes),
			  void (*count)(const char *what, u64 n, const char *unit));
void commands_ledger_facts(void);

#endif
