/* A text console on the firmware's framebuffer, for machines without a UART.  Output only: printable ASCII,
 * \n \r \b \t; escape sequences are swallowed. */
#ifndef DRIVERS_FRAMEBUFFER_H
#define DRIVERS_FRAMEBUFFER_H

#include "kernel/boot_info.h"
#include "kernel/lib/types.h"

/* The framebuffer must be mapped (write combining is best: it is never read).  None is fine. */
void framebuffer_init(const struct boot_framebuffer *fb);
bool framebuffer_present(void);

void framebuffer_write(const char *text, size_t len);

/* Panic only: breaks the lock. */
void framebuffer_panic(void);

#endif
