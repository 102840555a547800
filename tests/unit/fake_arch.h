/* The machine under kernel/, for host tests: RAM, processors, and the instructions that ring 3 may not use.
 *
 * RAM is a shared mapping at its own address, as on the host proper (hpa == pointer).  Each host thread
 * that has entered a CPU finds its struct through GS, so the kernel's own inline assembly runs unchanged;
 * STI, CLI, HLT, MOV to CR3, RDMSR and WRMSR fault and are carried out by the handler.  The process's half
 * of the address space is filled on a fault from the tables that CR3 points at. */
#ifndef TESTS_UNIT_FAKE_ARCH_H
#define TESTS_UNIT_FAKE_ARCH_H

#include "kernel/frame.h"
#include "kernel/host_cpu.h"

#define FAKE_CPUS 4

/* A test in a machine of its own: RAM of fake_frames frames, all but the first given to the allocator, and
 * fake_cpu_count CPUs, of which the test's thread is CPU 0.  (cmocka's own set-up functions do not do: it
 * takes the signals for itself before the test.) */
#define FAKE_TEST(name) { #name, fake_test_run, NULL, fake_test_end, (void *)(name) }
extern u32 fake_machines; /* how many there have been */
extern const u64 fake_frames;
extern const u32 fake_cpu_count;
void fake_test_run(void **state);
int fake_test_end(void **state);

extern u8 *fake_ram; /* its first byte, aligned to 2 MiB */

/* This host thread is CPU index from now on. */
void fake_cpu_enter(u32 index);

/* Runs body on every CPU, each on a host thread of its own, until all have come back or have left by
 * fake_cpu_leave, from any depth. */
void fake_cpus_run(void (*body)(u32 index));
_Noreturn void fake_cpu_leave(void);

/* Called by HLT while nothing is pending; may call fake_cpu_leave. */
extern void (*fake_halted)(void);

/* An interrupt that is let in, on its CPU. */
extern void (*fake_interrupt)(u32 vector);

/* Lets pending interrupts in, as in ring 3. */
void fake_take_interrupts(void);

u64 fake_cr3(void); /* of this CPU */

/* From here on RDTSC tells fake_tsc, on this host thread and those that it starts; the test's end ends it. */
void fake_tsc_start(void);
extern u64 fake_tsc;

/* ---- looking closely ---- */

/* Calls seen for every 8-byte word of RAM that an instruction changes, until fake_watch_end. */
void fake_watch(void (*seen)(u64 *word, u64 before));
void fake_watch_end(void);

/* While watching: called once, just before the next store to RAM, as if another CPU came in between. */
extern void (*fake_before_store)(void);

/* Keeps all free frames but count, so that what is tried next runs out; fake_give_back returns them. */
void fake_leave(u64 count);
void fake_give_back(void);

/* How often each kind of interrupt was sent. */
extern u32 fake_kicks;

#endif
