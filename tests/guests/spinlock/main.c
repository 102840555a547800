/* spinlock.elf: all processors take one ticket lock for ever, work inside and outside, and wait with PAUSE.  The
 * number of rounds is at a physical address that is printed first: `COUNT AT address` (hexadecimal). */
#include "tests/guests/lib/guest.h"

#define INSIDE 200 /* turns of an empty loop */
#define OUTSIDE 400

static volatile u64 rounds; /* under the lock */
static u32 next_ticket, served;

static void work(u32 turns)
{
	for (u32 i = 0; i < turns; i++)
		asm volatile("" : : : "memory");
}

static void take(void)
{
	u32 mine = __atomic_fetch_add(&next_ticket, 1, __ATOMIC_SEQ_CST);

	while (__atomic_load_n(&served, __ATOMIC_ACQUIRE) != mine)
		relax();
}

static void give(void)
{
	__atomic_store_n(&served, served + 1, __ATOMIC_RELEASE);
}

static void contend(u32 index)
{
	interrupts_on(); /* none comes; Bochs's SVM leaves a guest only then */
	for (;;) {
		take();
		work(INSIDE);
		rounds = rounds + 1;
		give();
		work(OUTSIDE);
	}
}

int main(const char *line)
{
	u32 count = (u32)option("vcpus=", 2);

	lapic_enable(false);
	print("COUNT AT %x\n", (u64)&rounds);
	for (u32 i = 1; i < count; i++)
		if (!processor_start(i, contend))
			print("processor %u does not start\n", i);
	contend(0);
	return 0;
}
