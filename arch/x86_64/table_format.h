/* The forms of page-table entries, as data: what kernel/table.c's one walker needs to know of each. */
#ifndef ARCH_X86_64_TABLE_FORMAT_H
#define ARCH_X86_64_TABLE_FORMAT_H

#include "kernel/lib/types.h"

struct table_format {
	u64 present;  /* any of these: the entry is valid */
	u64 branch;   /* bits of an entry that points to a table */
	u64 large;    /* leaf at level 1 or 2 */
	u64 leaf;     /* bits of every leaf */
	u64 write;    /* leaf bits by permission */
	u64 exec;
	u64 no_exec;
	u64 user;
	u64 cached, uncached;
	u64 accessed, dirty; /* 0: the hardware has none */
};

/* The processor's own tables; NPT has the same form (APM 2 §15.25.5: every access is a user access). */
extern const struct table_format table_format_host;
extern const struct table_format table_format_npt;

/* EPT; where the processor has no accessed and dirty flags the back end's copy has 0 for them. */
extern const struct table_format table_format_ept;

#define TABLE_ADDRESS 0x000ffffffffff000ull

#endif
