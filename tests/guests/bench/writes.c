/* What a write to a page costs that is not the guest's own yet, by what it was: the mean of BATCH writes, each to
 * another page, the cheapest of some; and (-mean) the mean of all PAGES writes.  The host merges between two steps, and
 * tells that it has by something typed. */
#include "tests/guests/bench/bench.h"

#define PAGES 256u
#define BATCH 32u /* pages */
#define PAGE 4096u
#define FIRST (16u << 20) /* above this image */

static u8 *page_of(u32 i)
{
	return (u8 *)(u64)(FIRST + i * PAGE);
}

/* Cycles for a write to each of the BATCH pages, step pages apart, from the first-th on. */
static u64 write_batch(u32 first, u32 step)
{
	u64 total = 0, begin, empty;

	for (u32 i = 0; i < BATCH; i++) {
		volatile u64 *word = (volatile u64 *)page_of(first + i * step);

		begin = now();
		asm volatile("" : : : "memory");
		empty = now() - begin;
		begin = now();
		*word = i;
		total += now() - begin - empty;
	}
	return total / BATCH;
}

/* Writes to PAGES pages; the cheapest batch counts, so that another's work that falls into one does not.  The mean
 * has all of it. */
static void measure(const char *name, u32 first, u32 step)
{
	u64 best = ~0ull, total = 0;

	for (u32 i = 0; i < PAGES; i += BATCH) {
		u64 mean = write_batch(first + i * step, step);

		best = mean < best ? mean : best;
		total += mean;
	}
	print("BENCH %s-mean %u\n", name, total / (PAGES / BATCH));
	print("BENCH %s %u\n", name, best);
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
