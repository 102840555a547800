/* The host's interrupts.  They are taken in ring 3, out of a guest, and at the idle loop's window: never
 * inside kernel work. */
#ifndef KERNEL_INTERRUPT_H
#define KERNEL_INTERRUPT_H

#include "kernel/lib/types.h"

/* Handles the vector and ends the interrupt. */
void interrupt_handle(u32 vector);

/* The one device that interrupts the host: called for VECTOR_UART.  Set once at boot. */
extern void (*interrupt_uart)(void);

#endif
