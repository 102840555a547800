/* The live table of guests. */
#ifndef VMM_MONITOR_TOP_H
#define VMM_MONITOR_TOP_H

#include "kernel/lib/types.h"

bool top_shown(void);

/* A typed byte; q leaves. */
void top_input(u8 byte);

/* Draws it when it is time, and says when that is next (clock ns; 0 when it is not shown). */
void top_draw(void);
u64 top_deadline(void);

#endif
