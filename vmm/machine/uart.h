/* COM1, a 16550A: ports 3F8h-3FFh, IRQ 4. */
#ifndef VMM_MACHINE_UART_H
#define VMM_MACHINE_UART_H

#include "kernel/lib/types.h"

struct machine;

#define UART_RING 64 /* a power of two; more than the chip's 16 so that a paste takes fewer wake-ups */

struct uart {
	u8 ring[UART_RING];
	u32 head, count;  /* head modulo UART_RING; count at most UART_RING */
	u16 divisor;
	u8 ier, fcr, lcr, mcr, scratch;
	u8 msr;           /* delta bits and, in loopback, the outputs */
	u8 overrun;
	u8 thre_pending;  /* the transmitter became empty and nobody was told */
	u8 line;          /* IRQ 4 */
};

void uart_attach(struct machine *m);
void uart_reset(struct machine *m);

/* The event thread reads the console only as there is room; when room appears after there was little,
 * machine_reschedule is called with the present time. */
u32 uart_room(const struct machine *m);
void uart_receive(struct machine *m, const u8 *bytes, u32 count); /* what exceeds the room is an overrun */

#endif
