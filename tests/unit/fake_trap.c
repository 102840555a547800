/* The fake machine's traps: privileged instructions, page faults in the process's half of the address space,
 * and the store watch, which writes-protects RAM and steps over each instruction that writes to it. */
#define _GNU_SOURCE
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/unit/fake_arch_parts.h"

#define MSR_EFER 0xc0000080u
#define USER_BASE 0x400000000000ull
#define USER_SIZE 0x8000000000ull
#define EFLAGS_TRAP 0x100
#define PTE_PRESENT 1u
#define PTE_WRITE 2u
#define PTE_USER 4u

u64 fake_tsc;
static bool tsc_faked;

static u64 msrs[2]; /* EFER; anything else */

static u64 *msr_of(u32 number)
{
	return &msrs[number != MSR_EFER];
}

static void move_to_cr3(greg_t *r, u8 modrm)
{
	static const u8 order[] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI };
	u64 value = (u64)r[order[modrm & 7]];

	assert((modrm & 0xf8) == 0xd8);
	if (value == fake_cr3())
		return;
	fake_cr3_set(value);
	munmap((void *)USER_BASE, USER_SIZE);
}

static void read_tsc(greg_t *r)
{
	r[REG_RAX] = (u32)fake_tsc;
	r[REG_RDX] = (greg_t)(fake_tsc >> 32);
}

/* Carries out the instruction at RIP if it is one of ours.  RIP is moved first: an interrupt may leave. */
static bool privileged(greg_t *r)
{
	const u8 *code = (const u8 *)r[REG_RIP];

	switch (code[0]) {
	case 0xfa: /* CLI */
		r[REG_RIP]++;
		return true;
	case 0xfb: /* STI: only before HLT or NOP, and both are windows */
		r[REG_RIP]++;
		if (code[1] != 0xf4)
			fake_take_interrupts();
		return true;
	case 0xf4: /* HLT */
		r[REG_RIP]++;
		fake_halt();
		return true;
	case 0x0f:
		break;
	default:
		return false;
	}
	if (code[1] == 0x22) {
		r[REG_RIP] += 3;
		move_to_cr3(r, code[2]);
	} else if (code[1] == 0x31) {
		r[REG_RIP] += 2;
		read_tsc(r);
	} else if (code[1] == 0x01 && code[2] == 0xf9) { /* RDTSCP, of the C library */
		r[REG_RIP] += 3;
		r[REG_RCX] = 0;
		read_tsc(r);
	} else if (code[1] == 0x32) {
		r[REG_RIP] += 2;
		r[REG_RAX] = (u32)*msr_of((u32)r[REG_RCX]);
		r[REG_RDX] = (greg_t)(*msr_of((u32)r[REG_RCX]) >> 32);
	} else if (code[1] == 0x30) {
		r[REG_RIP] += 2;
		*msr_of((u32)r[REG_RCX]) = (u32)r[REG_RAX] | (u64)r[REG_RDX] << 32;
	} else {
		return false;
	}
	return true;
}

/* ---- the process's half of the address space ---- */

static bool fill_user_page(u64 address)
{
	u64 table = fake_cr3(), entry = 0, rights = PTE_WRITE | PTE_USER;
	int protection;

	if (address < USER_BASE || address >= USER_BASE + USER_SIZE || !table)
		return false;
	for (int level = 3; level >= 0; level--) {
		entry = ((u64 *)table)[address >> (12 + 9 * level) & 511];
		if (!(entry & PTE_PRESENT))
			return false;
		rights &= entry;
		table = entry & 0x000ffffffffff000ull;
	}
	if (!(rights & PTE_USER))
		return false;
	protection = PROT_READ | (rights & PTE_WRITE ? PROT_WRITE : 0);
	if (table - (u64)fake_ram >= fake_frames * PAGE_SIZE) { /* constants in the test's own image */
		void *copy = mmap((void *)(address & PAGE_MASK), PAGE_SIZE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		memcpy(copy, (void *)table, PAGE_SIZE);
		return true;
	}
	return mmap((void *)(address & PAGE_MASK), PAGE_SIZE, protection, MAP_SHARED | MAP_FIXED, fake_ram_file,
		    (off_t)(table - (u64)fake_ram)) != MAP_FAILED;
}

/* ---- the store watch ---- */

void (*fake_before_store)(void);
static void (*watcher)(u64 *word, u64 before);
static u64 watched[PAGE_SIZE / 8]; /* the page's content before the store */
static u64 *watched_page;

static void protect(int protection)
{
	mprotect(fake_ram, fake_frames * PAGE_SIZE, protection);
}

void fake_watch(void (*seen)(u64 *word, u64 before))
{
	watcher = seen;
	protect(PROT_READ);
}

void fake_watch_end(void)
{
	if (watcher)
		protect(PROT_READ | PROT_WRITE);
	watcher = NULL;
}

static bool step_store(u64 address, greg_t *r)
{
	if (!watcher || address - (u64)fake_ram >= fake_frames * PAGE_SIZE)
		return false;
	watched_page = (u64 *)(address & PAGE_MASK);
	protect(PROT_READ | PROT_WRITE);
	if (fake_before_store)
		fake_before_store();
	fake_before_store = NULL;
	memcpy(watched, watched_page, PAGE_SIZE);
	r[REG_EFL] |= EFLAGS_TRAP;
	return true;
}

static void on_step(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	u->uc_mcontext.gregs[REG_EFL] &= ~EFLAGS_TRAP;
	if (!watcher)
		return;
	protect(PROT_READ);
	for (u32 i = 0; i < ARRAY_SIZE(watched); i++)
		if (watched[i] != watched_page[i])
			watcher(&watched_page[i], watched[i]);
}

/* ---- */

static struct sigaction before;

static void on_fault(int number, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	u64 address = (u64)info->si_addr;

	if (info->si_code == SI_KERNEL) {
		if (privileged(r))
			return;
	} else if (step_store(address, r) || fill_user_page(address)) {
		return;
	}
	fprintf(stderr, "fault at RIP %llx, address %llx\n", (unsigned long long)r[REG_RIP],
		(unsigned long long)address);
	sigaction(SIGSEGV, &before, NULL); /* cmocka's: the instruction faults again and is reported */
}

void fake_trap_start(void)
{
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction step = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &fault, &before);
	sigaction(SIGTRAP, &step, NULL);
}

/* cmocka looks at the time between tests; the C library would use RDTSC for it. */
int clock_gettime(clockid_t clock, struct timespec *to)
{
	return (int)syscall(SYS_clock_gettime, clock, to);
}

void fake_tsc_start(void)
{
	tsc_faked = true;
	assert(!prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
}

void fake_trap_stop(void)
{
	if (tsc_faked)
		prctl(PR_SET_TSC, PR_TSC_ENABLE);
	tsc_faked = false;
	sigaction(SIGSEGV, &before, NULL);
	munmap((void *)USER_BASE, USER_SIZE);
}
