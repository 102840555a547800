/* VMREAD and VMWRITE between registers, which are undefined in a test, act on fake_vmcs. */
#define _GNU_SOURCE
#include <assert.h>
#include <signal.h>
#include <ucontext.h>

#include "kernel/lib/types.h"

#define EFLAGS_CF 1u
#define EFLAGS_ZF 0x40u
#define VMREAD 0x78 /* 0Fh 78h /r: the field's number in reg; 0Fh 79h /r likewise */
#define VMWRITE 0x79

extern u64 fake_vmcs[0x8000];
void fake_vmcs_trap(void);

static greg_t *operand(greg_t *r, u8 number)
{
	static const u8 order[] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

	return &r[order[number & 15]];
}

static void on_illegal(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs, *field, *value;
	const u8 *code = (const u8 *)r[REG_RIP];
	u8 rex = (code[0] & 0xf0) == 0x40 ? *code++ : 0;

	assert(code[0] == 0x0f && (code[1] == VMREAD || code[1] == VMWRITE) && code[2] >= 0xc0);
	field = operand(r, (code[2] >> 3 & 7) | (rex << 1 & 8));
	value = operand(r, (code[2] & 7) | (rex << 3 & 8));
	assert((u64)*field < ARRAY_SIZE(fake_vmcs));
	if (code[1] == VMREAD)
		*value = (greg_t)fake_vmcs[*field];
	else
		fake_vmcs[*field] = (u64)*value;
	r[REG_EFL] &= ~(greg_t)(EFLAGS_CF | EFLAGS_ZF);
	r[REG_RIP] = (greg_t)(code + 3);
}

void fake_vmcs_trap(void)
{
	struct sigaction action = { .sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO };

	assert(!sigaction(SIGILL, &action, NULL));
}
