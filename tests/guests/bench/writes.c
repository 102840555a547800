/* What a write to a page costs that is not the guest's own yet, by what it was: the mean of PAGES writes, each to
 * another page.  The host merges between two steps, and tells that it has by something typed. */
#include "tests/guests/bench/bench.h"

#define PAGES 256u
#define PAGE 4096u
#define FIRST (16u << 20) /* above this image */

static u8 *page_of(u32 i)
{
	return (u8 *)(u64)(FIRST + i * PAGE);
}

/* Writes to every step-th page from the first-th on. */
static void measure(const char *name, u32 first, u32 step)
{
	u64 total = 0, begin, empty;

	for (u32 i = 0; i < PAGES; i++) {
		volatile u64 *word = (volatile u64 *)page_of(first + i * step);

		begin = now();
		asm volatile("" : : : "memory");
		empty = now() - begin;
		begin = now();
		*word = i;
		total += now() - begin - empty;
	}
	print("BENCH %s %u\n", name, total / PAGES);
}

static void wait_key(const char *what)
{
	print("WAITING %s\n", what);
	while (!(inb(0x3fd) & 1))
		wait_us(10000);
	inb(0x3f8);
}

/* Two pages each have the same content: the first's write copies, the second's finds itself the last.  Then as many
 * that have no equal. */
static void fill_pages(void)
{
	for (u32 i = 0; i < 3 * PAGES; i++)
		for (u64 *word = (u64 *)page_of(i); word < (u64 *)page_of(i + 1); word++)
			*word = (u64)word % PAGE + (i < 2 * PAGES ? i / 2 : i) * 0x9e3779b97f4a7c15;
}

void bench_writes(void)
{
	fill_pages();
	wait_key("pairs");
	measure("write-merged", 0, 2);
	measure("write-merged-last", 1, 2);
	measure("write-unmerged", 2 * PAGES, 1);
	for (u8 *byte = page_of(0); byte < page_of(PAGES); byte++)
		*byte = 0;
	wait_key("zeroes");
	measure("write-given-back", 0, 1);
}
