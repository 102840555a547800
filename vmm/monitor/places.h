/* Where the host's CPUs are: cores, caches, packages, nodes. */
#ifndef VMM_MONITOR_PLACES_H
#define VMM_MONITOR_PLACES_H

/* A table, a row for each CPU. */
void places_print(void);

/* How many of each, as facts. */
void places_facts(void);

#endif
