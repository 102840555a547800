/* x87, SSE and AVX registers of vCPUs: switched when one comes to a CPU and leaves it.  Ring 0 and ring 3
 * do not use them; CR0.TS guards them while they are nobody's, so that no process finds another guest's. */
#ifndef ARCH_X86_64_FPU_H
#define ARCH_X86_64_FPU_H

#include "kernel/lib/types.h"

struct fpu {
	u8 *area;    /* XSAVE area, 64-byte aligned */
	u64 xcr0;    /* while it is not loaded */
	bool loaded; /* its registers are in this processor */
};

/* Finds out what the processor has and we can switch; once, before the rest. */
void fpu_detect(void);
u64 fpu_xcr0(void);      /* all that can be switched, 0 without XSAVE */
bool fpu_has_xsave(void);

/* Power-on state.  0 or ERR_NOMEM; fini is fine for zeroed memory. */
int fpu_init(struct fpu *f);
void fpu_fini(struct fpu *f);

void fpu_load(struct fpu *f);
void fpu_save(struct fpu *f);

/* XCR0 of the guest, loaded or not. */
u64 fpu_get_xcr0(const struct fpu *f);
void fpu_set_xcr0(struct fpu *f, u64 value);

#endif
