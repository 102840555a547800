/* The two 8259A interrupt controllers of a PC: ports 20h, A0h, and the edge/level registers 4D0h. */
#ifndef VMM_MACHINE_PIC_H
#define VMM_MACHINE_PIC_H

#include "kernel/lib/types.h"

struct machine;

struct pic_chip {
	u8 lines;        /* the inputs now */
	u8 irr, isr, imr;
	u8 elcr;         /* 1: level-triggered */
	u8 base;         /* vector of input 0 (ICW2) */
	u8 cascade;      /* ICW3 */
	u8 lowest;       /* the input with the lowest priority */
	u8 step;         /* the ICW that the data port expects, 0: none */
	u8 icw1, icw4;
	u8 read_isr;     /* OCW3: what a read of the command port gives */
	u8 poll;         /* OCW3: the next read acknowledges */
	u8 special_mask;
	u8 rotate_aeoi;
};

struct pic {
	struct pic_chip chip[2]; /* master, slave */
	u8 output;               /* INTR as the kernel knows it */
};

void pic_attach(struct machine *m);
void pic_reset(struct machine *m);

/* Input irq (0 to 15, but not 2) is level now. */
void pic_set(struct machine *m, u32 irq, bool level);

/* The processor's acknowledge cycle: a vector, 0 to 255; the spurious one when no input asks any more. */
int pic_acknowledge(struct machine *m);

#endif
