/* The end: a broken invariant of Quire's own.  Nothing that a guest, file or operator does comes here. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "arch/x86_64/cpu.h"
#include "kernel/lib/types.h"

/* What a panic needs of the layers above; set once at boot.  All are called with interrupts off, other CPUs
 * stopped and any lock possibly held, so they take none.  NULL where there is nothing. */
struct panic_hooks {
	void (*begin)(void);                          /* the console is the panic's from now on */
	void (*write)(const char *text, size_t len);  /* polled, bounded */
	int (*read)(void);                            /* polled: a byte of input, -1: none */
	void (*report)(void);                         /* the last exits and so on, with panic_print */
	void (*reboot)(void);                         /* may return if it cannot */
};
extern struct panic_hooks panic_hooks;
extern u32 panic_reboot_s; /* reboot after so many seconds, 0: stay */

_Noreturn void panic(const char *format, ...) printf_like(1, 2);

/* The same for a trap in ring 0: regs is what it interrupted. */
_Noreturn void panic_registers(const struct user_regs *regs, const char *format, ...) printf_like(2, 3);

/* To be called first by trap_nmi: during a panic it stops this CPU for ever, else it returns. */
void panic_stop_here(void);

/* For panic_hooks.report. */
void panic_print(const char *format, ...) printf_like(1, 2);

#endif
