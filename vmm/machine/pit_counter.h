/* One counter of an 8254, computed from the tick that it is now: nothing runs between two looks at it. */
#ifndef VMM_MACHINE_PIT_COUNTER_H
#define VMM_MACHINE_PIT_COUNTER_H

#include "kernel/lib/types.h"

struct pit_counter {
	u64 start;       /* tick at which count was loaded */
	u64 change;      /* modes 2, 3: tick from which next replaces count, 0: no change is under way */
	u64 held;        /* ticks counted when it was stopped (stopped) */
	u32 count;       /* 1 to 65536 (10000 in BCD); 0: none since the control word */
	u32 next;        /* modes 2, 3: the count after change; modes 1, 5: the count of the next trigger */
	u16 latch;       /* latched count */
	u8 latched;      /* how many bytes of latch are still to be read */
	u8 status;       /* latched status */
	u8 status_latched;
	u8 mode;         /* 0 to 5 */
	u8 access;       /* 1: low byte, 2: high byte, 3: low, then high */
	u8 bcd;
	u8 write_high, read_high; /* access 3: the high byte is next */
	u8 low;          /* access 3: the low byte written */
	u8 gate;
	u8 stopped;      /* does not count: gate low, or half a count was written in mode 0 */
	u8 triggered;    /* modes 1, 5: a trigger has come since the control word */
};

void pit_counter_init(struct pit_counter *c, bool gate);
void pit_counter_control(struct pit_counter *c, u8 control);
void pit_counter_latch(struct pit_counter *c, u64 tick);
void pit_counter_latch_status(struct pit_counter *c, u64 tick);
u8 pit_counter_read(struct pit_counter *c, u64 tick);

/* True if a count is complete (it was the high byte, or the only one). */
bool pit_counter_write(struct pit_counter *c, u64 tick, u8 value);
void pit_counter_gate(struct pit_counter *c, u64 tick, bool gate);
bool pit_counter_out(const struct pit_counter *c, u64 tick);

/* Ticks of the period that is under way at tick, 0 if it is not periodic (or does not count). */
u32 pit_counter_period(const struct pit_counter *c, u64 tick);

/* The first tick after tick at which OUT rises, UINT64_MAX: never. */
u64 pit_counter_rise(const struct pit_counter *c, u64 tick);

#endif
