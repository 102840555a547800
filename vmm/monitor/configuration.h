/* quire.conf's guests, at the monitor's first start. */
#ifndef VMM_MONITOR_CONFIGURATION_H
#define VMM_MONITOR_CONFIGURATION_H

#include "kernel/lib/types.h"

/* Defines the guests of text[0..len).  Each mistake becomes a log line "quire.conf:LINE: reason" and costs
 * only the guest that it is in.  Malformed lines were reported at boot already; they count, silently. */
void configuration_define(const char *text, size_t len);

/* Reads the configuration, defines its guests and starts those with autostart.  If guests exist already this
 * is a new monitor after one that died: then everything is left as it is. */
void configuration_apply(void);

#endif
