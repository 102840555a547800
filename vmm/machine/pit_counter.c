/* One 8254 counter (Intel 8254 data sheet, "Operational description").
 *
 * All times are ticks of the counter's clock.  A count that is written is loaded with the next tick, so
 * start is the tick after the write.  In modes 2 and 3 a new count without a control word takes over at the
 * end of the period (the chip: of the half period in mode 3, which only the loudspeaker could tell). */
#include "vmm/machine/pit_counter.h"

static bool pit_counter_periodic(const struct pit_counter *c)
{
	return c->mode == 2 || c->mode == 3;
}

static bool pit_counter_one_shot(const struct pit_counter *c)
{
	return c->mode == 1 || c->mode == 5;
}

static u64 pit_counter_elapsed(const struct pit_counter *c, u64 tick)
{
	if (c->stopped)
		return c->held;
	return tick < c->start ? 0 : tick - c->start;
}

/* Carries out a change of the count that has come about. */
static void pit_counter_settle(struct pit_counter *c, u64 tick)
{
	if (!c->change || tick < c->change)
		return;
	c->count = c->next;
	c->start = c->change;
	c->change = 0;
}

static u32 pit_counter_modulus(const struct pit_counter *c)
{
	return c->bcd ? 10000 : 65536;
}

static u32 bcd_encode(u32 n)
{
	return n % 10 | n / 10 % 10 << 4 | n / 100 % 10 << 8 | n / 1000 % 10 << 12;
}

static u32 bcd_decode(u32 raw)
{
	return (raw & 15) + (raw >> 4 & 15) * 10 + (raw >> 8 & 15) * 100 + (raw >> 12 & 15) * 1000;
}

/* The counting element as a read shows it; c is settled. */
static u16 pit_counter_value(const struct pit_counter *c, u64 tick)
{
	u64 elapsed = pit_counter_elapsed(c, tick);
	u32 n = c->count, modulus = pit_counter_modulus(c);
	u32 phase, high;
	u64 value;

	if (!n)
		return 0;
	switch (c->mode) {
	case 2:
		value = n - elapsed % n;
		break;
	case 3: /* by twos, in each half period */
		phase = (u32)(elapsed % n);
		high = n - n / 2;
		value = (n & ~1u) - 2 * (phase < high ? phase : phase - high);
		break;
	default: /* goes on below 0 */
		if (pit_counter_one_shot(c) && !c->triggered)
			elapsed = 0;
		value = n % modulus + modulus - elapsed % modulus;
	}
	value %= modulus;
	return (u16)(c->bcd ? bcd_encode((u32)value) : value);
}

bool pit_counter_out(const struct pit_counter *original, u64 tick)
{
	struct pit_counter c = *original;
	u64 elapsed;

	pit_counter_settle(&c, tick);
	elapsed = pit_counter_elapsed(&c, tick);
	if (!c.count)
		return c.mode != 0;
	if (pit_counter_periodic(&c) && c.stopped)
		return true;
	if (pit_counter_one_shot(&c) && !c.triggered)
		return true;
	switch (c.mode) {
	case 0:
	case 1:
		return elapsed >= c.count;
	case 2:
		return elapsed % c.count != c.count - 1;
	case 3:
		return elapsed % c.count < c.count - c.count / 2;
	default:
		return elapsed != c.count;
	}
}

u32 pit_counter_period(const struct pit_counter *original, u64 tick)
{
	struct pit_counter c = *original;

	pit_counter_settle(&c, tick);
	return pit_counter_periodic(&c) && !c.stopped ? c.count : 0;
}

u64 pit_counter_rise(const struct pit_counter *original, u64 tick)
{
	struct pit_counter c = *original;
	u64 rise;

	pit_counter_settle(&c, tick);
	if (!c.count || c.stopped || (pit_counter_one_shot(&c) && !c.triggered))
		return UINT64_MAX;
	if (pit_counter_periodic(&c))
		return c.start + (pit_counter_elapsed(&c, tick) / c.count + 1) * c.count;
	rise = c.start + c.count + (c.mode >= 4 ? 1 : 0); /* modes 4, 5: after a low strobe of one tick */
	return rise > tick ? rise : UINT64_MAX;
}

void pit_counter_init(struct pit_counter *c, bool gate)
{
	*c = (struct pit_counter){ .access = 3, .gate = gate, .mode = 3, .stopped = !gate };
}

void pit_counter_control(struct pit_counter *c, u8 control)
{
	u8 mode = control >> 1 & 7;

	*c = (struct pit_counter){ .access = control >> 4 & 3, .bcd = control & 1, .gate = c->gate,
				   .mode = mode > 5 ? mode - 4 : mode };
	c->stopped = !c->gate && !pit_counter_one_shot(c);
}

void pit_counter_latch(struct pit_counter *c, u64 tick)
{
	if (c->latched) /* a second latch command is ignored until the first was read */
		return;
	pit_counter_settle(c, tick);
	c->latch = pit_counter_value(c, tick);
	c->latched = c->access == 3 ? 2 : 1;
}

void pit_counter_latch_status(struct pit_counter *c, u64 tick)
{
	bool null_count;

	if (c->status_latched)
		return;
	pit_counter_settle(c, tick);
	null_count = !c->count || c->change || (!c->stopped && tick < c->start) ||
		     (pit_counter_one_shot(c) && (!c->triggered || c->next != c->count));
	c->status = (u8)(pit_counter_out(c, tick) << 7 | null_count << 6 | (c->access & 3) << 4 |
			 (c->mode & 7) << 1 | !!c->bcd);
	c->status_latched = 1;
}

u8 pit_counter_read(struct pit_counter *c, u64 tick)
{
	u16 value;
	bool high;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	pit_counter_settle(c, tick);
	if (c->latched) {
		high = c->access == 2 || (c->access == 3 && c->latched == 1);
		value = c->latch;
		c->latched--;
	} else {
		high = c->access == 2 || (c->access == 3 && c->read_high);
		value = pit_counter_value(c, tick);
		c->read_high = !c->read_high;
	}
	return (u8)(high ? value >> 8 : value);
}

/* A whole count has been written. */
static void pit_counter_load(struct pit_counter *c, u64 tick, u32 raw)
{
	u32 n = c->bcd ? bcd_decode(raw) : raw;

	if (!n)
		n = pit_counter_modulus(c);
	c->next = n;
	if (pit_counter_one_shot(c)) {
		if (!c->triggered)
			c->count = n;
		return;
	}
	if (pit_counter_periodic(c) && c->count) {
		if (c->change) /* the other new count never was in force */
			return;
		if (!c->stopped && tick >= c->start) {
			c->change = pit_counter_rise(c, tick);
			return;
		}
	}
	c->count = n;
	c->start = tick + 1;
	c->held = 0;
	c->stopped = !c->gate;
}

bool pit_counter_write(struct pit_counter *c, u64 tick, u8 value)
{
	pit_counter_settle(c, tick);
	switch (c->access) {
	case 1:
		pit_counter_load(c, tick, value);
		return true;
	case 2:
		pit_counter_load(c, tick, (u32)value << 8);
		return true;
	}
	c->write_high = !c->write_high;
	if (c->write_high) {
		c->low = value;
		if (c->mode == 0)
			c->count = 0; /* the first byte stops the count, OUT is low */
		return false;
	}
	pit_counter_load(c, tick, (u32)value << 8 | c->low);
	return true;
}

void pit_counter_gate(struct pit_counter *c, u64 tick, bool gate)
{
	if (!!c->gate == gate)
		return;
	pit_counter_settle(c, tick);
	c->gate = gate;
	if (pit_counter_one_shot(c)) {
		if (gate && c->next) {
			c->count = c->next;
			c->start = tick + 1;
			c->triggered = 1;
		}
		return;
	}
	if (!gate) {
		c->held = pit_counter_elapsed(c, tick);
		if (c->change)
			c->count = c->next;
		c->change = 0;
	} else {
		c->start = pit_counter_periodic(c) ? tick + 1 : tick - c->held;
	}
	c->stopped = !gate;
}
