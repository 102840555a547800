/* The kernel's log on the operator's terminal. */
#ifndef VMM_MONITOR_LOGLINES_H
#define VMM_MONITOR_LOGLINES_H

/* From here on lines are new: what was logged before has been on the console already. */
void loglines_init(void);

/* Prints the new lines that the configured level lets through: EVENT_LOG. */
void loglines_print_new(void);

/* Prints everything that is kept. */
void loglines_print_all(void);

#endif
