/* Completes one instruction for a vCPU whose exit was EXIT_MMIO or a string EXIT_IO: decodes it, reads and
 * writes its operands through the callbacks, and leaves registers, flags and RIP in the vCPU's page.
 * Lock: none, the caller owns the page and everything in ctx.  Invariant: when a fault is injected or an
 * instruction is refused, no register and no memory has changed (but for finished iterations of a REP). */
#ifndef VMM_LIB_EMULATE_H
#define VMM_LIB_EMULATE_H

#include "kernel/abi.h"
#include "kernel/lib/insn.h"

/* What every step returns beside negative errors. */
#define EMULATE_DONE 0
#define EMULATE_FAULT 1 /* page->inject is filled */

/* How an instruction reaches the world.  Linear accesses are 1 to 16 bytes and may cross a page; access is
 * enum access_bits, and a read with ACCESS_WRITE is of something that will be written, too.  They return
 * EMULATE_DONE; EMULATE_FAULT after emulate_inject or emulate_page_fault; or an error which emulate_run
 * returns.  A failed access has changed nothing. */
struct emulate_ops {
	int (*read)(void *ctx, u64 linear, void *buf, u32 len, u32 access);
	int (*write)(void *ctx, u64 linear, const void *buf, u32 len, u32 access);
	int (*probe)(void *ctx, u64 linear, u32 len, u32 access); /* would it fault?  Touches nothing */
	u32 (*port_in)(void *ctx, u16 port, u32 size);
	void (*port_out)(void *ctx, u16 port, u32 size, u32 value);
	const struct vcpu_state *(*state)(void *ctx); /* as of the exit; asked for only when it is needed */
	/* The processor's own translation of linear at the exit: saves a page walk. */
	void (*hint)(void *ctx, u64 linear, u64 gpa);
	/* An aligned access of 1, 2, 4 or 8 bytes at exit.mmio.gpa, in the direction of the exit. */
	u64 (*device_read)(void *ctx, u64 gpa, u32 size);
	void (*device_write)(void *ctx, u64 gpa, u32 size, u64 value);
	void (*trap)(void *ctx); /* injects the single-step trap, #DB with DR6.BS */
};

struct emulate {
	const struct emulate_ops *ops;
	void *ctx;
	struct vcpu_page *page;
	struct insn insn; /* emulate_run's own from here */
	struct insn_key key; /* what insn was decoded from */
	u64 next_rip;
};

/* Completes the instruction at page->rip.  EMULATE_DONE: run on (a long REP may be left at its instruction,
 * to continue); EMULATE_FAULT: run on too, page->inject has what the instruction caused.  ERR_UNSUPPORTED or
 * another error of the callbacks: the guest cannot go on; exit.insn has the bytes for the report. */
int emulate_run(struct emulate *e) must_check;

/* Fill page->inject; return EMULATE_FAULT. */
int emulate_inject(struct vcpu_page *page, u8 vector, u32 error_code); /* UD has no error code */
int emulate_page_fault(struct vcpu_page *page, u32 error_code, u64 linear);

#endif
