/* The walker beside somebody who takes a branch out of the tables: it goes by what it loaded once.  The other comes
 * just after the first load: the page of the entry is protected, and the instruction that loads it is stepped over. */
/* links: kernel/table.c kernel/frame.c kernel/lock.c arch/x86_64/table_format.c tests/unit/fake_arch.c
 * tests/unit/fake_trap.c */
/* flags: -DLOCK_CHECK=1 -O0 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>

#include "kernel/table.h"
#include "tests/unit/fake_arch.h"

/* Not optimised: each load in the source is one of the program's. */
#define GPA (5 * MIB)
#define TRAP_FLAG 0x100

const u64 fake_frames = 64;
const u32 fake_cpu_count = 1;

static u64 *branch;
static sigjmp_buf lost;

static void *page_of(const void *at)
{
	return (void *)((u64)at & PAGE_MASK);
}

static void load_begins(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	if (page_of(info->si_addr) != page_of(branch))
		siglongjmp(lost, 1);
	mprotect(page_of(branch), PAGE_SIZE, PROT_READ | PROT_WRITE);
	c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void load_ended(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	c->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	(void)__atomic_exchange_n(branch, 0, __ATOMIC_ACQ_REL);
}

static void test_branch_that_goes(void **state)
{
	const struct table_format *f = &table_format_npt;
	const struct sigaction begins = { .sa_sigaction = load_begins, .sa_flags = SA_SIGINFO };
	const struct sigaction ended = { .sa_sigaction = load_ended, .sa_flags = SA_SIGINFO };
	hpa_t root = frame_alloc_zero(0, FRAME_TABLE);
	u64 tables = 1, *leaf = table_make(f, root, GPA, 0, &tables), before;
	struct sigaction segv, trap;
	u32 level = 9;

	branch = table_make(f, root, GPA, 1, &tables);
	before = *branch;
	assert_int_equal(sigaction(SIGSEGV, &begins, &segv) | sigaction(SIGTRAP, &ended, &trap), 0);
	assert_int_equal(mprotect(page_of(branch), PAGE_SIZE, PROT_NONE), 0);
	if (sigsetjmp(lost, 1))
		fail_msg("it followed an entry that it had loaded anew");
	assert_ptr_equal(table_find(f, root, GPA, &level), leaf);
	assert_int_equal(level, 0);
	assert_int_equal(*branch, 0); /* it was taken out meanwhile */
	assert_int_equal(sigaction(SIGSEGV, &segv, NULL) | sigaction(SIGTRAP, &trap, NULL), 0);
	*branch = before;
	table_free(f, root, 0);
	assert_int_equal(frame_count(FRAME_TABLE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { FAKE_TEST(test_branch_that_goes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
