/* A machine for host tests of its devices: the system calls that they use are recorded, time stands still
 * until a test moves it, and machine_stop comes back. */
#ifndef TESTS_UNIT_FAKE_MACHINE_H
#define TESTS_UNIT_FAKE_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/machine/machine.h"

struct fake_message {
	u64 address;
	u32 data;
};

struct fake {
	u64 now;               /* machine time */
	u64 rescheduled;       /* the earliest deadline that was announced since a test set it to NEVER */
	bool extint;           /* the PIC's line, and how often it was set */
	u32 extint_count;
	struct fake_message messages[256]; /* the last of them, by count modulo 256 */
	u32 message_count;
	int message_result;    /* what sys_guest_msi answers */
	char console[256];
	u32 console_len;
	u64 vcpus;             /* which are plugged in, as the kernel was told */
	u32 vcpu_target;       /* what sys_vcpu_target answers */
	u32 log_lines;
	enum stop_reason stopped;
	jmp_buf stop;
};

extern struct fake fake;

/* The machine, all zeros, and fake anew. */
struct machine *fake_machine(void);

u64 fake_in(struct machine *m, u16 port, u32 size);
void fake_out(struct machine *m, u16 port, u32 size, u64 value);
u64 fake_read(struct machine *m, u64 gpa, u32 size);
void fake_write(struct machine *m, u64 gpa, u32 size, u64 value);

/* The reason with which what() stopped the machine, STOP_NONE if it did not. */
#define FAKE_STOPS(what) (fake.stopped = STOP_NONE, setjmp(fake.stop) ? 0 : ((what), 0), fake.stopped)

typedef u64 (*fake_deadline_fn)(const struct machine *m);
typedef void (*fake_tick_fn)(struct machine *m, u64 now);

/* What the event thread does until machine time until: ticks at each deadline, late nanoseconds after it.
 * Fails the test if a deadline lies in the past after a tick.  Returns the count of ticks. */
u32 fake_run(struct machine *m, u64 until, u64 late, fake_deadline_fn deadline, fake_tick_fn tick);

/* Random accesses of all sizes in and around all regions, at random times.  deadline and tick may be NULL;
 * strict: deadlines are checked as in fake_run. */
void fake_fuzz(struct machine *m, u32 rounds, bool strict, fake_deadline_fn deadline, fake_tick_fn tick);

u32 fake_random(void);

#endif
