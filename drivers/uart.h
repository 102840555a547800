/* The host's serial port: a 16550 (or 8250 with a scratch register), by port or by MMIO.
 *
 * Output and input go through rings: uart_write never waits.  Until interrupts are proven to arrive uart_poll
 * moves the bytes.  Callable on every CPU, not from an NMI; only the *_polled calls are for a panic. */
#ifndef DRIVERS_UART_H
#define DRIVERS_UART_H

#include "kernel/boot_info.h"
#include "kernel/lib/types.h"

#define UART_TX_SIZE 16384
#define UART_RX_SIZE 4096

struct uart_stats {
	u64 received, sent;
	u64 overruns;   /* times that the hardware lost input */
	u64 rx_dropped; /* bytes of input that found the ring full */
	u64 interrupts;
};

enum uart_event { UART_INPUT = 1, UART_ROOM = 2 };

/* Tells, without the UART's lock, that there is input, or room again after uart_write took too little. */
extern void (*uart_notify)(u32 events);

/* kind: enum boot_serial_kind; baud 0, and MMIO ports (whose clock is not known): as the firmware set it.
 * ERR_NOENT when nothing answers there. */
int uart_init(u32 kind, u64 base, u32 stride, u32 baud) must_check;
bool uart_present(void);

/* The ISA IRQ that such a port has on a PC, or -1. */
int uart_irq(void);
/* After the IRQ's route is set up: lets the UART interrupt. */
void uart_enable_interrupts(void);
/* VECTOR_UART's handler. */
void uart_interrupt(void);

/* Moves what can be moved.  True while no interrupt was seen, or they got lost: call it again in 20 ms. */
bool uart_poll(void);

size_t uart_write(const char *text, size_t len); /* returns how much was taken */
size_t uart_room(void);
size_t uart_read(char *text, size_t len);        /* 0: there is nothing */

/* Waits, at most about us, until everything has left the wire. */
void uart_drain(u64 us);

/* For a panic: breaks the lock, then no more interrupts or rings. */
void uart_panic(void);
void uart_write_polled(const char *text, size_t len);
int uart_read_polled(void); /* a byte, or -1 */

void uart_stats(struct uart_stats *out);

#endif
