/* A kernel for the monitor's host tests: the monitor's system calls on plain arrays that tests look into. */
#ifndef TESTS_UNIT_FAKE_MONITOR_H
#define TESTS_UNIT_FAKE_MONITOR_H

#include "kernel/abi.h"

#define FAKE_GUESTS 8
#define FAKE_OUT (1 << 20)

struct fake_guest {
	struct guest_info info; /* id 0: free */
	char definition[DEFINITION_MAX];
	size_t definition_len;
	char output[65536];
	size_t output_len;
	char input[65536];
	size_t input_len;
	size_t input_room;  /* how many bytes the next calls take */
	u64 schedule;       /* of sys_guest_schedule: weight, and cap << 32 */
	struct cpu_set pins; /* of sys_guest_pin */
	u32 last_control;   /* enum guest_control */
	u64 last_argument;
	u32 control_count;
	bool slow_destroy;  /* CONTROL_DESTROY leaves it dying: fake_finish ends that */
	struct guest_params params;
	struct guest_memory memory;
};

struct fake {
	struct fake_guest guests[FAKE_GUESTS];
	u32 next_id;
	char out[FAKE_OUT]; /* what the console got */
	size_t out_len;
	s64 console_room;   /* bytes that it still takes, -1: any number */
	char in[65536];
	size_t in_len, in_at;
	char log[65536];
	size_t log_len;
	struct trace_record trace[40]; /* CPU 0's */
	u64 trace_count;
	int trace_error;
	bool tracing;
	const char *config;
	struct file_info files[8];
	u32 file_count;
	struct host_info host;
	u32 events;
	u32 watched;
	u64 clock;
	int start_error, control_error, power_error;
	struct admission admission; /* of each start and memtune */
	struct guest_tune tune;     /* the last */
	int tune_error;
	struct ledger_info ledger;
	struct merge_matrix matrix;
	u32 power_calls;
	struct merge_info merge;
	enum merge_control merge_control;
	u64 merge_value;
	u32 merge_calls;
	int merge_error;
};

extern struct fake fake;

/* Everything as new: an empty host with the files "bzImage" and "initrd.img". */
void fake_reset(void);

/* Adds a guest by its definition; returns it. */
struct fake_guest *fake_add(const char *name, const char *definition, u32 state);

struct fake_guest *fake_guest(const char *name);

/* A guest's run ends by itself. */
void fake_stop(struct fake_guest *g, u32 reason, const char *text);

/* A dying guest is off now. */
void fake_finish(struct fake_guest *g);

/* Runs a command; returns what the console got for it, terminated. */
const char *fake_run(const char *line);
void fake_expect(const char *line, const char *part); /* runs it: what it prints has part in it */

/* Forgets what the console got. */
void fake_clear(void);

#endif
