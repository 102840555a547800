/* pattern.elf: verifies every byte of its RAM, round by round, on all of its processors at once, whatever is merged,
 * unmerged, paused or given to the balloon meanwhile.
 *
 * Each processor has some words of every page, so that all write to the same pages while the merger is at them.  By its
 * number a page has content that all such guests have in common; zeroes, or common content, by turns; content of its
 * guest's own (seed=N); the same, another in each round.  With a balloon the last eighth is the first processor's:
 * by turns it holds content, and is given and must be zeroes.
 * Says FILLED, then ROUND n when all have done n and GAVE n when pages were given; FAIL when a word is wrong. */
#include "tests/guests/pattern/balloon.h"

#define PAGE 4096u
#define WORDS (PAGE / 8)
#define PROCESSORS 8
#define PAUSE_MS 300 /* at the local APIC's 1 GHz: what was written becomes quiet */
#define VECTOR 0x50

static u64 seed, first_page, own_page, end_page; /* [first, own) is everybody's, [own, end) the first processor's */
static u32 processors;
static volatile u64 done[PROCESSORS], wrong[PROCESSORS]; /* rounds; words */

static u64 word_of(u64 at, u64 round)
{
	u64 key = 0;

	switch (at / PAGE % 4) {
	case 1:
		if (round & 1)
			return 0;
		key = 1;
		break;
	case 2: key = seed << 20; break;
	case 3: key = seed << 20 | (round + 1); break;
	}
	return (at ^ key << 32 ^ 0x5a5a5a5a5a5a5a5a) * 0x9e3779b97f4a7c15;
}

/* A processor's words of a page: verifies the last round's (unless this is the first), writes those that change. */
static void do_page(u64 page, u32 first, u32 step, u64 round)
{
	bool changes = !round || page / PAGE % 2;

	for (u32 w = first; w < WORDS; w += step) {
		volatile u64 *word = (volatile u64 *)(page + 8 * w);

		if (round && *word != word_of((u64)word, round - 1))
			wrong[first]++;
		if (changes)
			*word = word_of((u64)word, round);
	}
}

static void do_round(u32 processor, u64 round)
{
	for (u64 page = first_page; page < own_page; page += PAGE)
		do_page(page, processor, processors, round);
	done[processor] = round + 1;
}

static bool is_zeroes(u64 page)
{
	u64 all = 0;

	for (u32 w = 0; w < WORDS; w++)
		all |= ((volatile u64 *)page)[w];
	return !all;
}

/* The first processor's own: in even rounds it fills what must be zeroes, in odd ones it verifies and gives it. */
static void do_own(u64 round)
{
	u64 pages = (end_page - own_page) / PAGE;

	for (u64 page = own_page; page < end_page; page += PAGE) {
		if (!(round & 1) && !is_zeroes(page))
			wrong[0]++;
		do_page(page, 0, 1, round & 1);
	}
	for (u64 i = 0; round & 1 && i < pages; i += BALLOON_PAGES)
		balloon_give(own_page + i * PAGE, (u32)(pages - i < BALLOON_PAGES ? pages - i : BALLOON_PAGES));
	if (round & 1 && pages)
		print("GAVE %u\n", pages);
}

static void on_timer(struct frame *frame)
{
	lapic_eoi();
}

static void start_timer(void)
{
	lapic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
	lapic_write(APIC_LVT_TIMER, VECTOR);
}

static void rest(void)
{
	lapic_write(APIC_TIMER_INIT, PAUSE_MS * 1000000u);
	asm volatile("sti; hlt; cli" : : : "memory");
}

/* Nobody is more than a round ahead of the others. */
static void wait_for_all(u64 rounds)
{
	for (u32 i = 0; i < processors; i++)
		while (done[i] < rounds)
			rest();
}

static void go(u32 processor)
{
	for (u64 round = 0;; round++) {
		do_round(processor, round);
		if (!processor)
			do_own(round);
		wait_for_all(round + 1);
		for (u32 i = 0; !processor && i < processors; i++)
			if (wrong[i])
				print("FAIL %u words are wrong in round %u on processor %u\n", wrong[i], round, (u64)i);
		if (!processor)
			print(round ? "ROUND %u\n" : "FILLED\n", round);
		rest();
	}
}

static void go_further(u32 processor)
{
	start_timer();
	go(processor);
}

/* The largest range of RAM, without this image; a part for the balloon. */
static void find_memory(bool balloon)
{
	for (u32 i = 0; i < ram_count; i++) {
		u64 base = ram[i].base < (u64)image_end ? ((u64)image_end + PAGE - 1) & ~(u64)(PAGE - 1) : ram[i].base;
		u64 end = ram[i].end & ~(u64)(PAGE - 1);

		if (base < end && end - base > end_page - first_page)
			first_page = base, end_page = end;
	}
	own_page = end_page - (balloon ? (end_page - first_page) / 8 & ~(u64)(PAGE - 1) : 0);
}

int main(const char *line)
{
	seed = option("seed=", 1);
	processors = (u32)option("cpus=", 1);
	trap_set(VECTOR, on_timer);
	lapic_enable(false);
	find_memory(balloon_start());
	print("WAITING\n");
	while (!(inb(0x3fd) & 1))
		wait_us(10000);
	for (u32 i = 1; i < processors; i++)
		if (!processor_start(i, go_further))
			print("FAIL processor %u does not start\n", (u64)i);
	start_timer();
	go(0);
	return 0;
}
