/* Tab. */
#ifndef VMM_MONITOR_COMPLETE_H
#define VMM_MONITOR_COMPLETE_H

#include "vmm/monitor/editor.h"

/* Completes the word before the cursor as far as it is certain, else lists what it may become. */
void complete_line(struct editor *e);

#endif
