/* The 8259A pair (Intel 8259A data sheet; ELCR as in the PIIX).  Lock: the machine lock.
 *
 * Invariant: pic.output is what the kernel was told last, and is recomputed after every change.
 * An edge-triggered request is dropped when its line falls before the acknowledge, as the chip does: that is
 * where the spurious vector comes from. */
#include "vmm/machine/pic.h"

#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

#define CASCADE_BIT (1 << 2)

/* ICW4 */
#define ICW4_AUTO_EOI 0x02
#define ICW4_NESTED 0x10 /* special fully nested */

/* The input of the highest priority among bits, 8 if there is none; 0 is the rank of the highest. */
static u32 pic_rank(const struct pic_chip *c, u8 bits)
{
	for (u32 rank = 0; rank < 8; rank++)
		if (bits & 1 << ((c->lowest + 1 + rank) & 7))
			return rank;
	return 8;
}

static u32 pic_input(const struct pic_chip *c, u32 rank)
{
	return (c->lowest + 1 + rank) & 7;
}

/* The input that asks to be served now, -1 if none may. */
static int pic_request(const struct pic_chip *c, bool master)
{
	u8 served = c->special_mask ? c->isr & ~c->imr : c->isr;
	u32 wanted = pic_rank(c, c->irr & ~c->imr);

	/* Special fully nested: a slave in service may ask for one of its higher inputs. */
	if (master && c->icw4 & ICW4_NESTED)
		served &= ~CASCADE_BIT;
	if (wanted == 8 || wanted >= pic_rank(c, served))
		return -1;
	return (int)pic_input(c, wanted);
}

static void pic_line(struct pic_chip *c, u8 bit, bool level)
{
	if (!level)
		c->irr &= ~bit;
	else if (c->elcr & bit || !(c->lines & bit))
		c->irr |= bit;
	c->lines = level ? c->lines | bit : c->lines & ~bit;
}

static void pic_update(struct machine *m)
{
	struct pic *p = &m->pic;
	bool output;

	/* The slave drops its INT in every acknowledge cycle, so what it asks next is a new edge. */
	p->chip[0].irr &= ~CASCADE_BIT;
	if (pic_request(&p->chip[1], false) >= 0)
		p->chip[0].irr |= CASCADE_BIT;
	output = pic_request(&p->chip[0], true) >= 0;
	if (output == !!p->output)
		return;
	p->output = output;
	sys_guest_extint(output);
}

void pic_set(struct machine *m, u32 irq, bool level)
{
	struct pic_chip *c = &m->pic.chip[irq >> 3 & 1];
	u8 bit = 1 << (irq & 7);

	if (!!(c->lines & bit) == level) /* the common case of a level that is set again */
		return;
	pic_line(c, bit, level);
	pic_update(m);
}

/* One chip's acknowledge cycle: the input served, 7 if it is spurious (then nothing is in service). */
static u32 pic_take(struct pic_chip *c, bool master, bool *spurious)
{
	int input = pic_request(c, master);
	u8 bit;

	*spurious = input < 0;
	if (input < 0)
		return 7;
	bit = 1 << input;
	if (!(c->elcr & bit))
		c->irr &= ~bit;
	if (!(c->icw4 & ICW4_AUTO_EOI))
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->lowest = (u8)input;
	return (u32)input;
}

int pic_acknowledge(struct machine *m)
{
	struct pic *p = &m->pic;
	bool spurious, slave_spurious;
	u32 input = pic_take(&p->chip[0], true, &spurious);
	int vector = p->chip[0].base + (int)input;

	if (input == 2 && !spurious)
		vector = p->chip[1].base + (int)pic_take(&p->chip[1], false, &slave_spurious);
	pic_update(m);
	return vector & 0xff;
}

/* OCW2: end of interrupt and rotation (command is bits 5-7). */
static void pic_end(struct pic_chip *c, u32 command, u32 input)
{
	u32 rank = pic_rank(c, c->special_mask ? c->isr & ~c->imr : c->isr);

	switch (command) {
	case 0: /* clear, set: rotate in automatic EOI mode */
	case 4:
		c->rotate_aeoi = command == 4;
		return;
	case 1: /* non-specific EOI, with rotation */
	case 5:
		if (rank == 8)
			return;
		input = pic_input(c, rank);
		break;
	case 6: /* set priority */
		c->lowest = (u8)input;
		return;
	case 2:
		return;
	default: /* 3, 7: specific EOI, with rotation */
		break;
	}
	c->isr &= ~(1 << input);
	if (command & 4)
		c->lowest = (u8)input;
}

static void pic_begin(struct pic_chip *c, u8 icw1)
{
	c->icw1 = icw1;
	c->imr = c->isr = 0;
	c->lowest = 7;
	c->special_mask = c->read_isr = c->poll = c->rotate_aeoi = 0;
	if (!(icw1 & 1))
		c->icw4 = 0;
	c->irr = c->lines & c->elcr; /* an edge must come again (data sheet, initialization) */
	c->step = 2;
}

static void pic_command(struct pic_chip *c, u8 value)
{
	if (value & 0x10) {
		pic_begin(c, value);
	} else if (!(value & 0x08)) {
		pic_end(c, value >> 5, value & 7);
	} else {
		if (value & 0x02)
			c->read_isr = value & 1;
		if (value & 0x40)
			c->special_mask = value >> 5 & 1;
		c->poll = value >> 2 & 1;
	}
}

static void pic_data(struct pic_chip *c, u8 value)
{
	switch (c->step) {
	case 2:
		c->base = value & 0xf8;
		c->step = !(c->icw1 & 2) ? 3 : c->icw1 & 1 ? 4 : 0;
		break;
	case 3:
		c->cascade = value;
		c->step = c->icw1 & 1 ? 4 : 0;
		break;
	case 4:
		c->icw4 = value;
		c->step = 0;
		break;
	default:
		c->imr = value;
	}
}

/* Poll mode: the read is the acknowledge. */
static u8 pic_poll(struct pic_chip *c, bool master)
{
	bool spurious;
	u32 input = pic_take(c, master, &spurious);

	c->poll = 0;
	return spurious ? 0 : (u8)(0x80 | input);
}

static void pic_access(struct machine *m, void *device, struct access *a)
{
	struct pic_chip *c = device;
	bool data = a->addr & 1;

	if (bus_split(m, device, a, pic_access))
		return;
	if (a->write) {
		if (data)
			pic_data(c, (u8)a->value);
		else
			pic_command(c, (u8)a->value);
	} else if (c->poll) {
		a->value = pic_poll(c, c == &m->pic.chip[0]);
	} else {
		a->value = data ? c->imr : c->read_isr ? c->isr : c->irr;
		return; /* nothing changed */
	}
	pic_update(m);
}

/* IRQs 0, 1, 2, 8 and 13 are edge-triggered for ever. */
static void pic_elcr_access(struct machine *m, void *device, struct access *a)
{
	struct pic_chip *c = &m->pic.chip[a->addr & 1];

	if (bus_split(m, device, a, pic_elcr_access))
		return;
	if (!a->write) {
		a->value = c->elcr;
		return;
	}
	c->elcr = a->value & (a->addr & 1 ? 0xde : 0xf8);
	c->irr |= c->lines & c->elcr;
	pic_update(m);
}

void pic_attach(struct machine *m)
{
	bus_add(&m->ports, 0x20, 2, pic_access, &m->pic.chip[0]);
	bus_add(&m->ports, 0xa0, 2, pic_access, &m->pic.chip[1]);
	bus_add(&m->ports, 0x4d0, 2, pic_elcr_access, NULL);
}

/* Until a guest initialises it everything is masked: firmware would have left it so. */
void pic_reset(struct machine *m)
{
	for (u32 i = 0; i < 2; i++)
		m->pic.chip[i] = (struct pic_chip){ .imr = 0xff, .lowest = 7, .base = i ? 0x70 : 0x08 };
	pic_update(m);
}
