/* The keyboard controller with nothing plugged in, and port 92h: A20 and reset are what is left of it. */
#ifndef VMM_MACHINE_I8042_H
#define VMM_MACHINE_I8042_H

#include "kernel/lib/types.h"

struct machine;

struct i8042 {
	u8 status;   /* port 64h */
	u8 data;     /* port 60h, the output buffer */
	u8 command;  /* the command that waits for its data byte, 0: none */
	u8 mode;     /* the command byte (RAM byte 0) */
	u8 output;   /* the output port: bit 0 not reset, bit 1 A20 */
	u8 sent;     /* the last byte for the keyboard, and how often it came in a row */
	u8 repeats;
};

void i8042_attach(struct machine *m);
void i8042_reset(struct machine *m);

#endif
